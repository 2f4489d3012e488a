package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// Run is one run of a pipeline, in short.
type Run struct {
	Namespace string     `json:"namespace"`
	Name      string     `json:"name"`
	Pipeline  string     `json:"pipeline"`
	State     State      `json:"state"`
	Phase     string     `json:"phase"`
	Why       string     `json:"why,omitempty"`
	Asks      []string   `json:"asks"` // stages that wait for a person
	By        string     `json:"by,omitempty"`
	Trigger   string     `json:"trigger"` // what started it: manual, cron, git
	Started   time.Time  `json:"started"`
	Ended     *time.Time `json:"ended,omitempty"`
}

// RunPage is all of one run.
type RunPage struct {
	Run
	UID         string                    `json:"uid"` // by which decisions name it
	Application string                    `json:"application,omitempty"`
	Parameters  map[string]v1alpha1.Value `json:"parameters"`
	Facts       map[string]v1alpha1.Value `json:"facts"`               // of what started it: commit, image
	Parents     []string                  `json:"parents"`             // PIPELINE/RUN that called it, the outermost first
	Graph       []RunStage                `json:"graph"`               // of the pipeline as it was when the run began; none: it is gone
	Events      []RunEvent                `json:"events"`              // the newest first
	Sealed      int32                     `json:"sealed"`              // chapters of older events, which are stored beside it
	NotCancel   string                    `json:"notCancel,omitempty"` // why who asks may not cancel it, where that is known
}

// RunStage is a stage, and how it stands in a run.
type RunStage struct {
	Stage
	State   State             `json:"state"`
	Phase   string            `json:"phase,omitempty"` // "": it has not started
	Attempt int32             `json:"attempt,omitempty"`
	Why     string            `json:"why,omitempty"`
	Started *time.Time        `json:"started,omitempty"`
	Ended   *time.Time        `json:"ended,omitempty"`
	Outputs map[string]string `json:"outputs,omitempty"` // text as it is, other values as JSON
	Child   string            `json:"child,omitempty"`   // the page of what it made: releases/shop/r
	// Question is there while it waits for a person, unless that decides on the page of what it made.
	Question *Question `json:"question,omitempty"`
}

// RunEvent is one thing that happened in a run.
type RunEvent struct {
	Time  time.Time `json:"time"`
	Kind  string    `json:"kind"`
	Stage string    `json:"stage,omitempty"`
	Text  string    `json:"text,omitempty"`
}

// RunOf is an object in short.
func RunOf(o *v1alpha1.PipelineRun) Run {
	r := Run{
		Namespace: o.Namespace, Name: o.Name, Pipeline: o.Spec.Pipeline, Phase: string(cmp.Or(o.Status.Phase, v1alpha1.RunWaiting)),
		State: runState(o.Status.Phase), Why: o.Status.Why, Asks: []string{}, By: o.Spec.Trigger.By, Trigger: cmp.Or(o.Spec.Trigger.Type, pipeline.Manual),
		Started: o.CreationTimestamp.Time, Ended: momentOf(o.Status.Ended),
	}
	for _, s := range o.Status.Stages {
		if s.Phase == string(pipeline.Asking) {
			r.Asks = append(r.Asks, s.Name)
		}
	}
	return r
}

func runState(p v1alpha1.RunPhase) State {
	switch p {
	case v1alpha1.RunSucceeded:
		return OK
	case v1alpha1.RunFailed:
		return Bad
	case v1alpha1.RunAsking:
		return Warn
	case v1alpha1.RunCancelled:
		return Idle
	}
	return Changing
}

func stageState(p pipeline.StagePhase) State {
	switch p {
	case pipeline.Succeeded:
		return OK
	case pipeline.Failed:
		return Bad
	case pipeline.Asking, pipeline.Continued, pipeline.Stopped:
		return Warn
	case pipeline.Running:
		return Changing
	}
	return Idle // skipped, cancelled, or not begun
}

func runPage(mesh Mesh, r *http.Request) (any, error) {
	o, err := mesh.Run(r.Context(), r.PathValue("namespace"), r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	d, err := mesh.Definition(r.Context(), o)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	p := RunPage{
		Run: RunOf(o), UID: string(o.UID), Parameters: orNone(o.Spec.Parameters), Facts: orNone(o.Spec.Trigger.Facts), Parents: orEmpty(o.Spec.Parents),
		Graph: []RunStage{}, Events: []RunEvent{}, Sealed: o.Status.Sealed,
	}
	for _, e := range slices.Backward(o.Status.Events) {
		p.Events = append(p.Events, RunEvent{Time: e.Time.Time, Kind: e.Kind, Stage: e.Stage, Text: e.Text})
	}
	if d != nil {
		p.Application, p.Graph = d.Application, stagesOf(o, d)
		p.ask(r.Context(), mesh, o, d)
	}
	return p, nil
}

// stagesOf are the stages of a run, with what its record says of each.
func stagesOf(o *v1alpha1.PipelineRun, d *v1alpha1.PipelineSpec) []RunStage {
	stands, outputs := map[string]v1alpha1.StageStatus{}, outputsOf(o)
	for _, s := range o.Status.Stages {
		stands[s.Name] = s
	}
	all := []RunStage{}
	for _, s := range graphOf(d) {
		now := stands[s.Name]
		all = append(all, RunStage{
			Stage: s, State: stageState(pipeline.StagePhase(now.Phase)), Phase: now.Phase, Attempt: now.Attempt, Why: now.Why,
			Started: momentOf(now.Started), Ended: momentOf(now.Ended), Outputs: outputs[s.Name], Child: childOf(o, s, now),
		})
	}
	return all
}

// children are the pages of what kinds of stages make.
var children = map[string]string{"release": "releases", "undo": "releases", "pipeline": "runs"}

func childOf(o *v1alpha1.PipelineRun, s Stage, now v1alpha1.StageStatus) string {
	page, makes := children[s.Kind]
	if !makes || now.Attempt == 0 {
		return ""
	}
	made := pipeline.ChildName(pipeline.Run{UID: string(o.UID), Name: o.Name}, s.Name, int(now.Attempt))
	return page + "/" + o.Namespace + "/" + made
}

// outputsOf are the outputs of the stages of a run that have ended, by stage and name.
func outputsOf(o *v1alpha1.PipelineRun) map[string]map[string]string {
	var state pipeline.State
	if o.Status.State == nil || json.Unmarshal(o.Status.State.Raw, &state) != nil {
		return nil // the run itself says so
	}
	all := map[string]map[string]string{}
	for name, s := range state.Stages {
		for output, value := range s.Outputs {
			if all[name] == nil {
				all[name] = map[string]string{}
			}
			all[name][output] = plain(value)
		}
	}
	return all
}

// plain is a text without its quotes, and any other value as it is.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

func momentOf(t *metav1.MicroTime) *time.Time {
	if t == nil {
		return nil
	}
	return &t.Time
}

// orNone makes JSON of an empty map {}, not null.
func orNone[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}
