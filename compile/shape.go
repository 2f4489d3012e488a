package compile

import (
	"net/netip"
	"slices"
	"strings"

	"weft.dev/flow"
	"weft.dev/model"
)

// shape is a service without what changes often, the addresses of its
// endpoints: all that is compiled but endpoints follows from it. Key: host.
type shape struct {
	model.Service
	Mixed  bool // some instances have no proxy
	AtGate bool // it is a gateway that calls
}

func (s shape) Equal(o shape) bool { return s.Mixed == o.Mixed && s.Service.Equal(o.Service) }

func shapeOf(_ *flow.Ctx, s model.Service) []shape {
	out := shape{Service: s, Mixed: s.Resolution == model.ByWorkload && len(s.Addresses) > 0}
	if s.Resolution != model.ByDNS { // those are in the cluster
		out.Addresses = nil
	}
	return []shape{out}
}

// hasShortName says whether callers of its namespace have a name for the
// service that others do not have.
func (s shape) hasShortName() bool { return len(s.Names(s.Namespace)) > len(s.Names("")) }

// hasNames says whether its shorter names are its own, as those of a service of a
// namespace are. Another may have one of them as its only one.
func (s shape) hasNames() bool { return len(s.Names("")) > 1 }

// facts are what an outline asks of a service that its scope knows. Key: host.
type facts struct {
	Host, Namespace string
	Short           bool        // its virtual hosts differ for callers of its namespace
	TLS             bool        // gateways have a layer of their own for it
	When            []condition // of its routes, each once: its virtual hosts differ for whom they hold
	Needs           []leading   // the services to which its routes lead: those for all callers, then those for whom When holds
}

// leading is where routes of one condition lead.
type leading struct {
	when  condition
	hosts []string // of services, sorted
}

func (l leading) equal(o leading) bool { return l.when == o.when && slices.Equal(l.hosts, o.hosts) }

// needs are the hosts to which a caller's routes lead. Where others' routes lead is nothing that it should hold.
func (f facts) needs(holding []condition) (all []string) {
	for _, l := range f.Needs {
		if l.when.isZero() || slices.Contains(holding, l.when) {
			all = append(all, l.hosts...)
		}
	}
	return all
}

func (f facts) Key() string { return f.Host }
func (f facts) Equal(o facts) bool {
	return f.Host == o.Host && f.Namespace == o.Namespace && f.Short == o.Short && f.TLS == o.TLS &&
		slices.Equal(f.When, o.When) && slices.EqualFunc(f.Needs, o.Needs, leading.equal)
}

// layer has the virtual hosts for a caller of a namespace for whom conditions hold.
func (f facts) layer(namespace string, holding []condition) string {
	return hostLayer(f.Host, f.Short && f.Namespace == namespace, common(f.When, holding))
}

func hostLayer(host string, local bool, holding []condition) string {
	name := "host/" + host
	if local {
		name += "@"
	}
	if len(holding) > 0 {
		name += "#" + digest(holding)
	}
	return name
}

func serviceLayer(host string) string { return "service/" + host }

// common are the conditions of both, in the order of the second.
func common(when, holding []condition) []condition {
	var all []condition
	for _, c := range holding {
		for _, w := range when {
			if c == w {
				all = append(all, c)
			}
		}
	}
	return all
}

// servicesOf are the hosts of clusters, sorted. Clusters that are no service's are not.
func servicesOf(clusters ...string) []string {
	hosts := map[string]struct{}{}
	for _, name := range clusters {
		if host, _, _, ok := model.ParseClusterName(name); ok {
			hosts[host] = struct{}{}
		}
	}
	return model.SortedKeys(hosts)
}

// isShort says whether a domain is a name within one namespace.
func isShort(domain string) bool {
	name, _, _ := strings.Cut(domain, ":")
	return !strings.Contains(name, ".") && !isAddress(domain)
}

// isAddress says whether a domain is an IP, with or without a port.
func isAddress(domain string) bool {
	if _, err := netip.ParseAddrPort(domain); err == nil {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(domain, "[]"))
	return err == nil
}
