package compile

import (
	"cmp"
	"maps"
	"slices"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"weft.dev/flow"
	"weft.dev/model"
)

// reached says whether a policy is about the workload's proxy.
func (s selectors) reached(r model.Reach, w model.Workload) bool {
	if r.Namespace != "" && r.Namespace != w.Namespace || !model.Matches(r.Selector, labelsOf(w)) {
		return false
	}
	return len(r.Targets) == 0 || slices.ContainsFunc(r.Targets, func(t model.Target) bool { return s.isTarget(t, w) })
}

func (s selectors) isTarget(t model.Target, w model.Workload) bool {
	if t.Service != "" {
		service, ok := s.service(t.Service)
		return ok && w.Gateway == "" && serves(service, w)
	}
	return slices.ContainsFunc(s.gateways, func(g model.Gateway) bool {
		return gatewayOf(g, w) && (t.Gateway != "" && g.Name == t.Gateway || t.Class != "" && g.Class == t.Class)
	})
}

// labelsOf are those by which policies select a workload: a gateway's are those of Istio's, too.
func labelsOf(w model.Workload) map[string]string {
	if w.Gateway == "" {
		return w.Labels
	}
	labels := map[string]string{}
	for _, name := range gatewayLabels {
		labels[name] = w.Gateway
	}
	maps.Copy(labels, w.Labels)
	return labels
}

// guards are what stands between a workload, or a gateway, and its callers.
type guards struct {
	rules    []model.Authorization
	tokens   []model.RequestAuth
	asked    []asked
	nameless bool // callers prove no name by their certificates
}

// without some authorizers: what they would be asked is denied.
func (g guards) without(who func(asked) bool) guards {
	g.asked = slices.DeleteFunc(slices.Clone(g.asked), who)
	g.rules = slices.Clone(g.rules)
	for i := range g.rules {
		rule := &g.rules[i]
		if rule.Action == model.Custom && !slices.ContainsFunc(g.asked, func(a asked) bool { return a.Key() == rule.Provider }) {
			rule.Action = model.Deny
		}
	}
	return g
}

// guards are those of a scope. What an authorizer would be asked who is not there is denied.
func (c *compiler) guards(x *flow.Ctx, s scope) guards {
	g := guards{rules: allFound(x, c.Authorizations, s.Guards), tokens: allFound(x, c.RequestAuths, s.Tokens)}
	for i := range g.rules {
		rule := &g.rules[i]
		if rule.Action != model.Custom {
			continue
		}
		who, ok := flow.Get(x, c.Authorizers, rule.Provider)
		cluster := model.ClusterName(who.Host, who.Port, "")
		if d, there := flow.Get(x, c.destinations, cluster); !ok || !there || !d.Port.Protocol.IsHTTP() || who.HTTP == nil && d.Port.Protocol != model.HTTP2 {
			rule.Action = model.Deny
			continue
		}
		if !slices.ContainsFunc(g.asked, func(a asked) bool { return a.Key() == who.Key() }) {
			g.asked = append(g.asked, asked{who, cluster})
		}
	}
	slices.SortFunc(g.asked, func(a, b asked) int { return cmp.Compare(a.Key(), b.Key()) })
	return g
}

// authorizersOf are the services that a scope's proxies ask, by host.
func (c *compiler) authorizersOf(x *flow.Ctx, s scope) (hosts []string) {
	for _, a := range c.guards(x, s).asked {
		hosts = append(hosts, a.Host)
	}
	return hosts
}

// audited says whether some policy only counts what it matches.
func (g guards) audited() bool {
	return slices.ContainsFunc(g.rules, func(a model.Authorization) bool { return a.Action == model.Audit })
}

// filters are those of a chain, before what routes say. Their rules are in the
// routes, so that a changed policy replaces no listener and drains no connection.
func (g guards) filters() (all []*hcmv3.HttpFilter) {
	if len(g.tokens) > 0 {
		all = append(all, discovered(TokenFilter, tokenConfig))
	}
	for _, a := range g.asked {
		all = append(all, httpFilter(AskFilter+a.name(), requestRules), discovered(AuthorizerFilter+a.name(), askConfig))
	}
	if g.audited() {
		all = append(all, httpFilter(AuditFilter, requestRules))
	}
	return append(all, httpFilter(DenyFilter, requestRules), httpFilter(AllowFilter, allowRules))
}

// extensions are the configurations that filters discover, and what these need.
func (c *compiler) extensions(x *flow.Ctx, g guards) (all []*model.Resource) {
	if len(g.tokens) > 0 {
		if tokens := c.tokens(x, g.tokens); tokens != nil {
			all = append(all, tokens)
			if slices.Contains(tokens.Needs, noKeysName) {
				all = append(all, c.intern.resource(model.TypeCluster, noKeysName, nowhere(noKeysName), nil))
			}
		}
	}
	for _, a := range g.asked {
		all = append(all, a.extension(c))
	}
	return all
}

// selecting are the keys of the policies that are about a workload, sorted by object.
func selecting[P interface{ Key() string }](s selectors, all []P, w model.Workload, reach func(P) model.Reach) (keys []string) {
	for _, p := range all {
		if s.reached(reach(p), w) {
			keys = append(keys, p.Key())
		}
	}
	slices.Sort(keys)
	return keys
}
