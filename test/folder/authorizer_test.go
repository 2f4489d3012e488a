package folder

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var opaBinary = flag.String("opa", "", "an Open Policy Agent with its plugin for Envoy, made of test/opa")

// A real Open Policy Agent, as a service of the mesh, decides about calls by their path and by the identity of who
// calls; what it says goes to the caller, and without it nothing passes.
func TestOpenPolicyAgent(t *testing.T) {
	if *opaBinary == "" {
		t.Skip("without -opa: it takes minutes to compile; `make test-opa` runs this")
	}
	s := emptySite(t)
	if err := os.Mkdir(s.config, 0o755); err != nil {
		t.Fatal(err)
	}
	s.from = []string{"--config", s.config}
	s.serve()
	s.join()
	s.start(weft, "run", "--app", "rates", "--port", "9080:"+port(s.backend("ok")), "--", "sleep", "1000")
	opa := s.opa()
	s.says("status --wait 30s --workloads 2", "2 of 2 workloads healthy")
	_, clerk := s.visitor("clerk")
	_, visitor := s.visitor("visitor")
	s.until("rates answers", func() error { return asked(visitor, "/", http.StatusOK, "ok") })
	s.write("ask.yaml", askOPA)
	s.until("it is asked", func() error { return asked(visitor, "/", http.StatusForbidden, "not for spiffe://") })

	for _, c := range []struct {
		client *http.Client
		path   string
		status int
		said   string // in the body, or in the header that it adds
	}{
		{visitor, "/open", http.StatusOK, "/ns/default/sa/visitor"},
		{clerk, "/open", http.StatusOK, "/ns/default/sa/clerk"},
		{clerk, "/clerks", http.StatusOK, "/ns/default/sa/clerk"},
		{visitor, "/clerks", http.StatusForbidden, "/ns/default/sa/visitor"},
		{clerk, "/clerks/../else", http.StatusForbidden, "not for spiffe://"},
	} {
		if err := asked(c.client, c.path, c.status, c.said); err != nil {
			t.Error(err)
		}
	}
	opa.stop()
	s.until("nothing passes", func() error { return asked(clerk, "/open", http.StatusForbidden, "access denied") })
}

const askOPA = `apiVersion: weft.dev/v1alpha1
kind: ExternalAuthorizer
metadata: {name: opa, namespace: default}
spec: {service: opa, port: 9191, timeout: 5s, statusOnError: 503}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ask, namespace: default}
spec: {selector: {matchLabels: {app: rates}}, action: CUSTOM, provider: {name: opa}, rules: [{}]}
`

// rego lets everybody into /open, and the clerk into /clerks.
const rego = `package mesh

caller := input.attributes.source.principal

default allow := false

allow if input.parsed_path == ["open"]

allow if {
	input.parsed_path[0] == "clerks"
	endswith(caller, "/ns/default/sa/clerk")
}

verdict := {"allowed": true, "response_headers_to_add": {"x-caller": caller}} if allow

verdict := {"allowed": false, "http_status": 403, "body": concat(" ", ["not for", caller])} if not allow
`

// opa runs it as a workload.
func (s *site) opa() *child {
	s.t.Helper()
	policy, at := filepath.Join(s.dir, "mesh.rego"), free(s.t)
	if err := os.WriteFile(policy, []byte(rego), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return s.start(weft, "run", "--app", "opa", "--port", "9191:"+port(at), "--protocol", "grpc", "--", *opaBinary, "run", "--server", "--disable-telemetry",
		"--addr", free(s.t), "--set", "plugins.envoy_ext_authz_grpc.addr="+at, "--set", "plugins.envoy_ext_authz_grpc.path=mesh/verdict", policy)
}

// asked calls rates, as its path stands.
func asked(client *http.Client, path string, status int, said string) error {
	request, err := http.NewRequest(http.MethodGet, "http://rates.default:9080", nil)
	if err != nil {
		return err
	}
	request.URL.Opaque = "http://rates.default:9080" + path
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body := make([]byte, 1<<10)
	n, _ := response.Body.Read(body)
	all := fmt.Sprintf("%s %s", response.Header.Get("x-caller"), body[:n])
	if response.StatusCode != status || !strings.Contains(all, said) {
		return fmt.Errorf("GET %s has %s %q, want %d and %q", path, response.Status, all, status, said)
	}
	return nil
}
