package release_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/judge"
	"weft.dev/release/provider/mesh"
	"weft.dev/release/strategy"
	"weft.dev/test/shelf"
)

// weft runs an engine in the world; whenever it is killed, another one starts a second later.
func (w *world) weft(ctx context.Context, seed uint64, chance float64) {
	random := rand.New(rand.NewPCG(seed, 1))
	for ctx.Err() == nil {
		alive, kill := context.WithCancel(ctx)
		p := shelf.NewProcess(kill, shelf.Chance(chance, random))
		e := release.NewEngine(release.Options{
			Releases:     shelf.Objects[v1alpha1.Release]{Shelf: w.releases, Process: p},
			Applications: shelf.Objects[v1alpha1.Application]{Shelf: w.applications, Process: p},
			Strategies: map[v1alpha1.StrategyType]release.Strategy{
				v1alpha1.Canary: strategy.Canary(judge.ErrorRate{}), v1alpha1.BlueGreen: strategy.BlueGreen(judge.ErrorRate{}),
				v1alpha1.Rolling: strategy.Rolling(judge.ErrorRate{}), v1alpha1.Highlander: strategy.Highlander(judge.ErrorRate{}), v1alpha1.Recreate: strategy.Recreate(judge.ErrorRate{}),
				release.Undo: strategy.Undo(),
			},
			Provider:  mesh.New(shelf.Objects[v1alpha1.TrafficSplit]{Shelf: w.splits, Process: p, Wrote: w.wrote}, w),
			Instances: reached{w.crew, p},
			Hold:      w.hold,
			Object:    objected,
			Delete:    shelf.Objects[v1alpha1.Release]{Shelf: w.releases, Process: p}.Delete,
			Versions:  w.records(p),
			Others:    w.others,
			Now:       time.Now,
			Log:       slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		e.Run(alive) // ends by the kill or the end of the test: its error says only that
		kill()
		time.Sleep(time.Second)
	}
}

// inWorld runs a story in virtual time.
func inWorld(t *testing.T, seed uint64, chance float64, story func(*world)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWorld()
		done := make(chan struct{})
		go func() { defer close(done); w.weft(ctx, seed, chance) }()
		story(w)
		cancel()
		<-done
		if twice := w.repeated(); len(twice) > 0 {
			t.Errorf("actions done more than once: %v", twice)
		}
	})
}

// await waits until the release is in one of the phases, or gone.
func (w *world) await(name string, phases ...v1alpha1.ReleasePhase) *v1alpha1.Release {
	for start := time.Now(); time.Since(start) < 2*time.Hour; time.Sleep(time.Second) {
		r, err := w.releases.Get("shop", name)
		if err != nil {
			return nil
		}
		for _, p := range phases {
			if r.Status.Phase == p && (!release.Final(p) || len(r.Finalizers) == 0) {
				return r
			}
		}
	}
	r, _ := w.releases.Get("shop", name)
	panic(fmt.Sprintf("release %s is %s after two hours: %s", name, r.Status.Phase, r.Status.Why))
}

// says waits until a release gives this reason: it looks around from time to time only.
func (w *world) says(name, why string) {
	var r *v1alpha1.Release
	for start := time.Now(); time.Since(start) < 5*time.Minute; time.Sleep(time.Second) {
		if r, _ = w.releases.Get("shop", name); strings.Contains(r.Status.Why, why) {
			return
		}
	}
	panic(fmt.Sprintf("release %s never says %q, but %q", name, why, r.Status.Why))
}

var final = []v1alpha1.ReleasePhase{v1alpha1.ReleaseSucceeded, v1alpha1.ReleaseRolledBack, v1alpha1.ReleaseFailed}

// story is what happens to one release, and how it must end.
type story struct {
	name    string
	kind    v1alpha1.StrategyType
	errors  float64
	rps     float64
	during  func(w *world, app string) // after the release began, before its end
	phase   v1alpha1.ReleasePhase
	why     string
	shares  string
	version string
}

const (
	ahead  = "v2 0%, v3 100%"
	behind = "v2 100%, v3 0%"
)

var stories = []story{
	{name: "good", errors: 0.001, rps: 200, phase: v1alpha1.ReleaseSucceeded, why: "at most 0.5 points worse", shares: ahead, version: "v3"},
	{name: "bad", errors: 0.05, rps: 200, phase: v1alpha1.ReleaseRolledBack, why: "worse beyond chance", shares: behind, version: "v2"},
	{name: "good-at-once", kind: v1alpha1.BlueGreen, errors: 0.001, rps: 200, phase: v1alpha1.ReleaseSucceeded, why: "at most 0.5 points worse", shares: ahead, version: "v3"},
	{name: "bad-at-once", kind: v1alpha1.BlueGreen, errors: 0.05, rps: 200, phase: v1alpha1.ReleaseRolledBack, why: "before it: worse beyond chance", shares: behind, version: "v2"},
	{name: "no-traffic", phase: v1alpha1.ReleaseSucceeded, why: "promoted by a person; v3 answered no request", shares: ahead, version: "v3",
		during: func(w *world, app string) {
			w.await(app, v1alpha1.ReleaseInconclusive)
			w.releases.Edit("shop", app, func(r *v1alpha1.Release) { r.Spec.Promote = true })
		}},
	{name: "aborted", errors: 0.001, rps: 200, phase: v1alpha1.ReleaseRolledBack, why: "aborted by a person", shares: behind, version: "v2",
		during: func(w *world, app string) {
			w.releases.Edit("shop", app, func(r *v1alpha1.Release) { r.Spec.Abort = true })
		}},
	{name: "split-by-hand", errors: 0.001, rps: 200, phase: v1alpha1.ReleaseFailed, why: "changed", shares: "v2 40%, v3 60%", version: "v2",
		during: func(w *world, app string) {
			w.splits.Edit("shop", app, func(s *v1alpha1.TrafficSplit) { s.Spec.Versions[0].Weight, s.Spec.Versions[1].Weight = 40, 60 })
		}},
	{name: "split-deleted", errors: 0.001, rps: 200, phase: v1alpha1.ReleaseFailed, why: "deleted", shares: "none", version: "v2",
		during: func(w *world, app string) { w.splits.Delete("shop", app) }},
	{name: "release-deleted", errors: 0.001, rps: 200, shares: behind, version: "v2",
		during: func(w *world, app string) { w.releases.Delete("shop", app) }},
	{name: "application-deleted", errors: 0.001, rps: 200, phase: v1alpha1.ReleaseRolledBack, why: "the Application application-deleted was deleted", shares: behind,
		during: func(w *world, app string) { w.applications.Delete("shop", app) }},
	{name: "instances-die", errors: 0.001, rps: 200, phase: v1alpha1.ReleaseRolledBack, why: "no healthy workload", shares: behind, version: "v2",
		during: func(w *world, app string) { w.workloads.Delete("shop", app+"-v3") }},
}

// play runs a story to its end and says what is wrong with that.
func (s story) play(w *world, app string, random *rand.Rand) error {
	w.deploy(app, s.errors, s.rps, s.kind)
	w.release(app, app, "v3")
	if s.during != nil {
		for w.shares(app) == "none" || strings.HasPrefix(w.shares(app), "v2 100%") { // until v3 has traffic
			time.Sleep(50 * time.Millisecond)
			if s.rps == 0 {
				break
			}
		}
		time.Sleep(time.Duration(random.IntN(5000)) * time.Millisecond)
		s.during(w, app)
	}
	r := w.await(app, final...)
	switch {
	case r == nil && s.phase != "":
		return fmt.Errorf("the release is gone")
	case r != nil && (r.Status.Phase != s.phase || !strings.Contains(r.Status.Why, s.why)):
		return fmt.Errorf("ended as %s: %s; want %s: %s", r.Status.Phase, r.Status.Why, s.phase, s.why)
	case w.shares(app) != s.shares:
		return fmt.Errorf("shares at the end are %s, want %s", w.shares(app), s.shares)
	}
	if a, err := w.applications.Get("shop", app); err == nil && a.Status.Version != s.version {
		return fmt.Errorf("the application serves %s, want %s", a.Status.Version, s.version)
	}
	return nil
}

// Every story ends the same whether weft lives through it or is killed at any point of it.
func TestStories(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			for seed := range uint64(12) {
				chance := []float64{0, 0.02, 0.1, 0.2}[seed%4]
				inWorld(t, seed, chance, func(w *world) {
					if err := s.play(w, s.name, rand.New(rand.NewPCG(seed, 2))); err != nil {
						t.Errorf("seed %d, killed at %v of operations: %v", seed, chance, err)
					}
				})
			}
		})
	}
}

// A hundred releases are under way at once while weft is killed again and again.
func TestHundredAtOnce(t *testing.T) {
	inWorld(t, 1, 0.0005, func(w *world) {
		ends := make(chan error)
		for i := range 100 {
			s := stories[i%4]
			go func() {
				app := fmt.Sprintf("%s-%d", s.name, i)
				err := s.play(w, app, rand.New(rand.NewPCG(uint64(i), 3)))
				if err != nil {
					err = fmt.Errorf("%s: %w", app, err)
				}
				ends <- err
			}()
		}
		for range 100 {
			if err := <-ends; err != nil {
				t.Error(err)
			}
		}
	})
}

// Two processes that both believe to lead slow each other down, and do nothing twice.
func TestTwoLeaders(t *testing.T) {
	for _, s := range stories[:4] {
		inWorld(t, 5, 0.01, func(w *world) {
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() { defer close(done); w.weft(ctx, 6, 0.01) }()
			if err := s.play(w, s.name, rand.New(rand.NewPCG(7, 7))); err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
			cancel()
			<-done
		})
	}
}

// Releases of one application go one after the other, the oldest first, and each
// starts from what the one before left.
func TestOneAtATime(t *testing.T) {
	inWorld(t, 1, 0.02, func(w *world) {
		w.release("first", "shop", "v3")
		if r := w.await("first", v1alpha1.ReleasePending); !strings.Contains(r.Status.Why, "waiting for the Application shop") {
			t.Errorf("without its application: %s", r.Status.Why)
		}
		w.release("second", "shop", "v2")
		w.release("third", "shop", "v3")
		w.releases.Edit("shop", "third", func(r *v1alpha1.Release) { r.Spec.Abort = true })
		if r := w.await("third", final...); r.Status.Phase != v1alpha1.ReleaseRolledBack {
			t.Errorf("aborted while it waits: %s: %s", r.Status.Phase, r.Status.Why)
		}
		w.deploy("shop", 0.001, 200, v1alpha1.Canary)
		w.await("first", v1alpha1.ReleaseProgressing)
		w.says("second", "release first of shop")
		first, second := w.await("first", final...), w.await("second", final...)
		if first.Status.Phase != v1alpha1.ReleaseSucceeded || second.Status.Phase != v1alpha1.ReleaseSucceeded || second.Status.From != "v3" {
			t.Errorf("first %s; second %s from %s: %s", first.Status.Phase, second.Status.Phase, second.Status.From, second.Status.Why)
		}
		if w.shares("shop") != "v2 100%, v3 0%" {
			t.Errorf("shares at the end are %s", w.shares("shop"))
		}
	})
}

// A release whose record cannot be used ends, says so, and leaves traffic alone.
func TestUnusableRecord(t *testing.T) {
	for _, raw := range []string{`{"config":[]}`, `{"config":{"strategy":{"type":"magic"}}}`, `{"config":{"namespace":"shop","service":"shop","strategy":{"type":"canary"}},"strategy":[]}`} {
		inWorld(t, 1, 0, func(w *world) {
			w.deploy("shop", 0.001, 200, v1alpha1.Canary)
			w.splits.Create(&v1alpha1.TrafficSplit{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"},
				Spec:       v1alpha1.TrafficSplitSpec{Service: "shop", Versions: []v1alpha1.VersionWeight{{Version: "v2", Weight: 90}, {Version: "v3", Weight: 10}}},
			})
			r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "r", Finalizers: []string{release.Finalizer}}}
			r.Spec.Application, r.Spec.Version = "shop", "v3"
			r.Status.Phase, r.Status.State = v1alpha1.ReleaseProgressing, &runtime.RawExtension{Raw: []byte(raw)}
			w.releases.Create(r)
			if r := w.await("r", final...); r.Status.Phase != v1alpha1.ReleaseFailed || w.shares("shop") != "v2 90%, v3 10%" {
				t.Errorf("%s: %s: %s, shares %s", raw, r.Status.Phase, r.Status.Why, w.shares("shop"))
			}
		})
	}
}
