package join

import (
	"fmt"
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/istio"
	"weft.dev/translate/object"
)

// delegating are the keys of those to whom rules of a part delegate.
func delegating(p Part) (names []string) {
	for _, t := range Of[model.RouteTable](p) {
		for _, rule := range t.Rules {
			if rule.Delegate != nil && !slices.Contains(names, rule.Delegate.String()) {
				names = append(names, rule.Delegate.String())
			}
		}
	}
	return names
}

// checkDelegates reports rules that nobody uses: where the hosts were forgotten, nothing is routed.
func (m *Mesh) checkDelegates(x *flow.Ctx, p *problems) {
	if len(Of[istio.Delegate](p.part)) > 0 && len(flow.Lookup(x, m.delegating, p.part.Key())) == 0 {
		p.add(model.ProblemInvalid, "spec.hosts", "is empty, and no VirtualService delegates to this one; name the hosts that the rules are for")
	}
}

// delegated are the rules of the table, with those of others in place of the ones that delegate to them.
func (r *resolver) delegated(t model.RouteTable) (rules []model.Rule, lent []model.Origin) {
	matches := 0
	for _, rule := range t.Rules {
		if rule.Delegate == nil {
			rules = append(rules, rule)
			continue
		}
		at := rule.Origin.Path + ".delegate"
		d, ok := r.delegate(t, at, *rule.Delegate)
		if !ok {
			continue
		}
		merged, lost := istio.Merged(rule, d.Rules)
		for _, one := range merged {
			if !arriving(t, &one) {
				lost = append(lost, one)
				continue
			}
			if matches += 1 + len(one.Matches); matches > object.MaxMatches {
				r.add(model.ProblemInvalid, at, fmt.Sprintf("there are more than %d matches with those of %s; its rules from %s on have no effect", object.MaxMatches, d.Object, one.Origin.Path))
				break
			}
			rules = append(rules, one)
		}
		for _, l := range lost {
			r.add(model.ProblemUnreachable, at, fmt.Sprintf("%s of %s matches what this rule does not, so it has no effect; write matches that are within those of this rule", l.Origin.Path, d.Object))
		}
		r.through[d.Object], lent = at, append(lent, d.From...)
	}
	return rules, lent
}

// delegate is whom a rule of the table delegates to; false: nobody, and the rule is left out.
func (r *resolver) delegate(t model.RouteTable, at string, to model.Key) (d istio.Delegate, ok bool) {
	part, _ := flow.Get(r.x, r.parts, to.String())
	all := Of[istio.Delegate](part)
	switch {
	case len(all) == 0:
		r.add(model.ProblemInvalid, at, fmt.Sprintf("there is no %s without hosts that can be used, so the rule is left out; write one, or the rules here", to))
	case all[0].To != nil && !slices.Contains(all[0].To, t.Object.Namespace):
		r.add(model.ProblemNotPermitted, at, fmt.Sprintf("%s is not exported to the namespace %s, so the rule is left out; add it to exportTo there", to, t.Object.Namespace))
	default:
		return all[0], true
	}
	return d, false
}

// arriving narrows the matches of a rule to those that can hold where the table applies; false: there are some, and none can.
func arriving(t model.RouteTable, rule *model.Rule) bool {
	mesh := slices.Contains(t.Gateways, model.Mesh)
	var left []model.Match
	for _, m := range rule.Matches {
		if len(m.Gateways) > 0 {
			m.Gateways = slices.DeleteFunc(slices.Clone(m.Gateways), func(g string) bool { return !slices.Contains(t.Gateways, g) })
			if len(m.Gateways) == 0 {
				continue
			}
		}
		if mesh || len(m.SourceLabels) == 0 && m.SourceNamespace == "" {
			left = append(left, m)
		}
	}
	some := len(rule.Matches) > 0
	rule.Matches = left
	return !some || len(left) > 0
}

// addAt is add for what may be a part of a rule that was delegated to another object.
func (r *resolver) addAt(o model.Origin, field, code, message string) {
	if at := r.through[o.Key]; at != "" {
		r.add(code, at, fmt.Sprintf("%s, %s: %s", o.Key, o.Path+field, message))
		return
	}
	r.add(code, o.Path+field, message)
}
