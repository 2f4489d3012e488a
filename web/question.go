package web

import (
	"context"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
	"weft.dev/release/stage"
)

// Question is what a stage asks a person.
type Question struct {
	Text    string     `json:"text"`
	Choices []string   `json:"choices"` // the last one stops the stage
	Roles   []string   `json:"roles"`   // groups, one of which they must be in; none: the stage names none
	Self    bool       `json:"self"`    // who started the run may answer
	Ends    *time.Time `json:"ends,omitempty"`
	Not     string     `json:"not,omitempty"` // why who asks for the page may not answer, where that is known
}

// JudgeRequest asks a page's server to write a person's answer.
type JudgeRequest struct {
	Stage   string `json:"stage"`
	Attempt int32  `json:"attempt"`
	Choice  string `json:"choice"`
	Reason  string `json:"reason,omitempty"`
}

// CancelRequest asks for the end of a run.
type CancelRequest struct {
	Reason string `json:"reason,omitempty"`
}

// StartRequest asks for a run.
type StartRequest struct {
	Parameters map[string]v1alpha1.Value `json:"parameters"`
}

// ask adds what the run asks people, and what who reads this may not do.
func (p *RunPage) ask(ctx context.Context, mesh Mesh, o *v1alpha1.PipelineRun, d *v1alpha1.PipelineSpec) {
	if p.Ended == nil {
		p.NotCancel = mesh.NotDecide(ctx, o, d, pipeline.Cancel, "")
	}
	definitions := map[string]*v1alpha1.Stage{}
	for i := range d.Stages {
		definitions[d.Stages[i].Name] = &d.Stages[i]
	}
	for i := range p.Graph {
		if s := &p.Graph[i]; s.Phase == string(pipeline.Asking) && s.Child == "" {
			s.Question = questionOf(s, definitions[s.Name])
			s.Question.Not = mesh.NotDecide(ctx, o, d, pipeline.Judge, s.Name)
		}
	}
}

func questionOf(s *RunStage, d *v1alpha1.Stage) *Question {
	q := &Question{Text: s.Why, Choices: stage.Choices(nil), Roles: []string{}, Self: true}
	if limit := pipeline.Timeout(d); limit > 0 && s.Started != nil {
		ends := s.Started.Add(limit)
		q.Ends = &ends
	}
	if j := d.Judgment; j != nil {
		q.Choices, q.Roles, q.Self = stage.Choices(j.Options), orEmpty(j.Roles), j.AllowSelf
	}
	return q
}
