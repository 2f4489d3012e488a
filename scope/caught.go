package scope

import (
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// A workload that all traffic of is led into its proxy needs no HTTP to be
// known: its connections must find the service by the address that they go to, or
// the name that they ask for by TLS, and there is nobody to ask while they wait. So it knows such services of its
// own namespace; others it has to declare.

// tunnel is a service that is called by its address alone. Key: host.
type tunnel struct{ Host, Namespace string }

func (t tunnel) Key() string         { return t.Host }
func (t tunnel) Equal(o tunnel) bool { return t == o }

func tunnelsOf(_ *flow.Ctx, s model.Service) []tunnel {
	if len(s.Opaque())+len(s.ByName()) == 0 {
		return nil
	}
	return []tunnel{{s.Host, s.Namespace}}
}

func (s *Scopes) withTunnels(x *flow.Ctx, namespace string, hosts []string) []string {
	all := slices.Clone(hosts)
	for _, t := range flow.Lookup(x, s.tunnels, namespace) {
		all = append(all, t.Host)
	}
	return sorted(all)
}
