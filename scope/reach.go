package scope

import (
	"cmp"
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// egress is the one that decides for a workload, as in Istio: one that selects
// it before the default of its namespace before that of the mesh. Of several,
// the oldest.
func (s *Scopes) egress(x *flow.Ctx, w model.Workload) (model.Egress, bool) {
	own := lookup(x, s.egressesOf, w.Namespace)
	selecting := func(e model.Egress) bool { return len(e.Selector) > 0 && model.Matches(e.Selector, w.Labels) }
	all := func(e model.Egress) bool { return len(e.Selector) == 0 }
	if e, ok := oldest(own, selecting); ok {
		return e, true
	}
	if e, ok := oldest(own, all); ok {
		return e, true
	}
	return oldest(lookup(x, s.egressesOf, ""), all)
}

func oldest(all []model.Egress, fits func(model.Egress) bool) (first model.Egress, ok bool) {
	for _, e := range all {
		if fits(e) && (!ok || cmp.Or(cmp.Compare(e.Rank, first.Rank), e.Object.Compare(first.Object)) < 0) {
			first, ok = e, true
		}
	}
	return first, ok
}

// reach is what an Egress means for the workloads of a namespace, found once for
// all of them. Key: reachKey.
type reach struct {
	ID    string
	All   bool
	Hosts []string // sorted
}

func (r reach) Key() string { return r.ID }
func (r reach) Equal(o reach) bool {
	return r.ID == o.ID && r.All == o.All && slices.Equal(r.Hosts, o.Hosts)
}

func reachKey(b bound) string { return b.Egress + "|" + b.Account.Namespace }

func (s *Scopes) wireReaches() {
	users := flow.NewIndex(s.bounds, func(b bound) []string {
		if b.Egress == "" {
			return nil
		}
		return []string{reachKey(b)}
	})
	s.reaches = flow.Group(users, "reaches of egresses", func(x *flow.Ctx, key string, users []bound) *reach {
		r := reach{ID: key}
		e, _ := flow.Get(x, s.in.Egresses, users[0].Egress)
		if len(e.Except) == 0 && slices.ContainsFunc(e.Hosts, everything) {
			r.All = true
			return &r
		}
		for _, p := range e.Hosts {
			p = within(p, users[0])
			for _, host := range s.names.matching(x, p) {
				if !s.excepted(x, e, users[0], host) {
					r.Hosts = append(r.Hosts, host)
				}
			}
		}
		r.Hosts = sorted(r.Hosts)
		return &r
	})
}

func everything(p model.HostPattern) bool { return p.Namespace == "" && p.Host == "*" }

// within replaces the caller's namespace by its name.
func within(p model.HostPattern, b bound) model.HostPattern {
	if p.Namespace == model.CallerNamespace {
		p.Namespace = b.Account.Namespace
	}
	return p
}

// matching are the hosts that a pattern means. One that is written in full is
// among them before its service exists. What is read is as narrow as the
// pattern; only one for every namespace hears of each service that comes or goes.
func (n names) matching(x *flow.Ctx, p model.HostPattern) []string {
	switch {
	case p.Host[0] != '*':
		if s, ok := flow.Get(x, n.services, p.Host); ok && p.Namespace != "" && p.Namespace != s.Namespace {
			return nil
		}
		return []string{p.Host}
	case p.Namespace == "":
		return hostsOf(flow.Lookup(x, n.ofSuffix, p.Host), p)
	}
	return hostsOf(flow.Lookup(x, n.ofNamespace, p.Namespace), p)
}

func hostsOf(all []model.Service, p model.HostPattern) []string {
	var hosts []string
	for _, s := range all {
		if fits(p, s) {
			hosts = append(hosts, s.Host)
		}
	}
	return hosts
}

func fits(p model.HostPattern, s model.Service) bool {
	return (p.Namespace == "" || p.Namespace == s.Namespace) &&
		(p.Host == "*" || p.Host == s.Host || slices.Contains(wildcards(s.Host), p.Host))
}

func (s *Scopes) excepted(x *flow.Ctx, e model.Egress, b bound, host string) bool {
	if len(e.Except) == 0 {
		return false
	}
	service, ok := flow.Get(x, s.names.services, host)
	if !ok {
		service.Host = host
		_, service.Namespace, _ = model.SplitHost(host)
	}
	return slices.ContainsFunc(e.Except, func(p model.HostPattern) bool { return fits(within(p, b), service) })
}
