package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weft.dev/flow"
	"weft.dev/model"
)

// filtersOf are the EnvoyFilters that select a workload, in the order in which they apply.
func (s selectors) filtersOf(w model.Workload) []model.EnvoyFilter {
	var selected []model.EnvoyFilter
	for _, f := range s.filters {
		if s.reached(f.Reach, w) {
			selected = append(selected, f)
		}
	}
	slices.SortStableFunc(selected, func(a, b model.EnvoyFilter) int {
		whole := func(f model.EnvoyFilter) int { return min(len(f.Namespace), 1) } // the mesh's before a namespace's
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(whole(a), whole(b)), cmp.Compare(a.Rank, b.Rank), a.Object.Compare(b.Object))
	})
	return selected
}

// patched are the resources of a layer with the plugins of a scope, and with what EnvoyFilters make of them. A patch that would break a resource, or what guards
// the workload, is left out: it is a problem of its object, and of nothing else.
func (c *compiler) patched(x *flow.Ctx, s scope, resources []*model.Resource) (all []*model.Resource, problems []model.Problem) {
	if !s.changed() {
		return resources, nil
	}
	plugins := allFound(x, c.Plugins, s.Plugins)
	filters, problems := c.good(x, allFound(x, c.EnvoyFilters, s.Patches))
	for _, r := range resources {
		next, more := c.patchedBy(filters, c.plugged(r, plugins), s.Gateway != "")
		all, problems = append(all, next), append(problems, more...)
	}
	return all, problems
}

// patchedBy is a resource of a sidecar, or of a gateway, with what EnvoyFilters make of it.
func (c *compiler) patchedBy(filters []model.EnvoyFilter, r *model.Resource, atGate bool) (_ *model.Resource, problems []model.Problem) {
	at := sideOf(r, atGate)
	if at == model.PatchAnywhere || !slices.ContainsFunc(filters, func(f model.EnvoyFilter) bool { return f.Has(func(p model.Patch) bool { return isOf(p, r.Type) }) }) {
		return r, nil
	}
	m, err := Message(r)
	if err != nil {
		panic("compile: " + err.Error())
	}
	from := slices.Clone(r.From)
	for _, f := range filters {
		changed := false
		for _, p := range f.Patches {
			if !isOf(p, r.Type) {
				continue
			}
			next, err := patching{p, at}.resource(m)
			if err != nil {
				problems = append(problems, model.Problem{Object: f.Object, Code: model.ProblemInvalid, Path: p.Origin.Path,
					Message: fmt.Sprintf("the patch is left out of %s: %v", subject(r), err)})
				continue
			}
			changed, m = changed || next != m, next
		}
		if changed {
			from = append(from, f.Object)
		}
	}
	if len(from) == len(r.From) {
		return r, problems
	}
	return c.intern.share(model.NewResource(model.Resource{Type: r.Type, Name: r.Name, Aliases: r.Aliases, Body: encode(m), Needs: r.Needs, From: from})), problems
}

// good are the EnvoyFilters that no proxy has refused.
func (c *compiler) good(x *flow.Ctx, all []model.EnvoyFilter) (good []model.EnvoyFilter, problems []model.Problem) {
	for _, f := range all {
		if bad, ok := flow.Get(x, c.Spoiled, f.Key()); ok && bad.Content == f.Content() {
			problems = append(problems, model.Problem{Object: f.Object, Code: model.ProblemRefused, Path: "spec.configPatches",
				Message: "all of it is left out until it is changed, as Envoy refused it: " + bad.Reason})
			continue
		}
		good = append(good, f)
	}
	return good, problems
}

// lostPatches are those that are left out of what a scope has.
func (c *compiler) lostPatches(x *flow.Ctx, s scope) []report {
	if len(s.Patches) == 0 {
		return nil
	}
	resources := c.ownResources(x, s)
	if s.transparent() {
		resources = append(resources, c.tunnels(x, s)...)
	}
	_, problems := c.patched(x, s, resources)
	_, more := c.addedClusters(x, s)
	problems = append(problems, more...)
	return reportOf("patches "+s.Key(), sortedOnce(problems))
}

// sortedOnce has each problem once, in their order.
func sortedOnce(problems []model.Problem) []model.Problem {
	slices.SortFunc(problems, func(a, b model.Problem) int { return strings.Compare(a.Key(), b.Key()) })
	return slices.Compact(problems)
}

// subject is what a problem calls a resource. Of what a proxy has many, one says enough.
func subject(r *model.Resource) string {
	switch r.Type {
	case model.TypeCluster:
		return "clusters"
	case model.TypeRoute:
		return "route configurations"
	case model.TypeVirtualHost:
		return "virtual hosts"
	}
	return "listener " + r.Name
}

// sideOf is where a resource is, by its name; that of a tunnel's inside, and what is weft's own, is nowhere.
func sideOf(r *model.Resource, atGate bool) model.PatchAt {
	if r.Type == model.TypeCluster {
		return sideOfCluster(r.Name, atGate)
	}
	switch name := tableOf(r.Name); {
	case withoutTwin(name) == OutboundListener || name == OutboundRoutes:
		return model.PatchOutbound
	case name == InboundListener || strings.HasPrefix(name, "inbound."):
		return model.PatchInbound
	case strings.HasPrefix(name, "gateway."):
		return model.PatchGateway
	}
	return model.PatchAnywhere
}

func sideOfCluster(name string, atGate bool) model.PatchAt {
	_, _, _, called := model.ParseClusterName(name)
	switch {
	case called && atGate:
		return model.PatchGateway
	case called:
		return model.PatchOutbound
	case strings.HasPrefix(name, "inbound.") && name != inboundStrays:
		return model.PatchInbound
	}
	return model.PatchAnywhere
}

// withoutTwin is the name of a listener, or of the one that it stands beside: by UDP, or for an address.
func withoutTwin(listener string) string {
	if strings.HasPrefix(listener, OutboundListener+".") {
		return OutboundListener
	}
	return strings.TrimSuffix(listener, http3Suffix)
}
