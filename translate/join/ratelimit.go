package join

import (
	"fmt"
	"slices"
	"strings"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/gateway"
)

// wireLimits finds what limits are for. A target that is not there has none.
func (m *Mesh) wireLimits() {
	m.RateLimits = flow.Derive(m.parts, "rate limits", func(x *flow.Ctx, p Part) (all []model.RateLimit) {
		for _, r := range Of[model.RateLimit](p) {
			if m.limited(x, &problems{part: p}, &r) {
				all = append(all, r)
			}
		}
		return all
	})
}

func (m *Mesh) checkLimits(x *flow.Ctx, p *problems) {
	for _, r := range Of[model.RateLimit](p.part) {
		m.limited(x, p, &r)
	}
}

// limited looks the target up; false: there is nothing to limit.
func (m *Mesh) limited(x *flow.Ctx, p *problems, r *model.RateLimit) bool {
	switch api.Kind(r.Target.Kind) {
	case api.Service:
		return m.limitedService(x, p, r)
	case api.Gateway:
		return m.limitedGateway(x, p, r)
	}
	return m.limitedRoute(x, p, r)
}

func (m *Mesh) limitedService(x *flow.Ctx, p *problems, r *model.RateLimit) bool {
	at := r.From[0].Path
	host := model.HostOf(r.Object.Namespace, strings.ToLower(r.Target.Name))
	s, ok := flow.Get(x, m.Services, host)
	switch {
	case !ok:
		p.add(model.ProblemMissingService, at, missing(host))
		return false
	case s.Resolution != model.ByWorkload || len(s.Selector) == 0:
		p.add(model.ProblemNotHonoured, at, "the instances of this service are no workloads of the mesh, so no proxy of theirs can count; name a Gateway, or a route at one")
		return false
	}
	r.Target.Selector = s.Selector
	named := false
	for _, port := range s.Ports {
		if r.Target.Section != "" && r.Target.Section != port.Name {
			continue
		}
		named = true
		if port.Protocol.IsHTTP() {
			r.Target.Ports = append(r.Target.Ports, port)
		}
	}
	switch {
	case !named:
		p.add(model.ProblemMissingPort, at, fmt.Sprintf("the service has no port named %q (has %s)", r.Target.Section, numbers(s.Ports)))
	case len(r.Target.Ports) == 0:
		p.add(model.ProblemNotHonoured, at, "no port of it speaks HTTP, and only requests can be counted")
	}
	return len(r.Target.Ports) > 0
}

func (m *Mesh) limitedGateway(x *flow.Ctx, p *problems, r *model.RateLimit) bool {
	name := r.Object.Namespace + "/" + r.Target.Name
	found := flow.Lookup(x, m.gatewaysOf, name)
	if len(found) == 0 {
		p.add(model.ProblemMissingGateway, r.From[0].Path, fmt.Sprintf("there is no %s; create it, or correct the name", gateway.Called(name)))
		return false
	}
	listeners := found[0].Listeners
	if r.Target.Section != "" && !slices.ContainsFunc(listeners, func(l model.GatewayListener) bool { return l.Name == r.Target.Section }) {
		p.add(model.ProblemMissingGateway, r.From[0].Path, fmt.Sprintf("the %s has no listener %q (has %s)", gateway.Called(name), r.Target.Section, describe(listeners)))
		return false
	}
	return true
}

// limitedRoute: calls between services are counted where they arrive. Who makes them could count as it likes.
func (m *Mesh) limitedRoute(x *flow.Ctx, p *problems, r *model.RateLimit) bool {
	at := r.From[0].Path
	key := model.Key{Kind: r.Target.Kind, Namespace: r.Object.Namespace, Name: r.Target.Name}
	out, ok := flow.Get(x, m.routed, key.String())
	if !ok {
		p.add(model.ProblemMissingService, at, fmt.Sprintf("there is no %s; create it, or correct the name", key))
		return false
	}
	attached := slices.ContainsFunc(out.Parents, attachment.attached)
	if !attached || slices.ContainsFunc(out.Tables, func(t model.RouteTable) bool { return slices.Contains(t.Gateways, model.Mesh) }) {
		p.add(model.ProblemNotHonoured, at, fmt.Sprintf("%s is limited at gateways alone: what is called within the mesh counts where it arrives; name the Service", key))
	}
	if r.Target.Section != "" && !slices.ContainsFunc(out.Tables, func(t model.RouteTable) bool {
		return slices.ContainsFunc(t.Rules, func(rule model.Rule) bool { return rule.Name == r.Target.Section })
	}) {
		p.add(model.ProblemInvalid, at, fmt.Sprintf("%s has no rule named %q", key, r.Target.Section))
		return false
	}
	return attached
}
