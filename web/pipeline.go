package web

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/trigger"
)

const (
	// mostOfList are the newest runs that a list of pipelines shows of each, and mostOfPage those of a pipeline's page.
	mostOfList, mostOfPage = 5, 50
)

// Pipelines is a list of them: those whose runs wait for a person first, then those that run, then those that failed.
type Pipelines struct {
	Pipelines []Pipeline `json:"pipelines"`
	Total     int        `json:"total"` // that match, of which Pipelines are the first
	All       int        `json:"all"`
}

// Pipeline is one in short, with its newest runs.
type Pipeline struct {
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	Application string `json:"application,omitempty"`
	Description string `json:"description,omitempty"`
	Stages      int    `json:"stages"`
	Disabled    bool   `json:"disabled"`         // nothing but a person starts it
	Locked      string `json:"locked,omitempty"` // why no run of it may start
	Problems    int    `json:"problems"`
	State       State  `json:"state"` // of its runs that go on, or else of the newest
	Runs        []Run  `json:"runs"`  // the newest first
}

// PipelinePage is all of one pipeline.
type PipelinePage struct {
	Pipeline
	Parameters []v1alpha1.Parameter `json:"parameters"`
	Graph      []Stage              `json:"graph"`
	Triggers   []Trigger            `json:"triggers"`
	Found      []Problem            `json:"found"`
	NotStart   string               `json:"notStart,omitempty"` // why who asks may not start a run, where that is known
}

// Trigger is what starts runs by itself, and what becomes of it.
type Trigger struct {
	Name  string     `json:"name"`
	Kind  string     `json:"kind"`
	State string     `json:"state"` // on, or why not
	Next  *time.Time `json:"next,omitempty"`
	Run   string     `json:"run,omitempty"` // the newest that it started
	Why   string     `json:"why,omitempty"` // what is wrong, or what started nothing
}

// PipelineOf is an object in short, without its runs.
func PipelineOf(o *v1alpha1.Pipeline) Pipeline {
	return Pipeline{
		Namespace: o.Namespace, Name: o.Name, Application: o.Spec.Application, Description: o.Spec.Description, Stages: len(o.Spec.Stages),
		Disabled: o.Spec.Disabled, Locked: o.Spec.Locked, Problems: len(o.Status.Problems),
	}
}

// TriggersOf are those of a pipeline, with what the server says of each.
func TriggersOf(o *v1alpha1.Pipeline) []Trigger {
	seen := map[string]v1alpha1.TriggerStatus{}
	for _, s := range o.Status.Triggers {
		seen[s.Name] = s
	}
	all := []Trigger{}
	for i := range o.Spec.Triggers {
		t := &o.Spec.Triggers[i]
		s, known := seen[t.Name]
		state := "on"
		switch {
		case o.Spec.Disabled:
			state = "pipeline disabled"
		case t.Disabled:
			state = "disabled"
		case !known:
			state = "not looked at yet"
		}
		all = append(all, Trigger{Name: t.Name, Kind: trigger.Kind(t), State: state, Next: momentOf(s.Next), Run: s.Run, Why: s.Why})
	}
	return all
}

func pipelines(mesh Mesh, r *http.Request) (any, error) {
	s, err := spanOf(r)
	if err != nil {
		return nil, err
	}
	runs := runsByPipeline(mesh)
	list := Pipelines{Pipelines: []Pipeline{}}
	for _, p := range mesh.Pipelines() {
		list.All++
		if s.has(p.Namespace+"/"+p.Name, p.Application, p.Description) {
			list.Pipelines = append(list.Pipelines, p.with(runs[place{p.Namespace, p.Name}], mostOfList))
		}
	}
	slices.SortStableFunc(list.Pipelines, func(a, b Pipeline) int {
		return cmp.Or(cmp.Compare(urgency[a.State], urgency[b.State]), b.newest().Compare(a.newest()))
	})
	list.Total = len(list.Pipelines)
	list.Pipelines = first(list.Pipelines, s.limit)
	return list, nil
}

// urgency has a question before a failure: it is for whoever looks.
var urgency = map[State]int{Warn: 0, Changing: 1, Bad: 2, OK: 3, Idle: 4}

func pipelinePage(mesh Mesh, r *http.Request) (any, error) {
	o, err := mesh.Pipeline(r.Context(), r.PathValue("namespace"), r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	p := PipelinePage{
		Pipeline:   PipelineOf(o).with(runsByPipeline(mesh)[place{o.Namespace, o.Name}], mostOfPage),
		Parameters: orEmpty(o.Spec.Parameters), Graph: graphOf(&o.Spec), Triggers: TriggersOf(o), Found: []Problem{}, NotStart: mesh.NotStart(r.Context(), o),
	}
	for _, f := range o.Status.Problems {
		p.Found = append(p.Found, Problem{Kind: "Pipeline", Namespace: o.Namespace, Name: o.Name, Code: f.Code, Path: f.Path, Message: f.Message})
	}
	return p, nil
}

// with is the pipeline with its runs, the newest first, of which it shows some.
func (p Pipeline) with(runs []Run, most int) Pipeline {
	p.Runs, p.State = first(runs, most), Idle
	for i, r := range runs {
		if i == 0 || r.Ended == nil && ranks[r.State] < ranks[p.State] {
			p.State = r.State
		}
	}
	return p
}

func (p Pipeline) newest() time.Time {
	if len(p.Runs) == 0 {
		return time.Time{}
	}
	return p.Runs[0].Started
}

func runsByPipeline(mesh Mesh) map[place][]Run {
	all := map[place][]Run{}
	for _, r := range mesh.Runs() {
		of := place{r.Namespace, r.Pipeline}
		all[of] = append(all[of], r)
	}
	for _, runs := range all {
		slices.SortStableFunc(runs, func(a, b Run) int { return b.Started.Compare(a.Started) })
	}
	return all
}
