package trigger

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/artifact"
	"weft.dev/release/pipeline"
	"weft.dev/release/trigger/cron"
)

// Check finds what would keep triggers of a pipeline from starting its runs. None: they can.
func Check(spec *v1alpha1.PipelineSpec, eval pipeline.Evaluator) []v1alpha1.Problem {
	c := &checker{parameters: map[string]v1alpha1.Parameter{}}
	for _, p := range spec.Parameters {
		c.parameters[p.Name] = p
	}
	for i := range spec.Triggers {
		t := &spec.Triggers[i]
		c.path = fmt.Sprintf("spec.triggers[%d]", i)
		c.kind(t)
		c.given(t)
		texts := struct {
			When       string                    `json:"when" expr:"bool"`
			Parameters map[string]v1alpha1.Value `json:"parameters"`
			Facts      map[string]v1alpha1.Value `json:"webhook.facts"`
		}{When: t.When, Parameters: t.Parameters}
		if t.Webhook != nil {
			texts.Facts = t.Webhook.Facts
		}
		wrong := eval.CheckAll(texts)
		for _, field := range slices.Sorted(maps.Keys(wrong)) {
			c.add(field, wrong[field])
		}
	}
	return c.problems
}

type checker struct {
	path       string
	parameters map[string]v1alpha1.Parameter
	problems   []v1alpha1.Problem
}

func (c *checker) add(field string, err error) {
	if err != nil {
		c.problems = append(c.problems, v1alpha1.Problem{Code: "Invalid", Path: strings.TrimSuffix(c.path+"."+field, "."), Message: err.Error()})
	}
}

// given checks the parameters' names, and that what is required is there.
func (c *checker) given(t *v1alpha1.Trigger) {
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		if _, ok := c.parameters[name]; !ok {
			c.add("parameters."+name, fmt.Errorf("the pipeline has no parameter of that name"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.parameters)) {
		if _, ok := t.Parameters[name]; !ok && c.parameters[name].Required {
			c.add("parameters", fmt.Errorf("%s is required, and its runs would not have it: give it here", name))
		}
	}
}

func (c *checker) kind(t *v1alpha1.Trigger) {
	switch {
	case t.Cron != nil:
		_, err := cron.Parse(t.Cron.Schedule, t.Cron.TimeZone)
		c.add("cron", err)
	case t.Git != nil:
		c.git(t.Git)
	case t.Image != nil:
		_, err := artifact.ParseRepository(t.Image.Repository)
		c.add("image.repository", err)
		_, err = artifact.NewMatch(t.Image.Tag, t.Image.Version)
		c.add("image", err)
	case t.Webhook != nil:
		c.add("webhook.secretKey", checkKey(t.Webhook.SecretKey))
	case t.Pipeline == nil:
		c.add("", fmt.Errorf("it has no kind: give it cron, git, image, pipeline or webhook"))
	}
}

func (c *checker) git(t *v1alpha1.GitTrigger) {
	if t.Hook == nil || t.Poll != nil {
		_, err := artifact.ParseGit(t.URL)
		c.add("git.url", err)
	}
	_, err := artifact.Whole(orMain(t.Branch))
	c.add("git.branch", err)
	for i, path := range t.Paths {
		_, err := pathPattern(path)
		c.add(fmt.Sprintf("git.paths[%d]", i), err)
	}
	switch {
	case t.Hook == nil && t.Poll == nil:
		c.add("git", fmt.Errorf("nothing tells it of a push: give it a hook, or poll"))
	case t.Poll != nil && len(t.Paths) > 0:
		c.add("git.paths", fmt.Errorf("polling sees no files: take poll out, and give it a hook"))
	}
	if t.Hook != nil {
		c.add("git.hook.secretKey", checkKey(t.Hook.SecretKey))
	}
}

func checkKey(text string) error {
	if name, key, ok := strings.Cut(text, "/"); !ok || name == "" || key == "" {
		return fmt.Errorf("%q is no key of a Secret: want NAME/KEY", text)
	}
	return nil
}
