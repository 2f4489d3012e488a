package compile

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"weft.dev/model"
)

// aloneRows are a caller and what it calls, whose proxies are given no identity.
const aloneRows = `
services:
- {namespace: shop, name: reviews, ports: [{number: 9080, protocol: http}, {number: 7, name: echo, protocol: tcp}]}
- {namespace: shop, name: safe.example.com, host: safe.example.com, external: true, resolution: dns, ports: [{number: 443, protocol: http}]}
workloads:
- {namespace: shop, name: web-1, app: web, address: 127.0.0.1, outbound: %[1]d}
- {namespace: shop, name: reviews-1, app: reviews, address: 127.0.0.1, ports: [{number: 9080, protocol: http, proxyPort: %[2]d, appPort: %[4]d}, {number: 7, protocol: tcp, proxyPort: %[3]d, appPort: %[4]d}]}
policies:
- {object: {kind: DestinationRule, namespace: shop, name: safe}, host: safe.example.com, traffic: {tls: {mode: simple}}}
authorizations:
- {object: {kind: AuthorizationPolicy, namespace: shop, name: r}, namespace: shop, selector: {app: reviews}, action: deny, rules: [{to: [{paths: ["/secret"], ports: ["9080"]}]}]}
`

// Without a server nobody has an identity: proxies speak plain text, and wait for
// no certificate but that of what the machine trusts.
func TestAlone(t *testing.T) {
	outbound := freePort(t)
	application := application(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello ", r.URL.Path) })
	m := newMeshWith(Options{TrustDomain: testTrust, Alone: true})
	m.set(parseRows(t, fmt.Appendf(nil, aloneRows, outbound, freePort(t), freePort(t), application)))
	for _, name := range []string{"web-1", "reviews-1"} {
		v := m.viewOf(t, "shop/"+name)
		for kind := range model.NumTypes {
			for r := range v.All(kind) {
				for _, secret := range []string{model.SecretWorkload, model.SecretRoots} {
					if bytes.Contains(r.Body, append([]byte{0x0a, byte(len(secret))}, secret...)) {
						t.Errorf("%s: %v %s names the certificate %s", name, kind, r.Name, secret)
					}
				}
			}
		}
		runEnvoy(t, staticBootstrapOf(t, v, newTestCA(t).secrets(t, name)[2:]))
	}
	proxy := &url.URL{Scheme: "http", Host: "127.0.0.1:" + strconv.Itoa(outbound)}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
	if status, body := call(t, client, "GET", "http://reviews:9080/x", ""); status != 200 || body != "hello /x" {
		t.Errorf("got %d %q", status, body)
	}
	if status, _ := call(t, client, "GET", "http://reviews:9080/secret", ""); status != 403 {
		t.Errorf("got %d for what is denied to everybody", status)
	}
	if got := tunnel(t, outbound, "reviews:7"); !strings.Contains(got, "hello /tunnel") {
		t.Errorf("CONNECT: %q", got)
	}
}
