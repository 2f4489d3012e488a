package pipeline

import (
	"reflect"
	"slices"
	"strings"

	"weft.dev/api/v1alpha1"
)

// KindOf is the stage's kind, by its JSON name, and that kind's field: the one of a type named after stages that is
// set. A stage without one has "".
func KindOf(s *v1alpha1.Stage) (kind string, config any) {
	all := reflect.ValueOf(s).Elem()
	for i := range all.NumField() {
		field, value := all.Type().Field(i), all.Field(i)
		if value.Kind() == reflect.Pointer && !value.IsNil() && strings.HasSuffix(field.Type.Elem().Name(), "Stage") {
			kind, _, _ = strings.Cut(field.Tag.Get("json"), ",")
			return kind, value.Interface()
		}
	}
	return "", nil
}

// graph is the stages of a pipeline by what they come after.
type graph struct {
	stages map[string]*v1alpha1.Stage
	order  []*v1alpha1.Stage // each after those that it comes after, else as they are written
	loop   []string          // the stages of a cycle, or after one: they are not in order
}

func newGraph(stages []v1alpha1.Stage) graph {
	g := graph{stages: map[string]*v1alpha1.Stage{}}
	for i := range stages {
		g.stages[stages[i].Name] = &stages[i]
	}
	ready := map[string]bool{}
	for before := -1; len(g.order) != before; {
		before = len(g.order)
		for i := range stages {
			s := &stages[i]
			waits := slices.ContainsFunc(s.After, func(name string) bool { return g.stages[name] != nil && !ready[name] })
			if !ready[s.Name] && !waits {
				ready[s.Name] = true
				g.order = append(g.order, s)
			}
		}
	}
	for _, s := range stages {
		if !ready[s.Name] {
			g.loop = append(g.loop, s.Name)
		}
	}
	return g
}

// Ordered are the stages each after those that it comes after, else as they are written; those that wait for
// each other, and so never run, are last.
func Ordered(stages []v1alpha1.Stage) []*v1alpha1.Stage {
	g := newGraph(stages)
	for _, name := range g.loop {
		g.order = append(g.order, g.stages[name])
	}
	return g.order
}

// ancestors are all that the stage comes after, however far.
func (g graph) ancestors(s *v1alpha1.Stage) map[string]bool {
	found := map[string]bool{}
	var visit func(s *v1alpha1.Stage)
	visit = func(s *v1alpha1.Stage) {
		for _, name := range s.After {
			if before := g.stages[name]; before != nil && !found[name] {
				found[name] = true
				visit(before)
			}
		}
	}
	visit(s)
	return found
}
