package join

import (
	"fmt"
	"slices"
	"strings"

	"weft.dev/flow"
	"weft.dev/model"
)

func (m *Mesh) wirePolicies() {
	claims := items(m.parts, "policy claims", func(x *flow.Ctx, p Part) []model.Policy {
		all := slices.Clone(Of[model.Policy](p))
		for i := range all {
			all[i].Host = m.host(x, all[i].Host)
		}
		return all
	}, func(p model.Policy) string { return p.Host })
	byHost := flow.NewIndex(claims, func(i item[model.Policy]) []string {
		if strings.HasPrefix(i.Value.Host, "*") { // the services of its namespace
			return []string{i.Value.Host + "|" + i.Object.Namespace}
		}
		return []string{i.Value.Host}
	})
	written := flow.Group(byHost, "written policies", func(x *flow.Ctx, host string, all []item[model.Policy]) *model.Policy {
		host, _, _ = strings.Cut(host, "|")
		namespace := m.namespace(x, host)
		if namespace == "" {
			namespace = oldest(all).Object.Namespace
		}
		all = slices.DeleteFunc(all, func(i item[model.Policy]) bool { return i.Object.Namespace != namespace })
		if len(all) == 0 {
			return nil
		}
		p := merge(all)
		return &p
	})
	m.Policies = m.withResilience(written)
	m.policiesOf = flow.NewIndex(m.Policies, func(p model.Policy) []string { return []string{p.Host} })
	m.wireSplits()
}

// namespace that owns a host; "" if nobody does yet.
func (m *Mesh) namespace(x *flow.Ctx, host string) string {
	if s, ok := flow.Get(x, m.Services, host); ok {
		return s.Namespace
	}
	_, namespace, _ := model.SplitHost(host)
	if strings.HasPrefix(host, "*") {
		return ""
	}
	return namespace
}

// merge is the policy of the oldest with the subsets of all.
func merge(all []item[model.Policy]) model.Policy {
	slices.SortFunc(all, item[model.Policy].older)
	p := all[0].Value
	for _, i := range all[1:] {
		p.From = append(slices.Clone(p.From), i.Value.From...)
		for _, s := range i.Value.Subsets {
			if !hasSubset(p, s.Name) {
				p.Subsets = append(slices.Clone(p.Subsets), s)
			}
		}
	}
	return p
}

func hasSubset(p model.Policy, name string) bool {
	return slices.ContainsFunc(p.Subsets, func(s model.Subset) bool { return s.Name == name })
}

// policies that speak about a host, the one of the host itself first.
func (m *Mesh) policies(x *flow.Ctx, host string) []model.Policy {
	all, namespace := flow.Lookup(x, m.policiesOf, host), m.namespace(x, host)
	speaking := func(pattern string) []model.Policy {
		return model.Speaking(flow.Lookup(x, m.policiesOf, pattern), namespace, func(p model.Policy) model.Key { return p.Object })
	}
	for rest := host; ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			return append(all, speaking("*")...)
		}
		all = append(all, speaking("*."+after)...)
		rest = after
	}
}

func (m *Mesh) checkPolicies(x *flow.Ctx, p *problems) {
	for _, policy := range Of[model.Policy](p.part) {
		host := m.host(x, policy.Host)
		if !strings.HasPrefix(host, "*") && !m.has(x, host) {
			p.add(model.ProblemMissingService, "spec.host", missing(host))
		}
		winners := flow.Lookup(x, m.policiesOf, host)
		if strings.HasPrefix(host, "*") {
			winners = model.Speaking(winners, policy.Object.Namespace, func(p model.Policy) model.Key { return p.Object })
		}
		if len(winners) == 0 {
			p.add(model.ProblemHostConflict, "spec.host", fmt.Sprintf("the host %s belongs to the namespace %s; move the object there", host, m.namespace(x, host)))
			continue
		}
		switch winner := winners[0]; {
		case winner.Object == p.part.Object:
		case winner.Object.Namespace != p.part.Object.Namespace:
			p.add(model.ProblemHostConflict, "spec.host", fmt.Sprintf("the host %s belongs to the namespace %s, whose %s decides; move the object there", host, winner.Object.Namespace, winner.Object))
		default:
			m.checkMerged(p, policy, winner)
		}
		if s, ok := flow.Get(x, m.Services, host); ok && s.Resolution == model.ByWorkload && !s.External &&
			slices.ContainsFunc(policy.AllTraffic(), func(t model.TrafficPolicy) bool { return t.ProxyHeader != 0 }) {
			p.add(model.ProblemNotHonoured, "spec.trafficPolicy.proxyProtocol", fmt.Sprintf("proxies of the mesh stand before %s, and tell who calls by its certificate, so connections begin without such a header; remove it", host))
		}
	}
}

// checkMerged reports what a policy loses to an older one of the same host.
func (m *Mesh) checkMerged(p *problems, policy, winner model.Policy) {
	if policy.Traffic != (model.TrafficPolicy{}) || len(policy.PortLevel) > 0 {
		p.add(model.ProblemConflict, "spec.trafficPolicy", fmt.Sprintf("%s is older and decides for the host; move the settings there", winner.Object))
	}
	for _, s := range policy.Subsets {
		i := slices.IndexFunc(winner.Subsets, func(have model.Subset) bool { return have.Name == s.Name })
		if i >= 0 && winner.Subsets[i].Origin.Key != p.part.Object {
			p.add(model.ProblemConflict, s.Origin.Path, fmt.Sprintf("%s is older and defines the subset %q; rename or remove one of them", winner.Subsets[i].Origin.Key, s.Name))
		}
	}
}

// checkSplits looks at splits.
func (m *Mesh) checkSplits(x *flow.Ctx, p *problems) {
	for _, s := range Of[model.Split](p.part) {
		if !m.has(x, s.Host) {
			p.add(model.ProblemMissingService, "spec.service", missing(s.Host))
		}
		if winner, ok := flow.Get(x, m.Splits, s.Host); ok && winner.From[0].Key != p.part.Object {
			p.add(model.ProblemConflict, "spec.service", fmt.Sprintf("%s is older and decides for the service; remove one of them", winner.From[0].Key))
		}
	}
}
