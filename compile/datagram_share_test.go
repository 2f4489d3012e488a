package compile

import (
	"fmt"
	"math"
	"testing"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"pgregory.net/rapid"

	"weft.dev/model"
)

// TestDatagramShares: of each backend the endpoints have together the part that its weight is of all, what Envoy
// counts does not overflow, and an endpoint of two backends has of both.
func TestDatagramShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, table := newMesh(), model.RouteTable{Object: model.Key{Kind: "UDPRoute", Namespace: "a", Name: "r"}, Hosts: []string{"*"}, Gateways: []string{"a/gw"}, Connections: model.GatewayUDP, Rules: []model.Rule{{}}}
		r := rows{
			Workloads: []model.Workload{{Namespace: "a", Name: "gw", Gateway: "gw", Address: "127.0.0.1"}},
			Gateways: []model.Gateway{{Object: model.Key{Kind: "Gateway", Namespace: "a", Name: "gw"}, Name: "a/gw", Proxy: "gw",
				Listeners: []model.GatewayListener{{Name: "udp", Port: 8053, Protocol: model.GatewayUDP, Hosts: []string{"*"}}}}},
		}
		want, total := map[string]float64{}, 0.0
		for i := range rapid.IntRange(1, 5).Draw(t, "backends") {
			s := model.Service{Namespace: "a", Name: fmt.Sprint("s", i), Resolution: model.Static, Datagrams: []model.Port{{Number: 53, Protocol: model.UDP}}}
			weight := rapid.SampledFrom([]uint32{0, 1, 3, 70, 999_983, 1_000_000}).Draw(t, "weight")
			units := 0.0
			for j := range rapid.IntRange(0, 40).Draw(t, "endpoints") {
				a := model.Address{Host: fmt.Sprintf("10.0.%d.%d", min(i, 3), j), Weight: rapid.SampledFrom([]uint32{0, 1, 7, 128}).Draw(t, "of one")}
				s.Addresses, units = append(s.Addresses, a), units+float64(max(a.Weight, 1))
			}
			for _, a := range s.Addresses {
				want[a.Host] += float64(weight) * float64(max(a.Weight, 1)) / units
			}
			if total += float64(weight); units == 0 {
				want["127.0.0.1"] += float64(weight)
			}
			r.Services = append(r.Services, s)
			table.Rules[0].Backends = append(table.Rules[0].Backends, model.Backend{Host: model.HostOf("a", s.Name), Port: 53, Weight: weight})
		}
		r.RouteTables = []model.RouteTable{table}
		r.fill()
		m.set(r)
		said, err := Message(m.View("a/gw", "").Find(model.TypeEndpoint, DatagramsName(8053)))
		if err != nil {
			t.Fatal(err)
		}
		got, sum := map[string]float64{}, uint64(0)
		for _, ep := range endpointsIn(said.(*endpointv3.ClusterLoadAssignment)) {
			sum += uint64(ep.LoadBalancingWeight.Value)
			got[ep.GetEndpoint().Address.GetSocketAddress().Address] = float64(ep.LoadBalancingWeight.Value)
		}
		if sum > math.MaxUint32 {
			t.Fatalf("all weights are %d, which Envoy refuses", sum)
		}
		for host, weight := range want {
			if total > 0 && math.Abs(got[host]/float64(sum)-weight/total) > 1e-5 {
				t.Errorf("%s has %v of %v, want %v of %v", host, got[host], sum, weight, total)
			}
		}
	})
}

func endpointsIn(cla *endpointv3.ClusterLoadAssignment) (all []*endpointv3.LbEndpoint) {
	for _, group := range cla.Endpoints {
		all = append(all, group.LbEndpoints...)
	}
	return all
}
