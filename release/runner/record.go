package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

const (
	// saveEvery is how often evidence and words alone are stored; decisions are stored at once.
	saveEvery = 5 * time.Second
	// maxTail and maxTailBytes of the events in a status: then the oldest are sealed, but for
	// keepTail and keepTailBytes, which a watcher may not have seen.
	maxTail, maxTailBytes   = 64, 48 << 10
	keepTail, keepTailBytes = 16, 12 << 10
	// maxSoft bounds the evidence that is stored, bytes.
	maxSoft = 64 << 10
)

// recall reads the state from the status; none: nothing has happened yet.
func recall(o *v1alpha1.PipelineRun) (s pipeline.State, err error) {
	if o.Status.State == nil {
		return s, nil
	}
	if err := json.Unmarshal(o.Status.State.Raw, &s); err != nil {
		return s, fmt.Errorf("status.state cannot be read (%v): what was begun goes on without this run; start another one", err)
	}
	return s, nil
}

// write gives o the status after a step.
func write(o *v1alpha1.PipelineRun, d *v1alpha1.PipelineSpec, s pipeline.State, step pipeline.Step) error {
	for _, e := range step.Events {
		s = pipeline.Apply(s, e)
		o.Status.Events = append(o.Status.Events, eventOf(e))
	}
	to := &o.Status
	to.Phase, to.Why = cmp.Or(s.Phase, v1alpha1.RunWaiting), step.Why
	to.Stages = table(d, s, step.Whys)
	to.Started = moment(s.Started)
	if pipeline.Final(s.Phase) {
		to.Ended = moment(s.Last)
	}
	var err error
	if to.State, err = raw(s); err != nil {
		return err
	}
	to.Soft, err = raw(step.Soft)
	if len(step.Soft) == 0 || err == nil && len(to.Soft.Raw) > maxSoft {
		to.Soft = nil
	}
	return err
}

func raw(v any) (*runtime.RawExtension, error) {
	data, err := json.Marshal(v)
	return &runtime.RawExtension{Raw: data}, err
}

func eventOf(e pipeline.Event) v1alpha1.RunEvent {
	out := v1alpha1.RunEvent{
		Seq: e.Seq, Time: metav1.NewMicroTime(e.At), Kind: string(e.Kind),
		Stage: e.Stage, Attempt: int32(e.Attempt), Action: e.Action, Text: e.Text,
	}
	if e.Data != nil {
		out.Data = &runtime.RawExtension{Raw: e.Data}
	}
	return out
}

// table is the stages that have started, or are held back, in the order of the pipeline.
func table(d *v1alpha1.PipelineSpec, s pipeline.State, whys map[string]string) (all []v1alpha1.StageStatus) {
	for _, stage := range d.Stages {
		st, known := s.Stages[stage.Name]
		why, told := whys[stage.Name]
		if !known && !told {
			continue
		}
		all = append(all, v1alpha1.StageStatus{
			Name: stage.Name, Phase: string(cmp.Or(st.Phase, pipeline.StagePhase(v1alpha1.RunWaiting))), Attempt: int32(st.Attempt),
			Started: moment(st.Started), Ended: moment(st.Ended), Why: cmp.Or(why, st.Why),
		})
	}
	return all
}

// moment is nil for no time.
func moment(t time.Time) *metav1.MicroTime {
	if t.IsZero() {
		return nil
	}
	m := metav1.NewMicroTime(t)
	return &m
}

// same reports whether the words and the evidence of two statuses are the same, however they are written.
func same(a, b v1alpha1.PipelineRunStatus) bool { return reflect.DeepEqual(soft(a), soft(b)) }

// soft is what changes without an event.
func soft(s v1alpha1.PipelineRunStatus) (v any) {
	data, err := json.Marshal(v1alpha1.PipelineRunStatus{Why: s.Why, Stages: s.Stages, Soft: s.Soft})
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		panic(err) // it is written, or was read, as JSON
	}
	return v
}

// full reports whether events have to be sealed before there are more. It looks at
// what is stored alone, so that every process that seals a chapter seals the same one.
func full(tail []v1alpha1.RunEvent) bool {
	return len(tail) >= maxTail || size(tail) >= maxTailBytes
}

// size of events in storage, bytes.
func size(events []v1alpha1.RunEvent) int {
	data, err := json.Marshal(events)
	if err != nil {
		panic(err) // they were read as JSON
	}
	return len(data)
}

// seal moves the oldest events of o into the next chapter, which is stored here; that
// they are gone from the status, whoever writes it has to store.
func (e *Engine) seal(ctx context.Context, o *v1alpha1.PipelineRun) error {
	tail := o.Status.Events
	first := len(tail) // of those that stay
	for first > 0 && len(tail)-first < keepTail && size(tail[first-1:]) <= keepTailBytes {
		first--
	}
	if first == 0 {
		return nil
	}
	data, err := json.Marshal(tail[:first])
	if err != nil {
		return err
	}
	next := o.Status.Sealed + 1
	if err := e.keep(ctx, o, ChapterName(o.UID, next), useChapter, data); err != nil {
		return err
	}
	o.Status.Sealed, o.Status.Events = next, tail[first:]
	return nil
}
