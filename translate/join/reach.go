package join

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"weft.dev/model"
)

// Unreachable finds rules of one table that no request can reach, because rules
// before them take all that they match.
func Unreachable(t model.RouteTable, generation int64) []model.Problem {
	p := &problems{part: Part{Object: t.Object, Generation: generation}}
	for i, rule := range t.Rules {
		for _, before := range t.Rules[:i] {
			if covered(rule, before, t.Order) {
				p.add(model.ProblemUnreachable, rule.Origin.Path, fmt.Sprintf("%s takes every request that this rule matches; change the matches or their order", before.Origin.Path))
				break
			}
		}
	}
	return p.all
}

// covered says whether one earlier rule takes all requests of a rule. Where the
// most specific match comes first, that needs the very same matches.
func covered(rule, before model.Rule, order model.Order) bool {
	if before.Delegate != nil {
		return false // it takes what the rules of another object take
	}
	if len(before.Matches) == 0 {
		return order == model.AsWritten || len(rule.Matches) == 0
	}
	return len(rule.Matches) > 0 && !slices.ContainsFunc(rule.Matches, func(m model.Match) bool {
		return !slices.ContainsFunc(before.Matches, func(b model.Match) bool {
			if order == model.AsWritten {
				return wider(b, m)
			}
			return b.Path == m.Path && reflect.DeepEqual(b, m)
		})
	})
}

// wider says whether b matches whatever m matches. It may miss some pairs.
func wider(b, m model.Match) bool {
	for _, h := range b.Headers {
		if !slices.Contains(m.Headers, h) {
			return false
		}
	}
	for _, q := range b.Query {
		if !slices.Contains(m.Query, q) {
			return false
		}
	}
	for k, v := range b.SourceLabels {
		if m.SourceLabels[k] != v {
			return false
		}
	}
	same := func(b, m model.StringMatch) bool { return b.IsZero() || b == m }
	subset := func(b, m []string) bool { return len(b) == 0 || slices.Equal(b, m) }
	return widerPath(b, m) && same(b.Method, m.Method) && same(b.Scheme, m.Scheme) && same(b.Authority, m.Authority) &&
		(b.Port == 0 || b.Port == m.Port) && (b.SourceNamespace == "" || b.SourceNamespace == m.SourceNamespace) &&
		subset(b.Gateways, m.Gateways) && subset(b.CallerIdentities, m.CallerIdentities)
}

func widerPath(b, m model.Match) bool {
	switch {
	case b.Path.IsZero() || b.Path.Present || b.Path.Prefix == "/":
		return true
	case b.IgnoreCase != m.IgnoreCase:
		return false
	case b.Path.Prefix != "":
		return strings.HasPrefix(m.Path.Exact+m.Path.Prefix, b.Path.Prefix)
	}
	return b.Path == m.Path
}
