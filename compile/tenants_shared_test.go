package compile_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"

	"weft.dev/api"
	"weft.dev/model"
)

// A Gateway of Istio's that another namespace writes may select the shop's gateways, as everywhere. It adds ports and
// hosts to them, and takes nothing: what they served they serve byte for byte, and no other proxy hears of it.
func TestSharedGateway(t *testing.T) {
	m := holding(append(parse(t, readOne(t, "testdata/tenants/shop.yaml")), certificate(t)))
	before := m.views("shop")
	chains := map[string]*listenerv3.FilterChain{}
	for name, l := range listenersOf(t, m.View("shop/gw-1", "")) {
		for _, c := range l.FilterChains {
			chains[name+" "+c.Name] = c
		}
	}
	r, added := rand.New(rand.NewPCG(1, 0)), 0
	for range 400 {
		all := guests(t, r)
		m.commit(all, nil)
		for key, after := range m.views("shop") {
			if strings.HasPrefix(key, "shop/gw-1 ") {
				m.keeps(t, before[key], after, chains)
				added += strings.Count(after, "\n") - strings.Count(before[key], "\n")
			} else if after != before[key] {
				t.Fatalf("%s is told something else for %v\n%s", key, all, difference(before[key], after))
			}
		}
		m.commit(nil, all)
	}
	if added < 1000 {
		t.Errorf("the guests add little: %d resources", added)
	}
}

// keeps compares what a gateway has of its own.
func (m *tenantMesh) keeps(t *testing.T, before, after string, chains map[string]*listenerv3.FilterChain) {
	t.Helper()
	for line := range strings.Lines(before) {
		if !strings.HasPrefix(line, "Listener ") && !strings.Contains(after, line) {
			t.Fatalf("the gateway lost %s\n%s", line, difference(before, after))
		}
	}
	for line := range strings.Lines(after) {
		if strings.HasPrefix(line, "Secret ") && !strings.HasPrefix(line, "Secret shop/") {
			t.Fatalf("the gateway was given %s", line) // of its own namespace they are whom a guest may have it show
		}
	}
	now := listenersOf(t, m.View("shop/gw-1", ""))
	for key, was := range chains {
		name, chain, _ := strings.Cut(key, " ")
		is := slices.ContainsFunc(now[name].GetFilterChains(), func(c *listenerv3.FilterChain) bool { return c.Name == chain && proto.Equal(c, was) })
		if !is {
			t.Fatalf("what takes connections at %s is another: %v", name, now[name])
		}
	}
}

func listenersOf(t *testing.T, v *model.View) map[string]*listenerv3.Listener {
	t.Helper()
	all := map[string]*listenerv3.Listener{}
	for r := range v.All(model.TypeListener) {
		l := &listenerv3.Listener{}
		if err := proto.Unmarshal(r.Body, l); err != nil {
			t.Fatal(err)
		}
		all[r.Name] = l
	}
	return all
}

// guests are Gateways of another namespace for the shop's proxies, older or younger, and routes for them.
func guests(t *testing.T, r *rand.Rand) (all []api.Object) {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	for i := range 1 + r.IntN(3) {
		tls := pick("", "", fmt.Sprintf(", tls: {mode: SIMPLE, credentialName: %s}", pick("shop-tls", "shop/shop-tls", "none")), ", tls: {mode: PASSTHROUGH}")
		protocol := map[bool]string{true: pick("HTTP", "HTTP", "TCP"), false: pick("HTTPS", "TLS")}[tls == ""]
		hosts := pick("www.example.org", "evil/*", "*", `"*/*.example.org"`, "shop/www.example.org", "guests.example.net", "new.example.com")
		text := fmt.Sprintf(`{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g%d, namespace: evil}, spec: {selector: {gateway: gw}, servers: [{port: {number: %s, name: p, protocol: %s}, hosts: [%s]%s}]}}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: v%d, namespace: evil}, spec: {hosts: [%s], gateways: [g%d, %s], http: [{directResponse: {status: 418}}]}}`,
			i, pick("8080", "8081", "9090"), protocol, quoted(hosts), tls, i, quoted(pick("www.example.org", "*.example.org", "guests.example.net", "new.example.com", "*")), i, pick("shop/gw", "mesh"))
		for _, o := range parse(t, text) {
			if o.Created = time.Unix(int64(2_000_000+i), 0); r.IntN(2) == 0 {
				o.Created = time.Unix(int64(1000+i), 0)
			}
			all = append(all, o)
		}
	}
	return all
}

func quoted(s string) string { return `"` + strings.Trim(s, `"`) + `"` }
