package folder

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"
)

// What became of requests at limits is counted, whoever counts, and what policies say that only look; and while the server is away, those that it counts
// let in or refuse as they say, and those of proxies go on.
func TestLimits(t *testing.T) {
	s := emptySite(t)
	if err := os.Mkdir(s.config, 0o755); err != nil {
		t.Fatal(err)
	}
	s.from = []string{"--config", s.config, "--metrics-interval", "1s"}
	s.write("looks.yaml", policiesThatLook) // before there are connections, which do without a new filter until they end
	s.serve()
	s.join()
	s.start(weft, "run", "--app", "rates", "--version", "v3", "--port", "9080:"+port(s.backend("ok")), "--", "sleep", "1000")
	s.says("status --wait 30s --workloads 1", "1 of 1 workloads healthy")
	_, client := s.visitor("visitor")
	s.until("rates answers, and policies are there", func() error { return tally(client, "/arrived", "", 1, map[int]int{403: 1}) })
	s.write("limits.yaml", fourLimits)
	tries := 0
	closed := func() error { // each try has a budget of its own
		tries++
		return tally(client, "/closed", fmt.Sprint("try", tries), 6, map[int]int{200: 4, 429: 2})
	}
	s.until("the limits hold", closed)

	expect := func(path string, n int, want map[int]int) {
		t.Helper()
		if err := tally(client, path, "a", n, want); err != nil {
			t.Fatal(err)
		}
	}
	expect("/local", 6, map[int]int{200: 2, 429: 4})
	expect("/open", 6, map[int]int{200: 3, 429: 3})
	expect("/closed", 6, map[int]int{200: 4, 429: 2})
	expect("/trial", 6, map[int]int{200: 6})
	for limit, n := range map[string]int{`limit="local", outcome="limited"`: 4, `limit="open", outcome="allowed"`: 3, `limit="open", outcome="limited"`: 3,
		`limit="trial", outcome="shadow"`: 5, `limit="trial", outcome="allowed"`: 1} {
		s.equals(`sum(weft_limit_requests_total{namespace="default", ratelimit="rates", target="Service/rates", `+limit+`})`, n)
	}
	s.equals(`weft_limit_budgets >= bool 3`, 1)

	expect("/looked", 6, map[int]int{200: 6})
	for said, n := range map[string]int{`policy="seen", rule="0", verdict="allowed"`: 6, `policy="denies", policy_namespace="default", verdict="refused"`: 6, `policy="allows", verdict="allowed"`: 6} {
		s.equals(`sum(weft_policy_verdicts_total{namespace="default", app="rates", `+said+`})`, n)
	}
	s.equals(`sum(weft_policy_verdicts_total{namespace="default", app="rates", policy="", verdict="refused"}) > bool 20`, 1) // all before

	s.server.kill()
	expect("/open", 6, map[int]int{200: 6})
	expect("/closed", 6, map[int]int{503: 6})
	expect("/local", 6, map[int]int{429: 6})
	s.serve()
	s.until("the server counts again", closed)
}

const fourLimits = `apiVersion: weft.dev/v1alpha1
kind: RateLimit
metadata: {name: rates, namespace: default}
spec:
  targetRefs: [{kind: Service, name: rates}]
  limits:
  - {name: local, requests: 2, per: day, match: {paths: [{prefix: /local}]}, key: [{header: x-key}]}
  - {name: open, requests: 3, per: day, match: {paths: [{prefix: /open}]}, key: [{header: x-key}], scope: global}
  - {name: closed, requests: 4, per: day, match: {paths: [{prefix: /closed}]}, key: [{header: x-key}], scope: global, onFailure: closed}
  - {name: trial, requests: 1, per: day, match: {paths: [{prefix: /trial}]}, key: [{header: x-key}], scope: global, shadow: true}
`

// policiesThatLook see, would deny, and would not allow.
const policiesThatLook = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: seen, namespace: default}
spec: {selector: {matchLabels: {app: rates}}, action: AUDIT, rules: [{to: [{operation: {paths: [/looked]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: denies, namespace: default, annotations: {istio.io/dry-run: "true"}}
spec: {selector: {matchLabels: {app: rates}}, action: DENY, rules: [{to: [{operation: {paths: [/looked]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: allows, namespace: default, annotations: {istio.io/dry-run: "true"}}
spec: {selector: {matchLabels: {app: rates}}, action: ALLOW, rules: [{to: [{operation: {paths: [/looked]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: arrived, namespace: default}
spec: {selector: {matchLabels: {app: rates}}, action: DENY, rules: [{to: [{operation: {paths: [/arrived]}}]}]}
`

// tally calls rates n times, and wants so many of each status.
func tally(client *http.Client, path, key string, n int, want map[int]int) error {
	got := map[int]int{}
	for range n {
		request, err := http.NewRequest(http.MethodGet, "http://rates.default:9080"+path, nil)
		if err != nil {
			return err
		}
		request.Header.Set("x-key", key)
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		response.Body.Close()
		got[response.StatusCode]++
		if after, err := strconv.Atoi(response.Header.Get("Retry-After")); response.StatusCode == http.StatusTooManyRequests && (err != nil || after < 1) {
			return fmt.Errorf("%s: Retry-After is %q", path, response.Header.Get("Retry-After"))
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("%s: %d calls with the key %q were answered with %v, want %v", path, n, key, got, want)
	}
	return nil
}
