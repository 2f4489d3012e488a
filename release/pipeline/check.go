package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"weft.dev/api/v1alpha1"
)

// maxSpec is how long a definition may be, in bytes of JSON.
const maxSpec = 256 << 10

// Codes of problems.
const (
	invalid = "Invalid"
	unknown = "UnknownKind"
)

// Check finds what would stop a run of the pipeline: names, cycles, kinds without
// code, expressions, sizes. None: it can begin.
func Check(d *v1alpha1.PipelineSpec, w With) []v1alpha1.Problem {
	c := &checker{With: w, graph: newGraph(d.Stages)}
	if n := size(d); n > maxSpec {
		c.add("spec", "it has %d bytes, at most %d are kept: refer to what is large", n, maxSpec)
	}
	c.parameters(d.Parameters)
	names := map[string]bool{}
	for i := range d.Stages {
		s, path := &d.Stages[i], fmt.Sprintf("spec.stages[%d]", i)
		if names[s.Name] {
			c.add(path+".name", "%s is the name of two stages: rename one", s.Name)
		}
		names[s.Name] = true
		c.stage(path, s)
	}
	if len(c.loop) > 0 {
		c.add("spec.stages", "these wait for each other, or come after some that do: %s", strings.Join(c.loop, ", "))
	}
	return c.problems
}

type checker struct {
	With
	graph
	problems []v1alpha1.Problem
}

func (c *checker) add(path, format string, args ...any) {
	c.problems = append(c.problems, v1alpha1.Problem{Code: invalid, Path: path, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) parameters(all []v1alpha1.Parameter) {
	names := map[string]bool{}
	for i, p := range all {
		path := fmt.Sprintf("spec.parameters[%d]", i)
		if names[p.Name] {
			c.add(path+".name", "%s is the name of two parameters: rename one", p.Name)
		}
		names[p.Name] = true
		if p.Default != "" && len(p.Options) > 0 && !slices.Contains(p.Options, p.Default) {
			c.add(path+".default", "%q is none of the options %q", p.Default, p.Options)
		}
	}
}

func (c *checker) stage(path string, s *v1alpha1.Stage) {
	kind, config := KindOf(s)
	if _, ok := c.Stages[kind]; !ok {
		c.problems = append(c.problems, v1alpha1.Problem{
			Code: unknown, Path: path, Message: fmt.Sprintf("%s: stages of kind %q cannot run here: take it out, or another kind", s.Name, kind),
		})
	}
	for i, name := range s.After {
		if c.stages[name] == nil {
			c.add(fmt.Sprintf("%s.after[%d]", path, i), "there is no stage %s", name)
		}
	}
	if s.When != "" {
		if err := c.Eval.Check(s.When, Bool); err != nil {
			c.add(path+".when", "%v", err)
		}
	}
	wrong := c.Eval.CheckAll(config)
	for _, field := range slices.Sorted(maps.Keys(wrong)) {
		c.add(path+"."+kind+"."+field, "%v", wrong[field])
	}
	if s.Timeout != nil && s.Timeout.Duration <= 0 {
		c.add(path+".timeout", "%s is no time at all: leave it out for the default", s.Timeout.Duration)
	}
}
