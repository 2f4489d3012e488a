package api_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	networking "istio.io/api/networking/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"weft.dev/api"
)

func decodeYAML(t *testing.T, text string) api.Object {
	t.Helper()
	j, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o, err := api.Decode(j)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

const reviews = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
  namespace: shop
  uid: u1
  generation: 3
  creationTimestamp: "2026-01-02T03:04:05Z"
  labels: {team: web}
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}", note: kept}
  managedFields: [{manager: kubectl}]
spec:
  hosts: [reviews]
  http:
  - timeout: 1m
    route: [{destination: {host: reviews, subset: v1}}]
`

func TestDecodeIstio(t *testing.T) {
	o := decodeYAML(t, reviews)
	if o.Key() != "VirtualService/shop/reviews" || o.UID != "u1" || o.Generation != 3 || o.Err != "" {
		t.Errorf("got %+v", o)
	}
	if !o.Created.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("created %v", o.Created)
	}
	if len(o.Annotations) != 1 || o.Annotations["note"] != "kept" {
		t.Errorf("annotations %v", o.Annotations)
	}
	spec := o.Spec.(*networking.VirtualService)
	if spec.Http[0].Timeout.AsDuration() != time.Minute || spec.Http[0].Route[0].Destination.Subset != "v1" {
		t.Errorf("spec %v", spec)
	}
}

func TestDecodeOtherSpecs(t *testing.T) {
	route := decodeYAML(t, `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r}, spec: {hostnames: [a.example]}}`)
	if h := route.Spec.(*gatewayv1.HTTPRouteSpec).Hostnames; len(h) != 1 || h[0] != "a.example" {
		t.Errorf("hostnames %v", h)
	}
	slice := decodeYAML(t, `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s}, addressType: IPv4, endpoints: [{addresses: [10.0.0.1]}]}`)
	if a := slice.Spec.(*discoveryv1.EndpointSlice).Endpoints[0].Addresses[0]; a != "10.0.0.1" || slice.Err != "" {
		t.Errorf("address %v, err %q", a, slice.Err)
	}
	secret := decodeYAML(t, `{apiVersion: v1, kind: Secret, metadata: {name: s}, type: Opaque, data: {k: dmFsdWU=}}`)
	if v := secret.Spec.(*corev1.Secret).Data["k"]; string(v) != "value" {
		t.Errorf("secret %q", v)
	}
}

func TestGatewaysOfBothGroupsDiffer(t *testing.T) {
	istio := decodeYAML(t, `{apiVersion: networking.istio.io/v1beta1, kind: Gateway, metadata: {name: g, namespace: shop}, spec: {selector: {a: b}}}`)
	gateway := decodeYAML(t, `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: g, namespace: shop}, spec: {gatewayClassName: weft, listeners: []}}`)
	if istio.Key() != "Gateway.networking.istio.io/shop/g" || gateway.Key() != "Gateway/shop/g" {
		t.Errorf("keys %q, %q", istio.Key(), gateway.Key())
	}
}

func TestEqualIsAboutContent(t *testing.T) {
	base := decodeYAML(t, reviews)
	same := map[string]string{
		"resource version": strings.Replace(reviews, "uid: u1", "uid: u1\n  resourceVersion: '77'", 1),
		"status":           reviews + "status: {conditions: []}\n",
		"managed fields":   strings.Replace(reviews, "manager: kubectl", "manager: other", 1),
		"last applied":     strings.Replace(reviews, `"{}"`, `"{...}"`, 1),
	}
	for what, text := range same {
		if !base.Equal(decodeYAML(t, text)) {
			t.Errorf("a change of %s is a change of content", what)
		}
	}
	different := map[string]string{
		"spec":       strings.Replace(reviews, "1m", "2m", 1),
		"labels":     strings.Replace(reviews, "web", "shop", 1),
		"annotation": strings.Replace(reviews, "kept", "changed", 1),
		"uid":        strings.Replace(reviews, "u1", "u2", 1),
		"generation": strings.Replace(reviews, "generation: 3", "generation: 4", 1),
		"name":       strings.Replace(reviews, "name: reviews", "name: ratings", 1),
	}
	for what, text := range different {
		if base.Equal(decodeYAML(t, text)) {
			t.Errorf("a change of %s is no change of content", what)
		}
	}
}

func TestDecodeProblems(t *testing.T) {
	cases := []struct {
		name, text, err string
		usable          bool
	}{
		{"unknown Istio field", `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: x}, spec: {hosts: [a], htp: []}}`, `spec: unknown field "htp"`, true},
		{"unknown Gateway API field", `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: x}, spec: {hostname: a}}`, `spec: unknown field "hostname"`, true},
		{"unknown part", `{apiVersion: weft.dev/v1alpha1, kind: Resilience, metadata: {name: x}, specs: {}}`, `unknown field "specs"`, true},
		{"wrong type", `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: x}, spec: {hosts: 7}}`, "spec: ", false},
		{"bad duration", `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: x}, spec: {http: [{timeout: banana}]}}`, "banana", false},
		{"wrong type in JSON", `{apiVersion: weft.dev/v1alpha1, kind: Resilience, metadata: {name: x}, spec: {timeout: []}}`, "spec: ", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := decodeYAML(t, c.text)
			if !strings.Contains(o.Err, c.err) || (o.Spec != nil) != c.usable || o.Name != "x" {
				t.Errorf("err %q, spec %v", o.Err, o.Spec)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)
	for text, want := range map[string]string{
		`[]`:                               "not a JSON object",
		`{"apiVersion":"v1","kind":7}`:     "apiVersion, kind or metadata",
		`{"apiVersion":"v1","kind":"Pod"}`: "does not accept",
		deep:                               "deeper than 64",
		`"` + strings.Repeat("x", api.MaxBytes) + `"`: "at most 1048576",
	} {
		if _, err := api.Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want %q", text, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	seed, err := yaml.YAMLToJSON([]byte(reviews))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"apiVersion":"v1","kind":"Secret","data":{"a":"!"}}`))
	f.Add([]byte(`{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","spec":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := api.Decode(text)
		if err != nil {
			return
		}
		if o.Spec == nil && o.Err == "" {
			t.Errorf("no spec and no reason: %s", text)
		}
		if again, err := api.Decode(text); err != nil || !o.Equal(again) {
			t.Errorf("two readings differ: %s", text)
		}
	})
}

// Every kind with a CRD is served by one, and in the version that weft reads.
func TestEveryKindHasItsCRD(t *testing.T) {
	served := map[string]bool{}
	err := eachCRD(func(crd definition) {
		for _, v := range crd.Spec.Versions {
			if v.Served {
				served[crd.Spec.Group+"/"+v.Name+" "+crd.Spec.Names.Kind+" "+crd.Spec.Names.Plural+" "+crd.Spec.Scope] = true
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range api.Kinds() {
		if k.Version.Group == "" || k.Version.Group == "discovery.k8s.io" {
			continue
		}
		scope := map[bool]string{true: "Namespaced", false: "Cluster"}[k.Namespaced]
		if want := k.Version.GroupVersion().String() + " " + k.Version.Kind + " " + k.Resource + " " + scope; !served[want] {
			t.Errorf("no CRD serves %s", want)
		}
	}
}

type definition struct {
	Spec struct {
		Group, Scope string
		Names        struct{ Kind, Plural string }
		Versions     []struct {
			Name   string
			Served bool
		}
	}
}

func eachCRD(visit func(definition)) error {
	files, err := filepath.Glob("crds/*.yaml")
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		j, err := yaml.YAMLToJSON(text)
		if err != nil {
			return err
		}
		var d definition
		if err := json.Unmarshal(j, &d); err != nil {
			return err
		}
		visit(d)
	}
	return nil
}

// What is left of an object says where it was written, and which of its problems its owner knows of.
func TestBare(t *testing.T) {
	o := api.Object{Annotations: map[string]string{"note": "gone", api.SourceAnnotation: "a.yaml:1", api.SuppressAnnotation: "WFT0002"}}
	if got := o.Bare().Annotations; len(got) != 2 || got[api.SourceAnnotation] != "a.yaml:1" || got[api.SuppressAnnotation] != "WFT0002" {
		t.Errorf("annotations %v", got)
	}
	if got := (api.Object{Annotations: map[string]string{"note": "gone"}}).Bare().Annotations; got != nil {
		t.Errorf("annotations %v", got)
	}
}
