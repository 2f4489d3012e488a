package compile

import (
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// report is what one derivation found wrong. Several find the same problem: a
// bad backend is one whatever the number of its callers.
type report struct {
	by       string
	Problems []model.Problem
}

func (r report) Key() string         { return r.by }
func (r report) Equal(o report) bool { return slices.Equal(r.Problems, o.Problems) }

func reportOf(by string, all []model.Problem) []report {
	if len(all) == 0 {
		return nil
	}
	return []report{{by: by, Problems: all}}
}

// problems are those of all reports, each once.
func problems(reports ...*flow.Collection[report]) *flow.Collection[model.Problem] {
	all := flow.Union("compile/reports", reports...)
	byProblem := flow.NewIndex(all, func(r report) []string {
		keys := make([]string, len(r.Problems))
		for i, p := range r.Problems {
			keys[i] = p.Key()
		}
		return keys
	})
	return flow.Group(byProblem, "compile/problems", func(_ *flow.Ctx, key string, rows []report) *model.Problem {
		i := slices.IndexFunc(rows[0].Problems, func(p model.Problem) bool { return p.Key() == key })
		return &rows[0].Problems[i]
	})
}
