package join

import (
	"cmp"
	"fmt"
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/weft"
)

// wireResilience finds what is said of services: by the oldest object that names each.
func (m *Mesh) wireResilience() {
	m.resilience = oldestOf(said(m.parts, "resilience claims", weft.Resilience.Key), "resilience")
	m.Fallbacks = flow.Derive(m.resilience, "fallbacks", func(x *flow.Ctx, r weft.Resilience) []model.Fallback {
		if r.Calls.Fallback == nil {
			return nil
		}
		return []model.Fallback{*m.fallback(x, r.Calls.Fallback)}
	})
	m.Concurrencies = flow.Derive(m.resilience, "concurrencies", func(x *flow.Ctx, r weft.Resilience) []model.Concurrency {
		s, ok := flow.Get(x, m.Services, r.Host)
		if r.Concurrency == nil || !ok || len(s.Selector) == 0 {
			return nil
		}
		c := *r.Concurrency
		c.Namespace, c.Selector = s.Namespace, s.Selector
		return []model.Concurrency{c}
	})
}

// withResilience lets the policies of DestinationRules say what they say, and Resilience what these leave open.
func (m *Mesh) withResilience(written *flow.Collection[model.Policy]) *flow.Collection[model.Policy] {
	m.Limits = flow.Derive(m.resilience, "policies of resilience", func(_ *flow.Ctx, r weft.Resilience) []model.Policy {
		if !limits(r) {
			return nil
		}
		return []model.Policy{{Object: r.From[0].Key, Host: r.Host, Traffic: r.Traffic, From: r.From}}
	})
	filled := flow.Derive(written, "policies with resilience", func(x *flow.Ctx, p model.Policy) []model.Policy {
		r, ok := flow.Get(x, m.resilience, p.Host)
		if !ok || !limits(r) {
			return []model.Policy{p}
		}
		p.Traffic = fill(p.Traffic, r.Traffic)
		ports := map[uint32]model.TrafficPolicy{}
		for port, t := range p.PortLevel {
			ports[port] = fill(t, r.Traffic)
		}
		if len(ports) > 0 {
			p.PortLevel = ports
		}
		p.From = slices.Concat(p.From, r.From)
		return []model.Policy{p}
	})
	byHost := flow.NewIndex(written, func(p model.Policy) []string { return []string{p.Host} })
	alone := flow.Derive(m.Limits, "policies of resilience alone", func(x *flow.Ctx, p model.Policy) []model.Policy {
		if len(flow.Lookup(x, byHost, p.Host)) > 0 {
			return nil
		}
		return []model.Policy{p}
	})
	return flow.Union("policies", filled, alone)
}

func limits(r weft.Resilience) bool { return r.Traffic != model.TrafficPolicy{} }

// fill has a policy say what it does not say itself.
func fill(p, rest model.TrafficPolicy) model.TrafficPolicy {
	if p.Outlier == nil {
		p.Outlier = rest.Outlier
	}
	if p.Budget == nil && p.Pool.MaxRetries == 0 {
		p.Budget = rest.Budget
	}
	p.Pool.MaxConnections = cmp.Or(p.Pool.MaxConnections, rest.Pool.MaxConnections)
	p.Pool.MaxPending = cmp.Or(p.Pool.MaxPending, rest.Pool.MaxPending)
	p.Pool.MaxRequests = cmp.Or(p.Pool.MaxRequests, rest.Pool.MaxRequests)
	p.Pool.MaxPerConnection = cmp.Or(p.Pool.MaxPerConnection, rest.Pool.MaxPerConnection)
	p.Pool.ConnectTimeout = cmp.Or(p.Pool.ConnectTimeout, rest.Pool.ConnectTimeout)
	p.Pool.IdleTimeout = cmp.Or(p.Pool.IdleTimeout, rest.Pool.IdleTimeout)
	p.Pool.MaxAge = cmp.Or(p.Pool.MaxAge, rest.Pool.MaxAge)
	return p
}

// said is what is said of calls to a host, of all of them and of parts, by its Resilience and after that by its
// Application.
func (m *Mesh) said(x *flow.Ctx, host string) (all weft.Calls, parts []weft.PathCalls) {
	app, _ := flow.Get(x, m.apps, host)
	r, _ := flow.Get(x, m.resilience, host)
	all = m.lent(x, r.Calls, app.Calls)
	for _, part := range r.Paths {
		part.Calls = m.lent(x, part.Calls, all)
		parts = append(parts, part)
	}
	return all, parts
}

// lent is what is said, and of what it leaves open the rest.
func (m *Mesh) lent(x *flow.Ctx, c, rest weft.Calls) weft.Calls {
	c.Calls = lend(c.Calls, rest.Calls)
	if c.Fallback == nil {
		c.Fallback = rest.Fallback
	} else {
		c.Fallback = m.fallback(x, c.Fallback)
	}
	return c
}

func lend(c, rest model.Calls) model.Calls {
	if c.Timeout == 0 {
		c.Timeout, c.TimeoutFrom = rest.Timeout, rest.TimeoutFrom
	}
	if c.Retry == nil {
		c.Retry, c.RetryFrom = rest.Retry, rest.RetryFrom
	}
	return c
}

// fallback with the service that is asked instead looked up.
func (m *Mesh) fallback(x *flow.Ctx, f *model.Fallback) *model.Fallback {
	if f.Instead == nil {
		return f
	}
	full, instead := *f, *f.Instead
	s, ok := flow.Get(x, m.Services, instead.Host)
	switch http := slices.DeleteFunc(slices.Clone(s.Ports), func(p model.Port) bool { return !p.Protocol.IsHTTP() }); {
	case !ok:
		instead.Invalid = missing(instead.Host)
	case len(http) == 0:
		instead.Invalid = fmt.Sprintf("the service %s has no port of HTTP; name one of its ports http-%s", s.Name, s.Name)
	default:
		instead.Port = http[0].Number
	}
	app, _ := flow.Get(x, m.apps, instead.Host)
	r, _ := flow.Get(x, m.resilience, instead.Host)
	full.Instead, full.Calls = &instead, lend(r.Calls.Calls, app.Calls.Calls)
	return &full
}

// called is a rule as its requests are made: with what is said of the service to which it leads, once for each
// part of the requests of which more is said, and where all of that is written.
func (m *Mesh) called(x *flow.Ctx, rule model.Rule) (rules []model.Rule, from []model.Origin) {
	if len(rule.Backends) == 0 {
		return []model.Rule{rule}, nil
	}
	var parts []weft.PathCalls
	var all weft.Calls
	if host := rule.Backends[0].Host; !slices.ContainsFunc(rule.Backends, func(b model.Backend) bool { return b.Host != host }) {
		all, parts = m.said(x, host)
	}
	for i, part := range append(parts, weft.PathCalls{Calls: all}) {
		one := rule
		one.Calls = lend(rule.Calls, part.Calls.Calls)
		if i < len(parts) {
			one.Part = fmt.Sprintf("paths[%d]", i)
			one.Matches = narrowed(rule.Matches, part.Within)
			one.Backends = withFallback(rule.Backends, part.Fallback)
		} else {
			one.Backends = m.withFallbacks(x, rule.Backends)
		}
		rules = append(rules, one)
		from = append(from, origins(one.Calls, one.Backends)...)
	}
	return rules, from
}

func narrowed(matches []model.Match, w model.Within) []model.Match {
	all := slices.Clone(matches)
	if len(all) == 0 {
		all = []model.Match{{}}
	}
	for i := range all {
		all[i].Within = w
	}
	return all
}

func withFallback(backends []model.Backend, f *model.Fallback) []model.Backend {
	all := slices.Clone(backends)
	for i := range all {
		all[i].Fallback = f
	}
	return all
}

// withFallbacks gives each backend the fallback of its own service.
func (m *Mesh) withFallbacks(x *flow.Ctx, backends []model.Backend) []model.Backend {
	all := slices.Clone(backends)
	for i := range all {
		if f, ok := flow.Get(x, m.Fallbacks, all[i].Host); ok {
			all[i].Fallback = &f
		}
	}
	return all
}

// origins are where else than in the rule is written how its calls are made.
func origins(c model.Calls, backends []model.Backend) (all []model.Origin) {
	for _, from := range []*model.Origin{c.TimeoutFrom, c.RetryFrom} {
		if from != nil {
			all = append(all, *from)
		}
	}
	for _, b := range backends {
		if b.Fallback != nil {
			all = append(all, b.Fallback.From...)
		}
	}
	return all
}

// defaultTables are the routes of services that nobody routes, and of which somebody says how they are called.
func (m *Mesh) defaultTables(claims *flow.Index[item[hostClaim]]) *flow.Collection[model.RouteTable] {
	spoken := flow.Union("spoken of", flow.Derive(m.apps, "spoken of by applications", func(_ *flow.Ctx, app weft.App) []spokenOf {
		if app.Calls.IsZero() {
			return nil
		}
		return []spokenOf{{app.Host, app.From[0], 0}}
	}), flow.Derive(m.resilience, "spoken of by resilience", func(_ *flow.Ctx, r weft.Resilience) []spokenOf {
		if r.Calls.IsZero() && len(r.Paths) == 0 {
			return nil
		}
		return []spokenOf{{r.Host, r.From[0], r.Index}}
	}))
	byHost := flow.NewIndex(spoken, func(s spokenOf) []string { return []string{s.Host} })
	return flow.Group(byHost, "routes of what is spoken of", func(x *flow.Ctx, host string, by []spokenOf) *model.RouteTable {
		object := by[0].From.Key
		routed := slices.ContainsFunc(flow.Lookup(x, claims, hostClaim{model.Mesh, host}.id()), func(i item[hostClaim]) bool {
			return i.Object.Namespace == object.Namespace
		})
		if routed || !m.has(x, host) {
			return nil
		}
		t := model.RouteTable{Object: object, Index: by[0].Index, Hosts: []string{host}, Gateways: []string{model.Mesh}, From: []model.Origin{by[0].From}}
		rules, from := m.called(x, model.Rule{Name: "application", Backends: []model.Backend{{Host: host, Weight: 1, Origin: by[0].From}}, Origin: by[0].From})
		t.Rules, t.From = rules, distinct(append(t.From, from...))
		return &t
	})
}

// spokenOf is a service of which an object says how it is called. Key: both.
type spokenOf struct {
	Host  string
	From  model.Origin
	Index int // of the service in the object
}

func (s spokenOf) Key() string           { return s.Host + "|" + s.From.Key.String() }
func (s spokenOf) Equal(o spokenOf) bool { return s == o }

// distinct keeps the first of equal ones.
func distinct(all []model.Origin) (kept []model.Origin) {
	for _, o := range all {
		if !slices.Contains(kept, o) {
			kept = append(kept, o)
		}
	}
	return kept
}

// checkResilience reports what an object says in vain.
func (m *Mesh) checkResilience(x *flow.Ctx, p *problems) {
	for _, r := range Of[weft.Resilience](p.part) {
		s, ok := flow.Get(x, m.Services, r.Host)
		if !ok {
			p.add(model.ProblemMissingService, "spec.targetRefs", missing(r.Host))
		}
		if winner, ok := flow.Get(x, m.resilience, r.Host); ok && winner.From[0].Key != p.part.Object {
			p.add(model.ProblemConflict, "spec.targetRefs", fmt.Sprintf("%s is older and decides for the service %s; remove one of them", winner.From[0].Key, s.Name))
		}
		if ok && r.Concurrency != nil && len(s.Selector) == 0 {
			p.add(model.ProblemUnreachable, r.Concurrency.From[0].Path, fmt.Sprintf("no workload of the mesh serves %s, and a limit is where a workload is; remove it", s.Name))
		}
		for _, f := range fallbacksOf(r) {
			if full := m.fallback(x, f); full.Instead != nil && full.Instead.Invalid != "" {
				p.add(model.ProblemMissingService, full.Instead.Origin.Path, full.Instead.Invalid)
			}
		}
	}
}

func fallbacksOf(r weft.Resilience) (all []*model.Fallback) {
	for _, c := range append([]weft.PathCalls{{Calls: r.Calls}}, r.Paths...) {
		if c.Fallback != nil {
			all = append(all, c.Fallback)
		}
	}
	return all
}
