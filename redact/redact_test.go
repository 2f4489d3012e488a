package redact

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// secrets are planted wherever one has been seen; none may be left.
const secrets = `
kind: Secret
metadata: {name: a, namespace: shop, annotations: {note: "PLANTED-1"}}
data: {tls.key: UExBTlRFRC0y, password: PLANTED-3}
stringData: {a: PLANTED-4}
---
kind: VirtualService
metadata: {name: reviews, namespace: shop, annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"x":"PLANTED-5"}'}}
spec:
  hosts: [reviews]
  http:
  - match: [{headers: {authorization: {exact: Bearer PLANTED-6}, x-key: {exact: PLANTED-7}}, queryParams: {token: {exact: PLANTED-8}}}]
    headers: {request: {set: {cookie: "session=PLANTED-9", x-api-key: PLANTED-10}}}
    route: [{destination: {host: reviews, port: {number: 9080}}}]
  - directResponse: {status: 200, body: {string: PLANTED-11}}
---
kind: HTTPRoute
metadata: {name: reviews, namespace: shop}
spec:
  rules: [{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Authorization, value: "Basic PLANTED-12"}]}}]}]
---
kind: Application
metadata: {name: reviews, namespace: shop}
spec:
  run: {command: [shop, --password, PLANTED-13], env: [{name: TOKEN, value: PLANTED-14}]}
  image: registry.example/reviews:v1
  notify: {webhookURL: "https://hooks.example/PLANTED-15", url: "https://user:PLANTED-16@host/a?token=PLANTED-17"}
---
kind: Pipeline
metadata: {name: ship, namespace: shop}
spec:
  parameters: [{name: key, default: PLANTED-18}]
  stages: [{type: webhook, url: "https://host/x?sig=PLANTED-19", payload: {a: PLANTED-20}}]
`

func TestObjects(t *testing.T) {
	for document := range strings.SplitSeq(secrets, "\n---") {
		var value map[string]any
		if err := yaml.Unmarshal([]byte(document), &value); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(Object(value))
		if err != nil {
			t.Fatal(err)
		}
		for _, planted := range []string{"PLANTED", "UExBTlRFRC0y"} {
			if strings.Contains(string(text), planted) {
				t.Errorf("%s is left in\n%s", planted, text)
			}
		}
		for _, kept := range []string{fmt.Sprint(value["kind"]), `"namespace":"shop"`} {
			if !strings.Contains(string(text), kept) {
				t.Errorf("%s is gone from\n%s", kept, text)
			}
		}
	}
}

func TestText(t *testing.T) {
	for text, left := range map[string]string{
		"dial https://bob:PLANTED@host/a": "https://", `msg="no" authorization="Bearer PLANTED" x=1`: "msg=",
		"GET /a?token=PLANTED 200": "GET /a", "Cookie: a=PLANTED; b=PLANTED": "Cookie", `{"password":"PLANTED","name":"a"}`: `"name"`,
		"-----BEGIN EC PRIVATE KEY-----\nPLANTED\n-----END EC PRIVATE KEY-----\nand": "and",
		"-----BEGIN EC PRIVATE KEY-----\nPLANTED":                                    "", "token weft_0123456789abcdef.PLANTED-x": "token",
		"eyJhbGciOiJFUzI1NiJ9.PLANTED.PLANTED is a token": "is a", "Basic PLANTED=": "Basic", "api_key=PLANTED next": "api_key",
		"asked http://reviews:9080/a?x=PLANTED why": "why", "weft run --password=PLANTED": "weft run", "secretKey: PLANTED": "secretKey",
	} {
		if got := Text(text); strings.Contains(got, "PLANTED") || !strings.Contains(got, left) {
			t.Errorf("%q becomes %q, want %q in it and no secret", text, got, left)
		}
	}
	for _, text := range []string{"a workload registered workload=shop/web-1 app=web", "route shop/reviews/rest 3 attempts", "https://127.0.0.1:7443/weft/v1/status"} {
		if got := Text(text); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}
