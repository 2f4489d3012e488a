package herald

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/notify"
	"weft.dev/test/shelf"
)

// world is objects, and the ways of their notifications.
type world struct {
	t         *testing.T
	runs      *shelf.Shelf[v1alpha1.PipelineRun]
	pipelines *shelf.Shelf[v1alpha1.Pipeline]
	said      []string // "NAME: HANDLE <- OCCASION"
	fails     error    // of the next message
	edits     bool
}

func newWorld(t *testing.T, who ...v1alpha1.Notification) *world {
	mu := new(sync.Mutex)
	w := &world{t: t, runs: shelf.New[v1alpha1.PipelineRun](mu), pipelines: shelf.New[v1alpha1.Pipeline](mu), edits: true}
	p := &v1alpha1.Pipeline{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "ship"}}
	p.Spec.Notify, p.Spec.Stages = who, []v1alpha1.Stage{{Name: "ok", Judgment: &v1alpha1.JudgmentStage{Options: []string{"blue", "green"}}}}
	if _, err := w.pipelines.Create(p); err != nil {
		t.Fatal(err)
	}
	return w
}

// patched is a shelf whose annotations can be patched.
type patched struct {
	shelf.Objects[v1alpha1.PipelineRun]
}

func (p patched) Patch(ctx context.Context, _, namespace, name string, patch []byte) (*v1alpha1.PipelineRun, error) {
	o, err := p.Get(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(patch, o); err != nil {
		return nil, err
	}
	return p.Update(ctx, o)
}

type way struct {
	*world
	name string
}

func (w way) Edits() bool { return w.edits }

func (w way) Send(_ context.Context, m notify.Message, handle string) (string, error) {
	if err := w.fails; err != nil {
		w.fails = nil
		return "", err
	}
	w.said = append(w.said, fmt.Sprintf("%s: %s <- %s", w.name, handle, m.Occasion))
	return "h", nil
}

// tell runs one life of a herald beside what happens.
func (w *world) tell(happens func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	alive := shelf.NewProcess(cancel, func() bool { return false })
	o := Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	teller := newTeller(o, "run", func(_ context.Context, _ string, n v1alpha1.Notification) (notify.Way, error) {
		return way{w, n.Name}, nil
	}, patched{shelf.Objects[v1alpha1.PipelineRun]{Shelf: w.runs, Process: alive}}, runs{shelf.Objects[v1alpha1.Pipeline]{Shelf: w.pipelines, Process: alive}}.subject)
	ended := make(chan struct{})
	go func() { _ = teller.watch(ctx); close(ended) }()
	synctest.Wait()
	happens()
	time.Sleep(time.Minute)
	cancel()
	<-ended
}

// becomes gives the run a phase.
func (w *world) becomes(phase v1alpha1.RunPhase, why string, stages ...v1alpha1.StageStatus) {
	w.t.Helper()
	o, err := w.runs.Get("shop", "ship-1")
	if err != nil {
		o, err = w.runs.Create(&v1alpha1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "ship-1"}, Spec: v1alpha1.PipelineRunSpec{Pipeline: "ship"}})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	o.Status.Phase, o.Status.Why, o.Status.Stages = phase, why, stages
	if phase == v1alpha1.RunSucceeded {
		now := metav1.NowMicro()
		o.Status.Ended = &now
	}
	p := shelf.Objects[v1alpha1.PipelineRun]{Shelf: w.runs, Process: shelf.NewProcess(nil, func() bool { return false })}
	if _, err := p.UpdateStatus(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

func (w *world) want(said ...string) {
	w.t.Helper()
	if !slices.Equal(w.said, said) {
		w.t.Errorf("said %q, want %q", w.said, said)
	}
	w.said = nil
}

func TestOneMessageIsEdited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, v1alpha1.Notification{Name: "team"})
		w.tell(func() {
			w.becomes(v1alpha1.RunRunning, "5%")
			w.becomes(v1alpha1.RunRunning, "6%")
			w.becomes(v1alpha1.RunRunning, "7%") // soon after: with the next edit
		})
		w.want("team:  <- Running", "team: h <- Running")
		w.tell(func() {
			w.becomes(v1alpha1.RunAsking, "", v1alpha1.StageStatus{Name: "ok", Phase: "Asking", Attempt: 1})
		})
		w.want("team: h <- Asking/ok/1")
		w.tell(func() { w.becomes(v1alpha1.RunSucceeded, "") })
		w.want("team: h <- Succeeded")
		w.tell(func() {}) // another process has nothing to say
		w.want()
	})
}

func TestMomentsWithoutEdits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, v1alpha1.Notification{Name: "all"}, v1alpha1.Notification{Name: "end", Moments: []v1alpha1.Moment{v1alpha1.MomentSucceeded}})
		w.edits = false
		w.tell(func() {
			w.becomes(v1alpha1.RunRunning, "5%")
			w.becomes(v1alpha1.RunAsking, "", v1alpha1.StageStatus{Name: "ok", Phase: "Asking", Attempt: 1})
			w.becomes(v1alpha1.RunRunning, "50%")
			w.becomes(v1alpha1.RunSucceeded, "")
		})
		w.want("all:  <- Running", "all: h <- Asking/ok/1", "all: h <- Succeeded", "end:  <- Succeeded")
	})
}

func TestFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, v1alpha1.Notification{Name: "team"})
		w.fails = errors.New("no answer")
		w.tell(func() { w.becomes(v1alpha1.RunRunning, "") })
		w.want("team:  <- Running") // again, after a while
		w.fails = fmt.Errorf("%w: no such channel", notify.ErrRefused)
		w.tell(func() { w.becomes(v1alpha1.RunAsking, "") })
		w.want() // not again
		w.tell(func() { w.becomes(v1alpha1.RunSucceeded, "") })
		w.want("team: h <- Succeeded")
	})
}

// What ended long before people wanted to be told is no news.
func TestOldNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, v1alpha1.Notification{Name: "team"})
		w.becomes(v1alpha1.RunSucceeded, "")
		time.Sleep(oldNews + time.Minute)
		w.tell(func() {})
		w.want()
	})
}

func TestChoices(t *testing.T) {
	w := newWorld(t, v1alpha1.Notification{Name: "team"})
	o := &v1alpha1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "ship-1", UID: "u"}, Spec: v1alpha1.PipelineRunSpec{Pipeline: "ship"}}
	o.Status.Phase, o.Status.Stages = v1alpha1.RunAsking, []v1alpha1.StageStatus{{Name: "ok", Phase: "Asking", Attempt: 2}, {Name: "canary", Phase: "Asking", Attempt: 1}}
	s, err := runs{shelf.Objects[v1alpha1.Pipeline]{Shelf: w.pipelines, Process: shelf.NewProcess(nil, func() bool { return false })}}.subject(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, c := range s.message.Choose {
		labels = append(labels, c.Label)
	}
	if strings.Join(labels, ", ") != "ok: blue, ok: green, ok: stop" || !s.message.Choose[2].Stop {
		t.Errorf("%+v", s.message.Choose)
	}
	var means Answer
	if err := json.Unmarshal([]byte(s.message.Choose[1].Value), &means); err != nil || means != (Answer{"shop", "ship-1", "u", "ok", 2, "green"}) {
		t.Errorf("%+v %v", means, err)
	}
}
