package main

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weft.dev/model"
	"weft.dev/snapshot"
	"weft.dev/translate"
)

// withFile is a copy of the example with one file more.
func withFile(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(exampleRepository)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "more.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// renderedTo renders a folder and reads what is there then.
func renderedTo(t *testing.T, dir, out string) map[string][]*model.Resource {
	t.Helper()
	if code := run(t.Context(), []string{"render", dir, out, "-o", "json"}); code != exitOK {
		t.Fatalf("code %d", code)
	}
	text, err := os.ReadFile(filepath.Join(out, listingFile))
	if err != nil {
		t.Fatal(err)
	}
	var listing rendering
	if err := json.Unmarshal(text, &listing); err != nil {
		t.Fatal(err)
	}
	views := map[string][]*model.Resource{}
	for _, p := range listing.Proxies {
		data, err := os.ReadFile(filepath.Join(out, p.View.Path()))
		if err != nil || snapshot.DigestOf(data) != p.View || len(data) != p.Bytes {
			t.Errorf("%s: %d bytes, %v, want %d of %s", p.Proxy, len(data), err, p.Bytes, p.View)
		}
		if views[p.Proxy], err = snapshot.DecodeView(data); err != nil || len(views[p.Proxy]) != p.Resources {
			t.Errorf("%s: %d resources, %v, want %d", p.Proxy, len(views[p.Proxy]), err, p.Resources)
		}
	}
	return views
}

// clustersOf counts the clusters of services.
func clustersOf(all []*model.Resource) (n int) {
	for _, r := range all {
		if _, _, _, ok := model.ParseClusterName(r.Name); ok && r.Type == model.TypeCluster {
			n++
		}
	}
	return n
}

func TestRender(t *testing.T) {
	dir := withFile(t, `
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: web-1, namespace: shop}
spec: {app: web, address: 127.0.0.1, outboundPort: 15009, ports: [{number: 80, protocol: http, proxyPort: 15080, appPort: 8080}]}
`)
	out := t.TempDir()
	views := renderedTo(t, dir, out)
	// The workload is a service, too.
	for proxy, want := range map[string]int{"shop/frontend": 3, "shop/web-1": 101} {
		if got := clustersOf(views[proxy]); got != want {
			t.Errorf("%s knows %d services, want %d", proxy, got, want)
		}
	}
	before, err := filepath.Glob(filepath.Join(out, "*", "*"))
	if err != nil || len(before) != len(views) {
		t.Fatalf("got %v, %v for %d proxies", before, err, len(views))
	}
	renderedTo(t, dir, out)
	if after, _ := filepath.Glob(filepath.Join(out, "*", "*")); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("the same folder gives %v, before it gave %v", after, before)
	}
}

// What needs a server is not left out in silence.
func TestAloneProblems(t *testing.T) {
	for object, text := range map[string]string{
		"PeerAuthentication shop/whole": mTLSAlone,
		"PeerAuthentication shop/port": `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: port, namespace: shop}
spec: {selector: {matchLabels: {app: web}}, portLevelMtls: {"80": {mode: STRICT}}}`,
		"AuthorizationPolicy shop/who": `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: who, namespace: shop}
spec: {rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/a]}}]}]}`,
		"AuthorizationPolicy shop/when": `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: when, namespace: shop}
spec: {rules: [{when: [{key: source.namespace, notValues: [shop]}]}]}`,
		"DestinationRule shop/mutual": `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: mutual, namespace: shop}
spec: {host: web.example.com, subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}]}`,
		"Secret shop/cert": gatewayWithKey(t),
		"": `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: whole, namespace: shop}
spec: {mtls: {mode: PERMISSIVE}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: what, namespace: shop}
spec: {action: DENY, rules: [{from: [{source: {ipBlocks: [10.0.0.0/8]}}], to: [{operation: {paths: [/admin]}}]}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: simple, namespace: shop}
spec: {host: web.example.com, trafficPolicy: {tls: {mode: SIMPLE}}}`,
	} {
		t.Run(object, func(t *testing.T) {
			mesh, err := rehearse(t.Context(), withFile(t, text+webService), streetOptions{alone: true}, slog.New(slog.NewTextHandler(t.Output(), nil)))
			if err != nil || len(mesh.problems) != 0 {
				t.Fatalf("%v, %v", err, mesh.problems)
			}
			all := mesh.aloneProblems()
			if object == "" && len(all) == 0 {
				return
			}
			if len(all) != 1 || all[0].Object.String() != object || all[0].Code != model.ProblemNotHonoured {
				t.Errorf("got %v, want one problem of %q", all, object)
			}
		})
	}
}

const mTLSAlone = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: whole, namespace: shop}
spec: {mtls: {mode: STRICT}}`

const webService = `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: web, namespace: shop}
spec: {hosts: [web.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
`

// gatewayWithKey is a gateway and its certificate, whose key must not be where everybody reads.
func gatewayWithKey(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	inYAML := func(kind string, der []byte) string {
		return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  selector: {app: edge}
  servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {mode: SIMPLE, credentialName: cert}}]
---
apiVersion: v1
kind: Secret
metadata: {name: cert, namespace: shop}
type: kubernetes.io/tls
data: {tls.crt: %s, tls.key: %s}
`, inYAML("CERTIFICATE", server.Certificate().Raw), inYAML("PRIVATE KEY", pkcs8))
}

func TestRenderRefusesProblems(t *testing.T) {
	for name, text := range map[string]string{
		"mTLS alone": mTLSAlone,
		"a mistake": `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: shop}
spec: {hosts: cart-api.example.com}`,
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			if code := run(t.Context(), []string{"render", withFile(t, text), out}); code != exitFindings {
				t.Errorf("code %d, want %d", code, exitFindings)
			}
			if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something was written: %v", err)
			}
		})
	}
}

// refusingEnvoy is one that takes no configuration at all.
func refusingEnvoy(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "envoy")
	script := "#!/bin/sh\n[ \"$1\" = --version ] && echo 'envoy version: 0/1.40.9/Clean' && exit 0\necho no such field >&2\nexit 1\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// Nothing is written that Envoy does not take.
func TestRenderAsksEnvoy(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	if code := run(t.Context(), []string{"render", exampleRepository, out, "--envoy", refusingEnvoy(t)}); code != exitError {
		t.Errorf("code %d, want %d", code, exitError)
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}

// Keys of issuers are asked for when a folder is rendered; without them it is not.
func TestRenderAsksForKeys(t *testing.T) {
	const keys = `{"keys":[{"kty":"EC","crv":"P-256","kid":"one","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, keys) }))
	defer issuer.Close()
	dir := withFile(t, fmt.Sprintf(`
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: all, namespace: shop}
spec: {jwtRules: [{issuer: i, jwksUri: %q}]}
`, issuer.URL))
	r, err := rehearse(t.Context(), dir, streetOptions{Options: translate.Options{TrustDomain: "cluster.local"}, alone: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r.fetch(t.Context(), fetchFlags{}, slog.New(slog.DiscardHandler))
	if n := len(r.problems); n == 0 || r.problems[n-1].Code != model.ProblemMissingKeys || !strings.Contains(r.problems[n-1].Message, "--jwks-allow") {
		t.Errorf("at an address that is not allowed: %v", r.problems)
	}
	_, loopback, _ := net.ParseCIDR("127.0.0.0/8")
	r.fetch(t.Context(), fetchFlags{keysAt: []net.IPNet{*loopback}}, slog.New(slog.DiscardHandler))
	if all := r.fetched.keySets.All(); len(all) != 1 || !strings.Contains(all[0].Keys, "one") {
		t.Errorf("key sets: %v", all)
	}
}
