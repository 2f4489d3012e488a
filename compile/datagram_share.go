package compile

import (
	"cmp"
	"math"
	"net"
	"slices"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"weft.dev/flow"
	"weft.dev/model"
)

// discardPort of loopback is for what is to be thrown away: nobody listens there, or who listens throws it away.
const discardPort = 9

// pool is what the endpoints of one backend have in common: their part of the clients of a port.
type pool struct {
	weight    uint64
	endpoints []*endpointv3.LbEndpoint
	units     uint64 // of weight, of those endpoints that can be chosen
}

// datagramEndpoints are those of all backends, each with its part of its backends' weights. What cannot be
// reached keeps its share, as the Gateway API asks: those clients' datagrams are discarded.
func (c *compiler) datagramEndpoints(x *flow.Ctx, backends []model.Backend) []*endpointv3.LbEndpoint {
	var pools []pool
	var lost, total uint64
	weights := fit(backends)
	for i, b := range backends {
		p := pool{weight: weights[i], endpoints: c.takersOf(x, b)}
		for _, ep := range p.endpoints {
			p.units += unitsOf(ep)
		}
		if total += p.weight; p.units == 0 {
			lost += p.weight
		}
		if p.weight > 0 {
			pools = append(pools, p)
		}
	}
	scale := scaleOf(pools, total)
	if lost > 0 {
		discard := []*endpointv3.LbEndpoint{endpoint("127.0.0.1", discardPort)}
		pools = append(pools, pool{lost, discard, 1})
	}
	return weighted(pools, scale)
}

// takersOf are the endpoints that take the datagrams of a backend.
func (c *compiler) takersOf(x *flow.Ctx, b model.Backend) []*endpointv3.LbEndpoint {
	s, _ := flow.Get(x, c.Services, b.Host)
	port, ok := s.Datagram(b.Port)
	if b.Invalid != "" || !ok {
		return nil
	}
	var all []*endpointv3.LbEndpoint
	for _, r := range c.candidatesFor(x, s) {
		served, ok := r.ServingDatagrams(port)
		if !ok || !serves(s, r.Workload) {
			continue
		}
		for _, i := range r.Instances {
			ep := endpoint(i.Address, served.ProxyPort)
			ep.HealthStatus = health(i.Health)
			all = append(all, ep)
		}
	}
	for _, fixed := range fixedEndpoints(destination{Port: port}, s.Addresses) {
		all = append(all, fixed.LbEndpoint)
	}
	return all
}

// unitsOf is the weight of an endpoint among those of its backend: 0 for one that is not chosen.
func unitsOf(ep *endpointv3.LbEndpoint) uint64 {
	if ep.HealthStatus == corev3.HealthStatus_UNHEALTHY || ep.HealthStatus == corev3.HealthStatus_DRAINING {
		return 0
	}
	return uint64(cmp.Or(ep.LoadBalancingWeight.GetValue(), 1))
}

// scaleOf is by what to multiply the weights of backends, so that what of them is an endpoint's is a whole number
// and they sum up to no more than Envoy takes; where both cannot be, the second.
func scaleOf(pools []pool, total uint64) uint64 {
	most, scale := max(math.MaxInt32/max(total, 1), 1), uint64(1)
	for _, p := range pools {
		if p.units > most {
			return most
		}
		if p.units > 0 {
			scale = scale / divisor(scale, p.units) * p.units
		}
		if scale > most {
			return most
		}
	}
	return scale
}

// divisor is the greatest that both have.
func divisor(a, b uint64) uint64 {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// weighted are the endpoints of pools, by address. One that several backends have gets its part of each.
// Those that are not chosen stay for the clients that they have.
func weighted(pools []pool, scale uint64) (all []*endpointv3.LbEndpoint) {
	at := map[string]*endpointv3.LbEndpoint{}
	for _, p := range pools {
		for _, ep := range p.endpoints {
			weight := uint64(1)
			if units := unitsOf(ep); units > 0 {
				weight = max(p.weight*scale*units/p.units, 1)
			}
			key := socketOf(ep)
			if have := at[key]; have != nil {
				have.LoadBalancingWeight = u32(have.LoadBalancingWeight.Value + uint32(weight))
				continue
			}
			ep.LoadBalancingWeight = u32(uint32(weight))
			at[key], all = ep, append(all, ep)
		}
	}
	slices.SortFunc(all, func(a, b *endpointv3.LbEndpoint) int {
		return cmp.Compare(socketOf(a), socketOf(b))
	})
	return all
}

// socketOf is the address of an endpoint.
func socketOf(ep *endpointv3.LbEndpoint) string {
	at := ep.GetEndpoint().GetAddress().GetSocketAddress()
	return net.JoinHostPort(at.GetAddress(), strconv.Itoa(int(at.GetPortValue())))
}
