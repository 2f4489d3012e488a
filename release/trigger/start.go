package trigger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// Limits of what the API server stores, bytes.
const (
	maxFact = 4096
	maxID   = 253
	maxWhy  = 1024
	maxName = 41 // of a pipeline within the names of its runs
)

// happening is one thing that may start a run.
type happening struct {
	id      string // the same for the same thing, however it is seen
	facts   map[string]v1alpha1.Value
	by      string // who started the run that this one follows; "": the trigger itself
	parents []string
	body    any // of a delivery
}

// starter makes runs.
type starter struct {
	runs Maker
	eval pipeline.Evaluator
}

// RunName is the name of the run that a trigger starts for one thing. It is the same whenever that is seen.
func RunName(pipeline, trigger, id string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%s", pipeline, trigger, id))
	return strings.TrimRight(fmt.Sprintf("%.*s", maxName, pipeline), "-.") + "-" + hex.EncodeToString(sum[:])[:10]
}

// start makes the run for what happened, or says why there is none. One that was made before is it, too.
func (s starter) start(ctx context.Context, p *v1alpha1.Pipeline, t *v1alpha1.Trigger, h happening) (run, why string, err error) {
	fact := v1alpha1.TriggerFact{Type: Kind(t), ID: cut(h.id, maxID), By: h.by, Facts: map[string]v1alpha1.Value{}}
	fact.By = pipeline.Starter(fact)
	for name, value := range h.facts {
		fact.Facts[name] = v1alpha1.Value(cut(string(value), maxFact))
	}
	parameters, why := s.decide(t, fact, h.body)
	if why != "" {
		return "", why, nil
	}
	o := &v1alpha1.PipelineRun{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: RunName(p.Name, t.Name, h.id)},
		Spec:       v1alpha1.PipelineRunSpec{Pipeline: p.Name, Parameters: parameters, Trigger: fact, Parents: h.parents},
	}
	_, err = s.runs.Create(ctx, o)
	switch {
	case err == nil, apierrors.IsAlreadyExists(err):
		return o.Name, "", nil
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return "", fmt.Sprintf("%s started nothing: the API server refuses its run: %v", fact.ID, err), nil
	}
	return "", "", err
}

// decide gives the parameters of the run, or why there is none.
func (s starter) decide(t *v1alpha1.Trigger, fact v1alpha1.TriggerFact, body any) (map[string]v1alpha1.Value, string) {
	env := environment(fact, body)
	if t.When != "" {
		switch yes, err := s.eval.Bool(t.When, env); {
		case err != nil:
			return nil, fmt.Sprintf("%s started nothing: when: %v", fact.ID, err)
		case !yes:
			return nil, fmt.Sprintf("%s started nothing: %s is false", fact.ID, t.When)
		}
	}
	if len(t.Parameters) == 0 {
		return nil, ""
	}
	all, err := s.eval.Expand(t.Parameters, env)
	if err != nil {
		return nil, fmt.Sprintf("%s started nothing: parameter %v", fact.ID, err)
	}
	return all.(map[string]v1alpha1.Value), ""
}

// environment is what a trigger's expressions see.
func environment(fact v1alpha1.TriggerFact, body any) pipeline.Env {
	facts := map[string]any{}
	for name, value := range fact.Facts {
		facts[name] = string(value)
	}
	return pipeline.Env{
		"trigger": map[string]any{"type": fact.Type, "id": fact.ID, "by": fact.By, "facts": facts},
		"params":  map[string]string{}, "run": map[string]any{}, "stages": map[string]any{}, "vars": map[string]any{},
		"body": body,
	}
}

// Kind is the type of the runs that a trigger starts.
func Kind(t *v1alpha1.Trigger) string {
	switch {
	case t.Cron != nil:
		return "cron"
	case t.Git != nil:
		return "git"
	case t.Image != nil:
		return "image"
	case t.Pipeline != nil:
		return "pipeline"
	}
	return "webhook"
}

// cut is at most n bytes of a text, valid as text.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

func short(why string) string { return strings.ToValidUTF8(cut(why, maxWhy), "") }
