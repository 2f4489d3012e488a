package herald

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
	"weft.dev/release/notify"
)

// subject is what there is to tell of one object.
type subject struct {
	meta    metav1.Object
	message notify.Message // State "": nothing yet
	who     []v1alpha1.Notification
	final   bool
	ended   time.Time // of a final one
}

func keyOf(o any) loop.Key {
	meta := o.(metav1.Object)
	return loop.Key{Namespace: meta.GetNamespace(), Name: meta.GetName()}
}

type runs struct{ pipelines Getter[v1alpha1.Pipeline] }

var runMoments = map[v1alpha1.RunPhase]v1alpha1.Moment{
	v1alpha1.RunRunning: v1alpha1.MomentStarted, v1alpha1.RunAsking: v1alpha1.MomentAsking, v1alpha1.RunSucceeded: v1alpha1.MomentSucceeded,
	v1alpha1.RunFailed: v1alpha1.MomentFailed, v1alpha1.RunCancelled: v1alpha1.MomentFailed,
}

func (r runs) subject(ctx context.Context, o *v1alpha1.PipelineRun) (subject, error) {
	moment := runMoments[o.Status.Phase]
	if moment == "" {
		return subject{meta: o}, nil
	}
	p, err := r.pipelines.Get(ctx, o.Namespace, o.Spec.Pipeline)
	if apierrors.IsNotFound(err) {
		return subject{meta: o, final: true}, nil // nobody says who is told
	}
	if err != nil {
		return subject{}, err
	}
	s := subject{meta: o, who: p.Spec.Notify, message: notify.Message{
		About: string(o.UID), State: string(moment), Occasion: string(o.Status.Phase), Text: o.Status.Why,
		Title: fmt.Sprintf("%s: %s", o.Name, runSays(o)),
	}}
	for _, stage := range o.Status.Stages {
		s.message.Lines = append(s.message.Lines, stageLine(stage))
		if stage.Phase == string(v1alpha1.RunAsking) {
			s.message.Occasion += "/" + fmt.Sprintf("%s/%d", stage.Name, stage.Attempt)
			s.message.Choose = append(s.message.Choose, choices(o, p, stage)...)
		}
	}
	if o.Status.Ended != nil {
		s.final, s.ended = true, o.Status.Ended.Time
	}
	return s, nil
}

func runSays(o *v1alpha1.PipelineRun) string {
	text := map[v1alpha1.RunPhase]string{
		v1alpha1.RunRunning: "runs", v1alpha1.RunAsking: "asks a person", v1alpha1.RunSucceeded: "succeeded",
		v1alpha1.RunFailed: "failed", v1alpha1.RunCancelled: "was cancelled",
	}[o.Status.Phase]
	if by := o.Spec.Trigger.By; by != "" {
		text += ", started by " + by
	}
	return text
}

func stageLine(s v1alpha1.StageStatus) string {
	line := s.Name + ": " + s.Phase
	if s.Why != "" {
		line += ", " + s.Why
	}
	return line
}

// Answer is what a button of a message means: a judgment of a run's stage.
type Answer struct {
	Namespace string `json:"namespace"`
	Run       string `json:"run"`
	UID       string `json:"uid"`
	Stage     string `json:"stage"`
	Attempt   int32  `json:"attempt"`
	Choice    string `json:"choice"`
}

// choices are those of a judgment.
func choices(o *v1alpha1.PipelineRun, p *v1alpha1.Pipeline, asking v1alpha1.StageStatus) (all []notify.Choice) {
	for _, stage := range p.Spec.Stages {
		if stage.Name != asking.Name || stage.Judgment == nil {
			continue
		}
		options := stage.Judgment.Options
		if len(options) == 0 {
			options = []string{"continue"}
		}
		for _, option := range append(options[:len(options):len(options)], "stop") {
			value, err := json.Marshal(Answer{o.Namespace, o.Name, string(o.UID), asking.Name, asking.Attempt, option})
			if err != nil {
				panic("herald: " + err.Error())
			}
			all = append(all, notify.Choice{Label: asking.Name + ": " + option, Value: string(value), Stop: option == "stop"})
		}
	}
	return all
}

type releases struct{ applications Getter[v1alpha1.Application] }

var releaseMoments = map[v1alpha1.ReleasePhase]v1alpha1.Moment{
	v1alpha1.ReleaseProgressing: v1alpha1.MomentStarted, v1alpha1.ReleaseRollingBack: v1alpha1.MomentStarted,
	v1alpha1.ReleaseInconclusive: v1alpha1.MomentAsking, v1alpha1.ReleaseSucceeded: v1alpha1.MomentSucceeded,
	v1alpha1.ReleaseRolledBack: v1alpha1.MomentFailed, v1alpha1.ReleaseFailed: v1alpha1.MomentFailed,
}

var releaseSays = map[v1alpha1.ReleasePhase]string{
	v1alpha1.ReleaseProgressing: "is being released", v1alpha1.ReleaseRollingBack: "goes back", v1alpha1.ReleaseInconclusive: "needs a person",
	v1alpha1.ReleaseSucceeded: "is released", v1alpha1.ReleaseRolledBack: "was taken back", v1alpha1.ReleaseFailed: "failed",
}

func (r releases) subject(ctx context.Context, o *v1alpha1.Release) (subject, error) {
	moment := releaseMoments[o.Status.Phase]
	if moment == "" {
		return subject{meta: o}, nil
	}
	a, err := r.applications.Get(ctx, o.Namespace, o.Spec.Application)
	if apierrors.IsNotFound(err) {
		return subject{meta: o, final: true}, nil
	}
	if err != nil {
		return subject{}, err
	}
	s := subject{meta: o, who: a.Spec.Notify, message: notify.Message{
		About: string(o.UID), State: string(moment), Occasion: string(moment), Text: o.Status.Why,
		Title: fmt.Sprintf("%s %s %s", o.Spec.Application, o.Spec.Version, releaseSays[o.Status.Phase]),
		Lines: []string{fmt.Sprintf("%d%% of the traffic", o.Status.Weight)},
	}}
	if moment == v1alpha1.MomentSucceeded || moment == v1alpha1.MomentFailed {
		s.final = true
		if events := o.Status.Events; len(events) > 0 {
			s.ended = events[len(events)-1].Time.Time
		}
	}
	return s, nil
}
