package compile

import (
	"cmp"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"weft.dev/model"
)

// endpoints is the ClusterLoadAssignment of a destination whose endpoints are
// discovered: the addresses of its service, and workloads, which may be more
// than those of the service.
func endpoints(d destination, addresses []model.Address, replicas []model.Replicas) *endpointv3.ClusterLoadAssignment {
	if d.Service.Resolution == model.Static {
		return d.ranked(fixedEndpoints(d, addresses))
	}
	all := workloadEndpoints(d, replicas)
	fixed := fixedEndpoints(d, addresses)
	for i := range fixed {
		fixed[i].LbEndpoint = marked(fixed[i].LbEndpoint)
	}
	return d.ranked(append(all, fixed...))
}

// marked is an endpoint of the mesh that has no proxy before it.
func marked(ep *endpointv3.LbEndpoint) *endpointv3.LbEndpoint {
	ep.Metadata = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"envoy.transport_socket_match": withoutProxy()}}
	return ep
}

// withoutProxy marks endpoints of the mesh that have no proxy before them.
func withoutProxy() *structpb.Struct {
	return &structpb.Struct{Fields: map[string]*structpb.Value{"proxy": structpb.NewStringValue("none")}}
}

// serves says whether the workload is an instance of the service. A gateway's
// proxy may be one: that of calls that leave the mesh by it.
func serves(s model.Service, w model.Workload) bool {
	return w.Namespace == s.Namespace && len(s.Selector) > 0 && model.Matches(s.Selector, w.Labels)
}

// workloadEndpoints are those of the instances, in the order of their keys. Whether replicas serve
// the destination is found once for all of them: each change of an instance comes by here.
func workloadEndpoints(d destination, replicas []model.Replicas) []located {
	type one struct {
		*model.Instance
		located
	}
	var found []one
	for _, r := range replicas {
		port, ok := servingPort(r.Workload, d.Port)
		if !ok || port.ProxyPort == 0 || !serves(d.Service, r.Workload) || !model.Matches(d.Labels, r.Labels) {
			continue
		}
		locality := ""
		if d.Traffic.Local != nil {
			locality = model.LocalityOf(r.Labels)
		}
		for _, i := range r.Instances {
			ep := endpoint(i.Address, port.ProxyPort)
			ep.HealthStatus = health(i.Health)
			if r.Interception == model.NoProxy || r.Gateway != "" && !d.Edge {
				marked(ep) // the others have no metadata: that would more than double what an endpoint costs every Envoy
			}
			found = append(found, one{i, located{LbEndpoint: ep, locality: locality, labels: r.Labels}})
		}
	}
	slices.SortFunc(found, func(a, b one) int { return cmp.Compare(a.Workload, b.Workload) })
	all := make([]located, len(found))
	for i, f := range found {
		all[i] = f.located
	}
	return all
}

// servingPort is where a workload serves a port. A gateway listens wherever its
// listeners say, which is where boundPort finds it.
func servingPort(w model.Workload, p model.Port) (model.WorkloadPort, bool) {
	number := cmp.Or(p.Target, p.Number)
	if port, ok := w.Serving(p); ok || w.Gateway == "" {
		return port, ok
	}
	return model.WorkloadPort{Number: number, ProxyPort: number}, number >= privilegedPorts || w.Interception == model.Redirected
}

// health of a lost workload is left to the callers' own breakers: the server
// does not know, and guessing wrong would empty a service.
func health(h model.Health) corev3.HealthStatus {
	switch h {
	case model.Unhealthy:
		return corev3.HealthStatus_UNHEALTHY
	case model.Draining:
		return corev3.HealthStatus_DRAINING
	}
	return corev3.HealthStatus_HEALTHY
}

// located is an endpoint, and where it is.
type located struct {
	*endpointv3.LbEndpoint
	locality string
	labels   map[string]string
	rank     int // the lower, the sooner it is called
}

// here are endpoints of which nobody says where they are.
func here(all []*endpointv3.LbEndpoint) []located {
	out := make([]located, len(all))
	for i, ep := range all {
		out[i] = located{LbEndpoint: ep}
	}
	return out
}

func fixedEndpoints(d destination, addresses []model.Address) []located {
	var all []located
	for _, a := range addresses {
		if !model.Matches(d.Labels, a.Labels) || strings.HasPrefix(a.Host, "*") {
			continue
		}
		port := cmp.Or(a.Ports[d.Port.Name], d.Port.Target, d.Port.Number)
		ep := endpoint(a.Host, port)
		if a.Weight > 0 {
			ep.LoadBalancingWeight = u32(a.Weight)
		}
		all = append(all, located{LbEndpoint: ep, locality: a.Locality, labels: a.Labels})
	}
	return all
}

func endpoint(host string, port uint32) *endpointv3.LbEndpoint {
	return &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
		Endpoint: &endpointv3.Endpoint{Address: address(host, port)},
	}}
}

// assignment has the endpoints by rank and place, in the order in which places come first.
func assignment(name string, all []located) *endpointv3.ClusterLoadAssignment {
	type where struct {
		rank     int
		locality string
	}
	cla := &endpointv3.ClusterLoadAssignment{ClusterName: name}
	at := map[where]*endpointv3.LocalityLbEndpoints{}
	for _, ep := range all {
		group := at[where{ep.rank, ep.locality}]
		if group == nil {
			group = &endpointv3.LocalityLbEndpoints{Locality: localityOf(ep.locality), Priority: uint32(ep.rank)}
			at[where{ep.rank, ep.locality}] = group
			cla.Endpoints = append(cla.Endpoints, group)
		}
		group.LbEndpoints = append(group.LbEndpoints, ep.LbEndpoint)
	}
	slices.SortStableFunc(cla.Endpoints, func(a, b *endpointv3.LocalityLbEndpoints) int { return cmp.Compare(a.Priority, b.Priority) })
	return cla
}

func localityOf(text string) *corev3.Locality {
	if text == "" {
		return nil
	}
	parts := model.SplitLocality(text)
	return &corev3.Locality{Region: parts[0], Zone: parts[1], SubZone: parts[2]}
}

// accountsOf are the identities that instances of the service have: those that
// run, and the one that its selector names, so that scaling to zero and back
// changes nothing. It is never empty, because an empty list would trust anybody.
func accountsOf(trust string, s model.Service, replicas []model.Replicas) []string {
	account := s.Selector["app"]
	if account == "" {
		account = s.Name
	}
	all := []string{model.SPIFFE(trust, s.Namespace, account)}
	for _, r := range replicas {
		if w := r.Workload; serves(s, w) && w.Account() != "" && w.Interception != model.NoProxy {
			all = append(all, model.SPIFFE(trust, w.Namespace, w.Account()))
		}
	}
	for _, a := range s.Addresses {
		if a.Account != "" {
			all = append(all, model.SPIFFE(trust, s.Namespace, a.Account))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
