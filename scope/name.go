package scope

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"weft.dev/flow"
	"weft.dev/model"
)

// names find services by what people and programs call them. A row has the
// name of a service alone, so that nobody here hears of its ports and addresses.
type names struct {
	services    *flow.Collection[model.Service]
	ofNamespace *flow.Index[model.Service]
	ofSuffix    *flow.Index[model.Service] // by "*.example.com", and all by "*"
	wildcards   *flow.Index[tunnel]        // those whose names are asked for, by namespace
	addressed   *flow.Index[addressed]     // by address
}

// addressed is a service that is called by its addresses, too. Key: its host.
type addressed struct {
	tunnel
	Literals []string
}

func (a addressed) Equal(o addressed) bool {
	return a.tunnel == o.tunnel && slices.Equal(a.Literals, o.Literals)
}

func newNames(services *flow.Collection[model.Service]) names {
	n := names{services: flow.Derive(services, "names of services", func(_ *flow.Ctx, s model.Service) []model.Service {
		return []model.Service{{Host: s.Host, Namespace: s.Namespace, Name: s.Name, External: s.External}}
	})}
	n.ofNamespace = flow.NewIndex(n.services, func(s model.Service) []string { return []string{s.Namespace} })
	n.ofSuffix = flow.NewIndex(n.services, func(s model.Service) []string { return append(wildcards(s.Host), "*") })
	wild := flow.Derive(services, "wildcards", func(_ *flow.Ctx, s model.Service) []tunnel {
		if s.Resolution != model.Dynamic {
			return nil
		}
		return []tunnel{{s.Host, s.Namespace}}
	})
	n.wildcards = flow.NewIndex(wild, func(t tunnel) []string { return []string{t.Namespace} })
	n.addressed = flow.NewIndex(flow.Derive(services, "addresses of services", func(_ *flow.Ctx, s model.Service) []addressed {
		if all := s.Literals(); len(all) > 0 {
			return []addressed{{tunnel{s.Host, s.Namespace}, all}}
		}
		return nil
	}), func(a addressed) []string { return a.Literals })
	return n
}

// wildcards are those that a host fits, the most specific first.
func wildcards(host string) []string {
	var all []string
	for i := range len(host) {
		if host[i] == '.' {
			all = append(all, "*"+host[i:])
		}
	}
	return all
}

// resolve finds the service that a caller of the namespace means by an
// authority, host or host:port. What belongs to the mesh comes before what is
// outside of it, and a full name before a wildcard.
func (n names) resolve(x *flow.Ctx, namespace, authority string) (host string, ok bool) {
	name := hostOf(authority)
	for _, candidate := range candidates(namespace, name) {
		if s, found := flow.Get(x, n.services, candidate); found && slices.Contains(s.Names(namespace), name) {
			return s.Host, true
		}
	}
	if host, ok = n.at(x, namespace, authority); ok {
		return host, true
	}
	for _, wildcard := range wildcards(name) {
		if _, found := flow.Get(x, n.services, wildcard); found {
			return wildcard, true
		}
	}
	return "", false
}

// at finds the service that has an address. Of several that say to have one, each is called by it in its own namespace alone.
func (n names) at(x *flow.Ctx, namespace, authority string) (host string, ok bool) {
	literal := authority
	if at, err := netip.ParseAddrPort(authority); err == nil {
		literal = model.Literal(at.Addr())
	}
	all := flow.Lookup(x, n.addressed, literal)
	for _, a := range all {
		if (len(all) == 1 || a.Namespace == namespace) && (!ok || a.Host < host) {
			host, ok = a.Host, true
		}
	}
	return host, ok
}

// candidates are the hosts that may have a name among their Names.
func candidates(namespace, name string) []string {
	if i := strings.LastIndexByte(strings.TrimSuffix(name, ".svc"), '.'); i > 0 {
		short := name[:i]
		owner := strings.TrimSuffix(name, ".svc")[i+1:]
		return []string{model.HostOf(owner, short), name}
	}
	return []string{model.HostOf(namespace, name), name}
}

// hostOf is an authority without its port.
func hostOf(authority string) string {
	if host, _, err := net.SplitHostPort(authority); err == nil {
		return host
	}
	return authority
}
