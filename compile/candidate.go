package compile

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"weft.dev/model"
)

// candidate is one match of one rule: the unit that is ordered.
type candidate struct {
	table model.RouteTable
	rule  model.Rule
	match model.Match
}

// entrance is where requests come in.
type entrance struct {
	gateway string // model.Mesh or "namespace/name"
	section string // listener of the gateway
	port    uint32
}

// candidates are the matches that apply at an entrance, in the order in which
// they are tried.
func candidates(tables []model.RouteTable, at entrance) []candidate {
	apply := slices.DeleteFunc(slices.Clone(tables), func(t model.RouteTable) bool { return !tableAppliesAt(t, at) })
	return merged(apply, func(model.RouteTable) entrance { return at })
}

// merged are the matches of tables, each with the entrance at which it applies: those of
// visitors, those that are tried as written, then those of which the most specific wins.
func merged(tables []model.RouteTable, at func(model.RouteTable) entrance) []candidate {
	slices.SortStableFunc(tables, compareTables)
	var visiting, written, specific []candidate
	for _, t := range tables {
		for _, rule := range t.Rules {
			for _, m := range orAll(rule.Matches) {
				switch c := (candidate{table: t, rule: rule, match: m}); {
				case !matchAppliesAt(m, at(t)):
				case t.Visiting:
					visiting = append(visiting, c)
				case t.Order == model.BySpecific:
					specific = append(specific, c)
				default:
					written = append(written, c)
				}
			}
		}
	}
	for _, all := range [][]candidate{visiting, specific} {
		slices.SortStableFunc(all, func(a, b candidate) int { return bySpecificity(a.match, b.match) })
	}
	return slices.Concat(visiting, written, specific)
}

// compareTables is the order in which tables of one host merge.
func compareTables(a, b model.RouteTable) int {
	return cmp.Or(cmp.Compare(a.Rank, b.Rank), a.Object.Compare(b.Object), cmp.Compare(a.Index, b.Index))
}

func orAll(matches []model.Match) []model.Match {
	if len(matches) == 0 {
		return []model.Match{{}}
	}
	return matches
}

func tableAppliesAt(t model.RouteTable, at entrance) bool {
	if !slices.Contains(t.Gateways, at.gateway) {
		return false
	}
	if at.gateway == model.Mesh {
		return t.Port == 0 || t.Port == at.port
	}
	return len(t.Sections) == 0 || slices.Contains(t.Sections, at.section)
}

func matchAppliesAt(m model.Match, at entrance) bool {
	if len(m.Gateways) > 0 && !slices.Contains(m.Gateways, at.gateway) {
		return false
	}
	if at.gateway != model.Mesh && !conditionOf(m).isZero() {
		return false // who calls a gateway is no workload of the mesh
	}
	return m.Port == 0 || m.Port == at.port
}

// bySpecificity is the order of the Gateway API: exact path, longest path,
// method, most headers, most query parameters; equal ones stay as they are.
func bySpecificity(a, b model.Match) int {
	return cmp.Or(
		cmp.Compare(pathRank(b.Path), pathRank(a.Path)),
		cmp.Compare(pathLength(b.Path), pathLength(a.Path)),
		-model.CompareBool(!a.Method.IsZero(), !b.Method.IsZero()),
		cmp.Compare(len(b.Headers), len(a.Headers)),
		cmp.Compare(len(b.Query), len(a.Query)),
	)
}

func pathRank(m model.StringMatch) int {
	switch {
	case m.Exact != "":
		return 2
	case m.Regex != "":
		return 1
	}
	return 0
}

func pathLength(m model.StringMatch) int {
	return len(m.Exact) + len(m.Regex) + len(m.Prefix) + len(strings.TrimRight(m.PathPrefix, "/"))
}

// condition is what a match asks of the caller. A mesh route with a condition
// is delivered only to those of whom it holds.
type condition struct {
	Labels     string // k=v,k=v, sorted
	Namespace  string
	Identities string // SPIFFE ids, one a line, sorted
}

func (c condition) isZero() bool { return c == condition{} }

func conditionOf(m model.Match) condition {
	pairs := make([]string, 0, len(m.SourceLabels))
	for _, k := range slices.Sorted(maps.Keys(m.SourceLabels)) {
		pairs = append(pairs, k+"="+m.SourceLabels[k])
	}
	return condition{
		Labels:     strings.Join(pairs, ","),
		Namespace:  m.SourceNamespace,
		Identities: strings.Join(slices.Sorted(slices.Values(m.CallerIdentities)), "\n"),
	}
}

// holds says whether the workload is such a caller.
func (c condition) holds(trust string, w model.Workload) bool {
	if c.Namespace != "" && c.Namespace != w.Namespace {
		return false
	}
	if c.Identities != "" && !slices.Contains(strings.Split(c.Identities, "\n"), model.SPIFFE(trust, w.Namespace, w.Account())) {
		return false
	}
	if c.Labels == "" {
		return true
	}
	for pair := range strings.SplitSeq(c.Labels, ",") {
		k, v, _ := strings.Cut(pair, "=")
		if got, ok := w.Labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}
