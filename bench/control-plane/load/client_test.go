package load

import (
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
)

// requests applies a response with scope → RouteConfiguration and returns what the proxy sends after its ACK.
func requests(t *testing.T, p *proxy, scopes map[string]string, removed ...string) []*discoveryv3.DeltaDiscoveryRequest {
	r := &response{removed: removed}
	for name, rc := range scopes {
		b, err := proto.Marshal(&routev3.ScopedRouteConfiguration{Name: name, RouteConfigurationName: rc})
		if err != nil {
			t.Fatal(err)
		}
		r.resources = append(r.resources, resource{name: name, version: "1", body: b, any: b})
	}
	p.out = nil
	if err := p.apply(srds, r); err != nil {
		t.Fatal(err)
	}
	return decode(t, p.out)[1:]
}

func decode(t *testing.T, out [][]byte) (reqs []*discoveryv3.DeltaDiscoveryRequest) {
	for _, b := range out {
		m := &discoveryv3.DeltaDiscoveryRequest{}
		if err := proto.Unmarshal(b, m); err != nil {
			t.Fatal(err)
		}
		reqs = append(reqs, m)
	}
	return
}

func TestScopesSubscribe(t *testing.T) {
	p := &proxy{node: &corev3.Node{Id: "p"}, fleet: &fleet{initialVersions: true}}
	p.reset()
	p.ask(srds)
	check := func(reqs []*discoveryv3.DeltaDiscoveryRequest, sub, unsub []string) {
		t.Helper()
		if len(sub)+len(unsub) == 0 {
			if len(reqs) != 0 {
				t.Errorf("needless %v", reqs)
			}
			return
		}
		if len(reqs) != 1 || reqs[0].TypeUrl != typeURLs[rds] || !slices.Equal(reqs[0].ResourceNamesSubscribe, sub) || !slices.Equal(reqs[0].ResourceNamesUnsubscribe, unsub) {
			t.Errorf("%v, want +%v -%v", reqs, sub, unsub)
		}
	}
	check(requests(t, p, map[string]string{"s1": "a", "s2": "b", "s3": "b"}), []string{"a", "b"}, nil)
	check(requests(t, p, map[string]string{"s1": "a"}), nil, nil)
	check(requests(t, p, map[string]string{"s1": "c"}), []string{"c"}, []string{"a"})
	check(requests(t, p, map[string]string{"s4": "c"}, "s1"), nil, nil) // moved to another scope
	check(requests(t, p, nil, "s2"), nil, nil)
	check(requests(t, p, nil, "s3"), nil, []string{"b"})

	out, err := p.open() // a new stream presents what is held and wanted
	if err != nil {
		t.Fatal(err)
	}
	reqs := decode(t, out)
	if len(reqs) != 3 || reqs[0].Node == nil || reqs[0].InitialResourceVersions["s4"] != "1" || len(reqs[0].ResourceNamesSubscribe) != 0 ||
		!slices.Equal(reqs[1].ResourceNamesSubscribe, []string{"c"}) || reqs[1].Node != nil || reqs[2].TypeUrl != typeURLs[cds] {
		t.Errorf("%v", reqs)
	}
}
