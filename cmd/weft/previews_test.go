package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"sigs.k8s.io/yaml"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/compile"
	"weft.dev/flow"
	"weft.dev/identity"
	"weft.dev/model"
	"weft.dev/store/serve"
	"weft.dev/translate"
	"weft.dev/web"
)

const previewed = `
apiVersion: weft.dev/v1alpha1
kind: TrafficSplit
metadata: {name: reviews, namespace: shop}
spec: {service: reviews, versions: [{version: v1, weight: 100}, {version: v2}]}
---
apiVersion: weft.dev/v1alpha1
kind: TrafficSplit
metadata: {name: ratings, namespace: shop}
spec: {service: ratings, versions: [{version: v1, weight: 100}]}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: ingress-1, namespace: shop}
spec: {gateway: ingress, address: 127.0.0.1, ports: [{number: 80, protocol: http, proxyPort: 8080}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ingress, namespace: shop}
spec: {gatewayClassName: weft, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: reviews, namespace: shop}
spec: {parentRefs: [{name: ingress}], hostnames: [shop.example, "*.shop.example"], rules: [{backendRefs: [{name: reviews, port: 9080}]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: rest, namespace: shop}
spec: {parentRefs: [{name: ingress}], hostnames: [other.example], rules: [{filters: [{type: RequestRedirect, requestRedirect: {hostname: shop.example}}]}]}
`

// showing is a mesh that makes previews, and what it recorded.
func showing(t *testing.T) (m *mesh, recorded *[]serve.Mutation) {
	t.Helper()
	previews, err := identity.OpenPreviews(identity.Dir(t.TempDir()), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	graph := flow.New(flow.Options{})
	objects := flow.NewSource[api.Object](graph, "objects")
	recorded = &[]serve.Mutation{}
	m = &mesh{authority: identity.Authority{Previews: previews}, previewKeys: flow.NewSource[model.PreviewKey](graph, "keys")}
	m.record = func(one serve.Mutation) error { *recorded = append(*recorded, one); return nil }
	m.street = newStreet(graph, objects.Collection, streetOptions{Options: translate.Options{TrustDomain: "cluster.local"}, previews: m.previewKeys.Collection}, nil)
	m.applications = func(context.Context, string) ([]*v1alpha1.Application, error) {
		critics, other := &v1alpha1.Application{}, &v1alpha1.Application{}
		critics.Name, critics.Spec.Service, critics.Spec.Roles.Release = "critics", "reviews", []string{"team"}
		other.Name, other.Spec.Roles.Release = "carts", []string{"others"}
		return []*v1alpha1.Application{other, critics}, nil
	}
	m.showKeys()
	graph.Commit(func(tx *flow.Tx) {
		for text := range strings.SplitSeq(previewed, "\n---\n") {
			body, err := yaml.YAMLToJSON([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			o, err := api.Decode(body)
			if err != nil {
				t.Fatal(err)
			}
			objects.Set(tx, o)
		}
	})
	return m, recorded
}

func asked(name string, groups ...string) context.Context {
	return request.WithUser(context.Background(), &user.DefaultInfo{Name: name, Groups: groups})
}

// Who may release gets a preview for the hosts that lead to the application, and the audit says so.
func TestPreview(t *testing.T) {
	m, recorded := showing(t)
	made, err := m.preview(asked("bob", "team"), web.PreviewRequest{Namespace: "shop", Application: "critics", Version: "v2", For: "2h"})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := base64.RawURLEncoding.DecodeString(strings.Split(made.Token, ".")[1])
	var said struct{ To map[string]string }
	if err := json.Unmarshal(body, &said); err != nil || len(said.To) != 2 || said.To["shop.example"] != "reviews.shop=v2" || said.To["*.shop.example"] != "reviews.shop=v2" {
		t.Errorf("it says %s: %v", body, err)
	}
	if want := []web.PreviewLink{{Host: "shop.example", URL: "http://shop.example/?weft-preview=" + made.Token}}; !slices.Equal(made.Links, want) || made.Header != "x-weft-preview: "+made.Token {
		t.Errorf("links %+v, header %s", made.Links, made.Header)
	}
	want := serve.Mutation{By: "bob", Verb: "preview", Kind: "Application", Namespace: "shop", Name: "critics"}
	if len(*recorded) != 1 || (*recorded)[0].By != want.By || (*recorded)[0].Verb != want.Verb || (*recorded)[0].Name != want.Name || (*recorded)[0].Changed[0] != "version: v2" {
		t.Errorf("recorded %+v", *recorded)
	}
}

func TestPreviewRefused(t *testing.T) {
	m, recorded := showing(t)
	master := asked("admin", "system:masters")
	for want, try := range map[string]struct {
		ctx context.Context
		q   web.PreviewRequest
	}{
		"none of the groups":              {asked("eve", "guests"), web.PreviewRequest{Application: "critics", Version: "v2"}},
		"may release application critics": {asked("eve", "others"), web.PreviewRequest{Application: "reviews", Version: "v2"}}, // its service's name
		"nobody vouches":                  {context.Background(), web.PreviewRequest{Application: "critics", Version: "v2"}},
		"there are v1, v2":                {master, web.PreviewRequest{Application: "reviews", Version: "v3"}},
		"nothing tells versions":          {master, web.PreviewRequest{Application: "carts", Version: "v3"}},
		"at most 168h":                    {master, web.PreviewRequest{Application: "critics", Version: "v2", For: "200h"}},
		"want a duration":                 {master, web.PreviewRequest{Application: "critics", Version: "v2", For: "soon"}},
		"no gateway serves the host":      {master, web.PreviewRequest{Application: "critics", Version: "v2", Host: "nowhere.example"}},
		"with --host: there are *.shop.example, other.example, shop.example": {master, web.PreviewRequest{Application: "ratings", Version: "v1"}},
	} {
		try.q.Namespace = "shop"
		if made, err := m.preview(try.ctx, try.q); err == nil || !strings.Contains(err.Error(), want) || made.Token != "" {
			t.Errorf("want %q, got %+v: %v", want, made, err)
		}
	}
	if len(*recorded) > 0 {
		t.Errorf("what was refused is recorded: %+v", *recorded)
	}
	m.record = func(serve.Mutation) error { return errors.New("disk full") }
	if made, err := m.preview(master, web.PreviewRequest{Namespace: "shop", Application: "critics", Version: "v2"}); err == nil || made.Token != "" {
		t.Errorf("what cannot be recorded: %+v, %v", made, err)
	}
}

// A proxy that takes no such request is no mistake of the server's.
func TestExplainWhatNobodyTakes(t *testing.T) {
	m, _ := showing(t)
	serving := make(chan struct{})
	close(serving)
	h := web.Handler(web.Mesh{Serving: serving, Explain: m.explain, RoutesOf: m.routesOf})
	for path, want := range map[string]string{
		"explain?proxy=shop/ingress&url=http://shop.example:9999/": "400 proxy shop/ingress-1: it has no listener gateway.9999",
		"explain?proxy=nobody&url=http://shop.example/":            "404 proxy \\\"nobody\\\": not found",
		"explain?proxy=shop/ingress&url=http://shop.example:80/":   "200 ",
		"routes?proxy=nobody":       "404 ",
		"routes?proxy=shop/ingress": "200 ",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", web.Prefix+path, nil))
		code, text, _ := strings.Cut(want, " ")
		if fmt.Sprint(w.Code) != code || !strings.Contains(w.Body.String(), text) {
			t.Errorf("%s: %d %s, want %s", path, w.Code, w.Body, want)
		}
	}
}

// Previews are of all applications: who may release one of them does not end those of the others.
func TestRevokePreviews(t *testing.T) {
	m, recorded := showing(t)
	keys := m.authority.Previews.Keys()
	for _, ctx := range []context.Context{asked("bob", "team"), context.Background()} {
		if _, err := m.revokePreviews(ctx); err == nil || !strings.Contains(err.Error(), "administrator") {
			t.Errorf("%v", err)
		}
	}
	if len(*recorded) > 0 || !slices.EqualFunc(keys, m.previewKeys.All(), model.PreviewKey.Equal) {
		t.Errorf("what was refused has keys %v, recorded %+v", m.previewKeys.All(), *recorded)
	}
	if _, err := m.revokePreviews(asked("admin", "system:masters")); err != nil {
		t.Fatal(err)
	}
	if now := m.previewKeys.All(); len(now) != 1 || now[0].ID == keys[0].ID || len(*recorded) != 1 || (*recorded)[0].Verb != "revoke" {
		t.Errorf("gateways have %v, recorded %+v", now, *recorded)
	}
}

// A link is for the host that people name, by the closest name that a gateway has for it.
func TestPreviewLinks(t *testing.T) {
	all := []compile.Entrance{
		{Host: "*", Port: 80}, {Host: "*.shop.example", Port: 8080}, {Host: "a.shop.example", Port: 80, Leads: true},
		{Host: "a.shop.example", Port: 443, TLS: true, Leads: true}, {Host: "b.shop.example", Port: 8443, TLS: true, Leads: true},
	}
	for host, want := range map[string][]string{
		"":                    {"https://a.shop.example/", "https://b.shop.example:8443/"},
		"A.shop.example":      {"https://A.shop.example/"},
		"pr-1.shop.example":   {"http://pr-1.shop.example:8080/"},
		"127.0.0.1:42891":     {"http://127.0.0.1:42891/"},
		"b.shop.example:9443": {"https://b.shop.example:9443/"},
	} {
		at, err := entrancesFor(all, "reviews", host)
		if err != nil {
			t.Errorf("%s: %v", host, err)
		}
		var got []string
		for _, link := range linksOf(at, host, "T") {
			got = append(got, strings.TrimSuffix(link.URL, "?weft-preview=T"))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}
