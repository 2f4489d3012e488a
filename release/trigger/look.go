package trigger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
)

// idle is when a pipeline is looked at again that nothing wakes.
const idle = time.Hour

// watcher looks for one pipeline.
type watcher struct {
	*Engine
	key   loop.Key
	asked map[string]time.Time // by trigger: when it was asked outside
}

func (e *Engine) begin(k loop.Key) loop.Step {
	return (&watcher{Engine: e, key: k, asked: map[string]time.Time{}}).step
}

// step looks at each trigger of the pipeline, starts runs, and only then notes what it saw.
func (w *watcher) step(ctx context.Context) (time.Time, error) {
	p, err := w.Pipelines.Get(ctx, w.key.Namespace, w.key.Name)
	if apierrors.IsNotFound(err) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	next, asked := w.Now().Add(idle), map[string]time.Time{}
	var all []v1alpha1.TriggerStatus
	for i := range p.Spec.Triggers {
		t := &p.Spec.Triggers[i]
		if p.Spec.Disabled || t.Disabled {
			continue
		}
		l := w.look(ctx, p, t)
		if err := w.start(ctx, p, t, &l); err != nil {
			return time.Time{}, err
		}
		all, asked[t.Name] = append(all, l.TriggerStatus), l.asked
		if !l.next.IsZero() && l.next.Before(next) {
			next = l.next
		}
	}
	if !equality.Semantic.DeepEqual(all, p.Status.Triggers) {
		p.Status.Triggers = all
		if _, err := w.Pipelines.UpdateStatus(ctx, p); err != nil {
			return time.Time{}, err
		}
	}
	w.asked = asked
	if len(all) == 0 {
		return time.Time{}, nil
	}
	return next, nil
}

// look is what a trigger saw.
type look struct {
	v1alpha1.TriggerStatus             // to be stored
	fresh                  bool        // nothing is known of before
	found                  []happening // each starts a run
	next, asked            time.Time
}

// look sees what is new for one trigger.
func (w *watcher) look(ctx context.Context, p *v1alpha1.Pipeline, t *v1alpha1.Trigger) look {
	l := look{TriggerStatus: v1alpha1.TriggerStatus{Name: t.Name, Of: subject(t)}, fresh: true, asked: w.asked[t.Name]}
	for _, before := range p.Status.Triggers {
		if before.Name == l.Name && before.Of == l.Of {
			l.TriggerStatus, l.fresh = *before.DeepCopy(), false
		}
	}
	if l.fresh {
		now := metav1.NewMicroTime(w.Now().Truncate(time.Microsecond))
		l.Since, l.asked = &now, time.Time{}
	}
	switch {
	case t.Cron != nil:
		w.cron(t.Cron, &l)
	case t.Pipeline != nil:
		w.endings(p, t.Pipeline, &l)
	case t.Image != nil:
		w.poll(ctx, &l, every(t.Image.Every), func(ctx context.Context) error { return w.tags(ctx, p.Namespace, t.Image, &l) })
	case t.Git != nil && t.Git.Poll != nil:
		w.poll(ctx, &l, every(t.Git.Poll), func(ctx context.Context) error { return w.branches(ctx, p.Namespace, t.Git, &l) })
	default:
		w.poll(ctx, &l, defaultEvery, func(ctx context.Context) error { return w.deliverable(ctx, p.Namespace, t, &l) })
	}
	return l
}

// subject stands for what a trigger looks at: all of its kind but how often, and with whose login.
func subject(t *v1alpha1.Trigger) string {
	same := v1alpha1.Trigger{Cron: t.Cron, Pipeline: t.Pipeline}
	if t.Git != nil {
		same.Git = &v1alpha1.GitTrigger{URL: t.Git.URL, Branch: t.Git.Branch}
	}
	if t.Image != nil {
		same.Image = &v1alpha1.ImageTrigger{Repository: t.Image.Repository, Tag: t.Image.Tag, Version: t.Image.Version}
	}
	text, err := json.Marshal(same)
	if err != nil {
		panic(err) // text and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// Limits of how often is asked.
const (
	minEvery     = 10 * time.Second
	defaultEvery = time.Minute
)

func every(d *metav1.Duration) time.Duration {
	if d == nil {
		return defaultEvery
	}
	return max(d.Duration, minEvery)
}

// blind begins what is said of a trigger that could not look; once it can, that is over.
const blind = "it cannot look: "

// poll asks outside, if it is time. An error says so in the status, and is asked about again as
// often as anything; nothing is noted then.
func (w *watcher) poll(ctx context.Context, l *look, every time.Duration, ask func(context.Context) error) {
	now := w.Now()
	if l.next = l.asked.Add(every); l.next.After(now) {
		return
	}
	l.next, l.asked = now.Add(every), now
	select {
	case w.asking <- struct{}{}:
		defer func() { <-w.asking }()
	case <-ctx.Done():
		return
	}
	if err := ask(ctx); err != nil {
		l.Why = short(blind + err.Error())
		if l.fresh {
			l.Of, l.Since = "", nil // the first sight is still to come
		}
	}
}

// start starts a run for each thing that was found.
func (w *watcher) start(ctx context.Context, p *v1alpha1.Pipeline, t *v1alpha1.Trigger, l *look) error {
	for _, h := range l.found {
		run, why, err := w.starter.start(ctx, p, t, h)
		if err != nil {
			return err
		}
		if run != "" {
			l.Run = run
		}
		if why != "" {
			l.Why = short(why)
		}
	}
	return nil
}
