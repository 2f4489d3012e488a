package cluster

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	clienttest "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"

	"weft.dev/model"
)

// newCluster pretends to be a cluster with these objects, YAML.
func newCluster(t *testing.T, texts ...string) *Cluster {
	t.Helper()
	var objects []runtime.Object
	for _, text := range texts {
		o := &unstructured.Unstructured{}
		data, err := yaml.YAMLToJSON([]byte(text))
		if err == nil {
			err = o.UnmarshalJSON(data) // numbers as an API server's client has them
		}
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	lists := map[schema.GroupVersionResource]string{
		podResource: "PodList", nodeResource: "NodeList", deploymentResource: "DeploymentList", crdResource: "CustomResourceDefinitionList",
		webhookResource: "MutatingWebhookConfigurationList", {Version: "v1", Resource: "namespaces"}: "NamespaceList",
	}
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists, objects...)
	// Injection: of the revision "away" no webhook answers.
	client.PrependReactor("create", "pods", func(a clienttest.Action) (bool, runtime.Object, error) {
		pod := a.(clienttest.CreateAction).GetObject().(*unstructured.Unstructured).DeepCopy()
		if labels := pod.GetLabels(); labels[model.RevisionLabel] != "away" {
			labels[model.ProxyLabel] = "sidecar"
			pod.SetLabels(labels)
		}
		return true, pod, nil
	})
	return &Cluster{objects: client}
}

const (
	deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: weft, namespace: weft-system, generation: 2}
spec: {replicas: 2, selector: {matchLabels: {app: weft}}}
`
	serving = deployment + "status: {observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2}"
	hook    = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: weft}
webhooks: [{name: a, clientConfig: {caBundle: cm9vdHM=}}`
)

func TestMissing(t *testing.T) {
	for name, c := range map[string]struct {
		objects []string
		want    string
	}{
		"serves":            {[]string{serving, hook + "]"}, ""},
		"not trusted yet":   {[]string{serving, hook + ", {name: b, clientConfig: {}}]"}, "certificate authority"},
		"not seen yet":      {[]string{strings.Replace(serving, "observedGeneration: 2", "observedGeneration: 1", 1), hook + "]"}, "2 of 2 replicas"},
		"old ones are left": {[]string{strings.Replace(serving, " replicas: 2, updated", " replicas: 3, updated", 1), hook + "]"}, "2 of 2 replicas"},
		"no image": {[]string{deployment, hook + "]", `
apiVersion: v1
kind: Pod
metadata: {name: weft-1, namespace: weft-system, labels: {app: weft}}
status: {containerStatuses: [{state: {waiting: {reason: ErrImagePull, message: not found}}}]}`}, "0 of 2 replicas of deployment/weft are ready; pod/weft-1: ErrImagePull not found"},
		"crashes": {[]string{deployment, hook + "]", `
apiVersion: v1
kind: Pod
metadata: {name: weft-1, namespace: weft-system, labels: {app: weft}}
status: {containerStatuses: [{state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 64}}}]}`}, "it ended with 64"},
		"no room": {[]string{deployment, hook + "]", `
apiVersion: v1
kind: Pod
metadata: {name: weft-1, namespace: weft-system, labels: {app: weft}}
status: {conditions: [{type: PodScheduled, status: "False", message: 0/1 nodes}]}`}, "no node takes it: 0/1 nodes"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newCluster(t, c.objects...).Missing(t.Context(), Plane{"weft-system", "weft", "default"})
			if err != nil || (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// TestNotInjecting: what runs and cannot be asked does not serve.
func TestNotInjecting(t *testing.T) {
	got, err := newCluster(t, serving, hook+"]").Missing(t.Context(), Plane{"weft-system", "weft", "away"})
	if err != nil || !strings.Contains(got, "does not reach the webhook weft") {
		t.Errorf("%q, %v", got, err)
	}
}

const podTemplate = `
apiVersion: v1
kind: Pod
metadata: {namespace: shop, name: NAME`

func TestPods(t *testing.T) {
	pod := func(name, rest string) string { return strings.Replace(podTemplate, "NAME", name, 1) + rest + "}" }
	k := &check{Cluster: newCluster(t,
		`{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {weft.dev/inject: enabled}}}`,
		pod("has", ", labels: {weft.dev/proxy: sidecar}"), pod("early", ""), pod("without", `, labels: {weft.dev/inject: "false"}`),
		pod("cannot", ", annotations: {weft.dev/not-injected: because}"), pod("ending", ", deletionTimestamp: 2026-01-01T00:00:00Z, finalizers: [a]"),
	)}
	if err := k.pods(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"1 pods have a proxy", "1 pods cannot have one", "1 pods have none"}
	for i, f := range k.findings {
		if i >= len(want) || f.What != want[i] || f.OK != (i == 0) {
			t.Errorf("%+v", f)
		}
	}
	if len(k.findings) != 3 || !strings.HasPrefix(k.findings[1].Remedy, "shop/cannot: because") || !strings.HasPrefix(k.findings[2].Remedy, "shop/early started") {
		t.Errorf("%+v", k.findings)
	}
}

func TestOtherMeshes(t *testing.T) {
	for name, well := range map[string]bool{"istio-sidecar-injector-canary": false, "linkerd-proxy-injector": false, "weft": true, "cert-manager": true} {
		k := &check{Cluster: newCluster(t, strings.Replace(hook, "name: weft", "name: "+name, 1)+"]")}
		k.otherMeshes(t.Context())
		if len(k.findings) != 1 || k.findings[0].OK != well {
			t.Errorf("beside %s: %+v", name, k.findings)
		}
	}
}

// Where nobody looks at who freezes, weft check says so.
func TestFreezesAreLookedAt(t *testing.T) {
	asks := func(failurePolicy string) string {
		return strings.NewReplacer("Mutating", "Validating", "name: weft}", "name: weft-freezes}", "name: a", "name: a, failurePolicy: "+failurePolicy).Replace(hook) + "]"
	}
	for name, c := range map[string]struct{ hook, remedy string }{
		"as the chart has it": {asks("Fail"), ""},
		"not trusted yet":     {strings.Replace(asks("Fail"), "cm9vdHM=", `""`, 1), "no certificate authority"},
		"lets through":        {asks("Ignore"), "lets through"},
		"not there":           {hook + "]", "weft install"},
	} {
		k := &check{Cluster: newCluster(t, c.hook)}
		k.freezes(t.Context())
		if got := k.findings[0]; got.OK != (c.remedy == "") || !strings.Contains(got.Remedy, c.remedy) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestNodes(t *testing.T) {
	node := func(kernel, kubelet, system string) string {
		return `{apiVersion: v1, kind: Node, metadata: {name: a}, status: {nodeInfo: {kernelVersion: ` + kernel + `, kubeletVersion: ` + kubelet + `, operatingSystem: ` + system + `}}}`
	}
	for text, well := range map[string]bool{
		node("6.1.0-13-amd64", "v1.35.4", "linux"): true, node("4.18.0-553.el8", "v1.30.0", "linux"): true,
		node("4.14.336", "v1.31.1-eks", "linux"): false, node("5.15.0", "v1.29.9", "linux"): false, node("10.0", "v1.20.0", "windows"): true,
	} {
		k := &check{Cluster: newCluster(t, text)}
		k.nodes(t.Context())
		if k.findings[0].OK != well {
			t.Errorf("%s: %+v", text, k.findings)
		}
	}
}

// TestKinds: what others brought stays theirs, and is looked at.
func TestKinds(t *testing.T) {
	theirs := func(version string) string {
		return `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: virtualservices.networking.istio.io}, spec: {versions: [{name: ` + version + `, served: true}]}}`
	}
	all, err := CRDs()
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := newCluster(t, theirs("v1")).Wanted(t.Context())
	if err != nil || len(wanted) != len(all)-1 {
		t.Errorf("%d of %d are brought, %v", len(wanted), len(all), err)
	}
	for version, findings := range map[string]int{"v1": 1, "v1beta1": 2} {
		k := &check{Cluster: newCluster(t, theirs(version))}
		if err := k.kinds(t.Context()); err != nil || len(k.findings) != findings {
			t.Errorf("a CRD of %s: %+v, %v", version, k.findings, err)
		}
	}
}

func TestOthers(t *testing.T) {
	labelled := strings.Replace(deployment, "generation: 2", "labels: {app.kubernetes.io/part-of: weft, weft.dev/revision: next}", 1)
	for revision, want := range map[string]bool{"default": true, "next": false} {
		got, err := newCluster(t, labelled).Others(t.Context(), "weft-system", revision)
		if err != nil || got != want {
			t.Errorf("beside %s: %v, %v", revision, got, err)
		}
	}
}
