package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"weft.dev/store/serve"
)

const deadline = time.Minute // of anything that a test waits for

// start runs a server in this process until the test ends.
func start(t *testing.T, o serve.Options) *serve.Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Listen = "127.0.0.1:0"
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	ctx, stop := context.WithCancel(context.Background())
	s, err := serve.New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if _, err := os.Stat(s.Kubeconfig()); !os.IsNotExist(err) {
			t.Errorf("the kubeconfig of a stopped server is still there: %v", err)
		}
	})
	select {
	case <-s.Ready():
	case err := <-done:
		t.Fatalf("Run ended before the server was ready: %v", err)
	case <-time.After(deadline):
		t.Fatal("the server is not ready")
	}
	return s
}

const split = `
apiVersion: weft.dev/v1alpha1
kind: TrafficSplit
metadata: {name: reviews}
spec:
  service: reviews
  versions: [{version: v1, weight: 90}, {version: v2, weight: 10}]
`

const route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  hostnames: [shop.example]
  rules: [{backendRefs: [{name: web, port: 8080}]}]
`

const virtualService = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http: [{timeout: 1m, route: [{destination: {host: reviews}}]}]
`

// One server for everything: a first start costs seconds.
func TestServer(t *testing.T) {
	extra := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, groups := serve.Who(r.Context())
		fmt.Fprintf(w, "extra %s for %s of %v", r.URL.Path, name, groups)
	})
	s := start(t, serve.Options{Extra: extra})
	for name, test := range map[string]func(*testing.T, *serve.Server){
		"access": testAccess, "large body": testLargeBody, "one owner": testOneOwner, "names of people": testPersonNames,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
	k := newKubectl(t, s.Kubeconfig())
	for name, test := range map[string]func(*testing.T, kubectl, string){
		"kinds": testKinds, "server-side-apply": testServerSideApply, "edit": testEdit, "watch": testWatch, "refusals": testRefusals,
		"builtins": testBuiltins, "samples": testSamples, "namespace-deletion": testNamespaceDeletion,
		"people": func(t *testing.T, k kubectl, ns string) { testPeople(t, k, ns, s) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k.ok(t, "", "create namespace "+name)
			test(t, k, "-n "+name+" ")
		})
	}
}

func testKinds(t *testing.T, k kubectl, ns string) {
	for kind, text := range map[string]string{"trafficsplit/reviews": split, "httproute/web": route, "virtualservice/reviews": virtualService} {
		k.ok(t, text, ns+"apply -f -", "created")
		version := ns + "get " + kind + " -o jsonpath={.metadata.resourceVersion}"
		before := k.ok(t, "", version)
		k.ok(t, text, ns+"apply -f -") // what it says depends on the kind's defaults
		k.ok(t, strings.Replace(text, "name: ", "labels: {a: b}, name: ", 1), ns+"apply --dry-run=server -f -", "configured (server dry run)")
		if after := k.ok(t, "", version); after != before {
			t.Errorf("%s: applying the same again wrote it", kind)
		}
		k.ok(t, text, ns+"diff -f -")
		_, name, _ := strings.Cut(kind, "/")
		k.ok(t, "", ns+"get "+kind, name)
		k.ok(t, "", ns+"describe "+kind, name)
		k.ok(t, "", ns+"delete "+kind, "deleted")
		k.refused(t, "", ns+"get "+kind, "not found")
	}
	k.ok(t, "", "explain trafficsplit.spec.versions", "Versions with their shares")
	k.ok(t, "", "explain httproute.spec.rules.timeouts", "DESCRIPTION")
	k.ok(t, "", "explain virtualservice.spec.http", "DESCRIPTION")
	k.ok(t, "", "explain service.spec.ports", "DESCRIPTION")
	k.ok(t, "", "get gateway.networking.istio.io -A")
	k.ok(t, "", "get gateway.gateway.networking.k8s.io -A")
	k.ok(t, "", "get weft -A")
	k.ok(t, "", "version", "Server Version: v1.")
}

func testServerSideApply(t *testing.T, k kubectl, ns string) {
	for _, text := range []string{split, route, virtualService, service} {
		k.ok(t, text, ns+"apply --server-side --field-manager=one -f -", "serverside-applied")
	}
	changed := strings.Replace(split, "service: reviews", "service: ratings", 1)
	k.refused(t, changed, ns+"apply --server-side --field-manager=two -f -", "conflict", `"one"`)
	k.ok(t, changed, ns+"apply --server-side --field-manager=two --force-conflicts -f -", "serverside-applied")
	k.ok(t, "", ns+"get trafficsplit/reviews -o jsonpath={.spec.service}", "ratings")
}

func testEdit(t *testing.T, k kubectl, ns string) {
	k.ok(t, "---\n"+`{apiVersion: weft.dev/v1alpha1, kind: Application, metadata: {name: shop}, spec: {strategy: {type: canary}}}`, ns+"apply -f -")
	k.ok(t, "", ns+"edit application/shop", "edited")
	k.ok(t, "", ns+"get application/shop -o jsonpath={.spec.strategy.type}", "blueGreen")
	k.ok(t, "", ns+`patch application/shop --type=merge -p {"spec":{"owner":"web"}}`, "patched")
	k.ok(t, "", ns+`patch application/shop --type=json -p [{"op":"remove","path":"/spec/owner"}]`, "patched")
	k.ok(t, "", ns+"label application/shop team=web", "labeled")
	k.ok(t, "", ns+"get application -l team=web --field-selector metadata.name=shop -o name", "application.weft.dev/shop")
}

func testWatch(t *testing.T, k kubectl, ns string) {
	cmd := k.command(strings.Fields(ns + "get trafficsplit --watch -o name")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killer := time.AfterFunc(deadline, func() { cmd.Process.Kill() })
	defer killer.Stop()
	k.ok(t, split, ns+"apply -f -")
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "trafficsplit.weft.dev/reviews" {
		t.Errorf("the watch printed %q", lines.Text())
	}
	k.ok(t, "", ns+"annotate trafficsplit/reviews note=2")
	if !lines.Scan() {
		t.Error("the watch missed a change")
	}
	cmd.Process.Kill()
	cmd.Wait() //nolint:errcheck // killed
}

func testRefusals(t *testing.T, k kubectl, ns string) {
	for _, c := range []struct{ text, old, new, want string }{
		{split, "weight: 10", "weight: 11", "weights must sum to 100"},
		{split, "weight: 10", "weight: ten", "Invalid value"},
		{split, "service: reviews", "servce: reviews", `unknown field "spec.servce"`},
		{route, "hostnames:", "hostname:", `unknown field "spec.hostname"`},
		{route, "[{backendRefs", "[{timeouts: {request: 1s, backendRequest: 2s}, backendRefs", "backendRequest timeout cannot be longer than request timeout"},
		{virtualService, "timeout: 1m", "timeout: banana", "Invalid value"},
		{virtualService, "hosts:", "hots:", `unknown field "spec.hots"`},
		{service, "port: 9080", "port: 90800", "must be between 1 and 65535"},
		{service, "ports:", "prts:", `unknown field "spec.prts"`},
		{service, "name: reviews", "name: Reviews", "Invalid value"},
	} {
		text := strings.Replace(c.text, c.old, c.new, 1)
		if text == c.text {
			t.Fatalf("%q is not in the text", c.old)
		}
		k.refused(t, text, ns+"apply -f -", c.want)
	}
	k.refused(t, split, "-n nowhere apply -f -", `namespaces "nowhere" not found`)
	k.refused(t, "", "delete namespace default", "may not be deleted")
	long := strings.Replace(virtualService, "route:", "match: [{uri: {regex: '"+strings.Repeat("a", 1<<20)+"'}}], route:", 1)
	k.refused(t, long, ns+"apply --server-side -f -", "limit is 1048576")
}

const service = `
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec:
  ports: [{name: http, port: 9080}]
`

func testBuiltins(t *testing.T, k kubectl, ns string) {
	k.ok(t, service, ns+"apply -f -", "created")
	k.ok(t, service, ns+"apply -f -", "unchanged")
	k.ok(t, "", ns+"get service", "ClusterIP", "9080/TCP")
	k.ok(t, "", ns+"get service/reviews -o jsonpath={.spec.ports[0].targetPort}", "9080")
	k.ok(t, "", ns+"create secret generic s --from-literal=key=value", "created")
	k.ok(t, "", ns+"get secret/s -o jsonpath={.data.key}{.type}", "dmFsdWU=Opaque")
	k.ok(t, "", ns+"get secrets --field-selector type=Opaque -o name", "secret/s")
	k.ok(t, "", ns+"create configmap c --from-literal=key=value", "created")
	k.ok(t, "", ns+"create serviceaccount a", "created")
	k.ok(t, "---\n"+`{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e}, addressType: IPv4, endpoints: [{addresses: [10.0.0.1]}], ports: [{port: 80}]}`,
		ns+"apply --server-side -f -", "serverside-applied")
	k.ok(t, "---\n"+`{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: l}, spec: {holderIdentity: me}}`, ns+"apply -f -", "created")
	k.ok(t, "", ns+"get lease", "me")
	k.ok(t, "", ns+"get events,configmaps,serviceaccounts,endpointslices", "IPv4")
	k.ok(t, `{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`, ns+"patch service/reviews --subresource=status --type=merge --patch-file=/dev/stdin", "patched")
	k.ok(t, "", ns+"get service/reviews -o jsonpath={.metadata.generation}{.status.loadBalancer.ingress[0].ip}", "1192.0.2.1")
}

// samples is where the files are that weft accepts unmodified.
const samples = "../../../shared/samples/bookinfo"

func testSamples(t *testing.T, k kubectl, ns string) {
	for _, folder := range []string{"networking", "gateway-api"} {
		files, err := filepath.Glob(filepath.Join(samples, folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no samples in %s (%v)", folder, err)
		}
		for _, file := range files {
			k.ok(t, "", "apply -f "+file) // as it is: one names a namespace
		}
	}
	files, err := filepath.Glob(filepath.Join(samples, "platform/kube/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples in platform/kube (%v)", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range strings.Split(string(text), "\n---") {
			if strings.Contains(doc, "\nkind: Service\n") || strings.Contains(doc, "\nkind: ServiceAccount\n") {
				k.ok(t, strings.TrimPrefix(doc, "---"), ns+"apply -f -")
			}
		}
	}
	k.ok(t, "", ns+"get services,virtualservices -A", "reviews", "productpage")
}

func testNamespaceDeletion(t *testing.T, k kubectl, ns string) {
	k.ok(t, split+"---"+service+"---"+route, ns+"apply -f -")
	name := strings.Fields(ns)[1]
	k.ok(t, "", "delete namespace "+name+" --timeout=50s", "deleted")
	k.refused(t, "", "get namespace "+name, "not found")
	k.ok(t, "", "create namespace "+name)
	k.ok(t, "", ns+"get trafficsplits,services,httproutes", "No resources found")
}

// Only certificates of the directory's authority open the door, for what the
// caller mounts too.
func testAccess(t *testing.T, s *serve.Server) {
	info, err := os.Stat(s.Kubeconfig())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("kubeconfig: mode %v, %v", info.Mode(), err)
	}
	admin, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	stranger := rest.AnonymousClientConfig(admin)
	stranger.CertData, stranger.KeyData = selfSigned(t)
	nobody := rest.AnonymousClientConfig(admin)
	token := rest.AnonymousClientConfig(admin)
	token.BearerToken = "stolen"

	for path, want := range map[string]string{"/api/v1/namespaces": "NamespaceList", "/weft/topology": "extra /weft/topology", "/version": "gitVersion"} {
		if code, body := get(t, admin, path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s as admin: %d %s", path, code, body)
		}
		for who, config := range map[string]*rest.Config{"a stranger": stranger, "nobody": nobody, "a bad token": token} {
			if code, body := get(t, config, path); code != http.StatusUnauthorized || strings.Contains(body, want) {
				t.Errorf("%s as %s: %d %s", path, who, code, body)
			}
		}
	}
}

// A body larger than any object is refused before it is read.
func testLargeBody(t *testing.T, s *serve.Server) {
	client, err := rest.HTTPClientFor(s.Config())
	if err != nil {
		t.Fatal(err)
	}
	body := io.LimitReader(zeros{}, 100<<20)
	resp, err := client.Post(s.Config().Host+"/api/v1/namespaces/default/configmaps", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %s", resp.Status)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte{' '}, len(p))), nil }

func testOneOwner(t *testing.T, s *serve.Server) {
	_, err := serve.New(context.Background(), serve.Options{Dir: filepath.Dir(s.Kubeconfig()), Listen: "127.0.0.1:0", Log: slog.Default()})
	if err == nil || !strings.Contains(err.Error(), "in use by another weft") {
		t.Errorf("got %v", err)
	}
	_, err = serve.New(context.Background(), serve.Options{Dir: filepath.Join(t.TempDir(), strings.Repeat("d", 100)), Listen: "127.0.0.1:0", Log: slog.Default()})
	if err == nil || !strings.Contains(err.Error(), "use a shorter one") {
		t.Errorf("got %v", err)
	}
}

func get(t *testing.T, config *rest.Config, path string) (int, string) {
	t.Helper()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Get(config.Host + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// selfSigned is a certificate that claims to be an administrator's.
func selfSigned(t *testing.T) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}},
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
}
