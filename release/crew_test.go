package release_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/release/provider/fake"
	"weft.dev/test/shelf"
)

// crew is the instances of the world's applications. It keeps the workloads of those that are
// ready, and notes what no release may do.
type crew struct {
	*fake.Provider
	w       *world
	down    func() bool // the provider does not answer
	gaps    bool        // between two versions there may be none
	mu      sync.Mutex
	changed map[string]int // by id
	settled string         // version that was told to stay
	started []string       // VERSION IMAGE MANIFESTS of each version that a release started again
	refuses int            // how often Settle fails yet
	broken  []string
}

const crewSize = 4

func newCrew(w *world) *crew {
	return &crew{
		Provider: fake.New(fake.Options{Start: 3 * time.Second, Stop: 2 * time.Second}), w: w,
		down: func() bool { return false }, changed: map[string]int{}, refuses: 2,
	}
}

var runsHere = &v1alpha1.Runs{Provider: &v1alpha1.ProviderRuns{Name: "fake"}}

func at(app string) instances.Target { return instances.Target{Namespace: "shop", Application: app} }

// start gives an application its versions: v2 complete, v3 with one instance.
func (c *crew) start(app string) {
	for i, v := range []string{"v2", "v3"} {
		a := instances.Action{ID: app + v, Seq: int64(i + 1), Verb: instances.Deploy, Target: at(app), Version: v, Replicas: crewSize, Image: "shop@" + v}
		if v == "v3" {
			a.Replicas = 1
		}
		if err := c.Provider.Do(context.Background(), a); err != nil {
			panic(err)
		}
	}
}

// seen is what there is of an application; the provider in memory has no errors.
func (c *crew) seen(app string) map[string]instances.Seen {
	all, _ := c.Provider.Observe(context.Background(), at(app))
	return all
}

// follow keeps the workloads of an application until ctx ends.
func (c *crew) follow(ctx context.Context, app string) {
	for served := false; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		ready := 0
		for _, version := range []string{"v2", "v3"} {
			n := c.seen(app)[version].Ready
			ready += n
			for i := range crewSize {
				c.workload(fmt.Sprintf("%s-%s-%d", app, version, i), app, version, i < n)
			}
		}
		if served = served || ready > 0; served && ready == 0 && !c.gaps {
			c.breaks("%s has no instance", app)
		}
	}
}

func (c *crew) workload(name, app, version string, healthy bool) {
	if !healthy {
		c.w.workloads.Delete("shop", name)
		return
	}
	x := &v1alpha1.Workload{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	x.Spec.App, x.Spec.Version, x.Status.Health = app, version, "Healthy"
	c.w.workloads.Create(x) // it may be there
}

func (c *crew) breaks(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if text := fmt.Sprintf(format, args...); !slices.Contains(c.broken, text) {
		c.broken = append(c.broken, text)
	}
}

// reached is the crew as one process reaches it.
type reached struct {
	*crew
	process *shelf.Process
}

func (r reached) Observe(ctx context.Context, t instances.Target) (map[string]instances.Seen, error) {
	if r.down() {
		return nil, errors.New("connection refused")
	}
	return shelf.Op(r.process, func() (map[string]instances.Seen, error) { return r.Provider.Observe(ctx, t) })
}

func (r reached) Do(ctx context.Context, a instances.Action) error {
	if r.down() || a.Verb == instances.Settle && r.fails() {
		return errors.New("connection refused")
	}
	_, err := shelf.Op(r.process, func() (any, error) { return nil, r.watched(ctx, a) })
	return err
}

func (c *crew) fails() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuses--
	return c.refuses >= 0
}

// watched does an action, and notes if it ends what has traffic, or acts a second time.
func (c *crew) watched(ctx context.Context, a instances.Action) error {
	app := a.Target.Application
	before := c.seen(app)[a.Version].Wanted
	err := c.Provider.Do(ctx, a)
	after := c.seen(app)[a.Version].Wanted
	if a.Verb == instances.Deploy && err == nil {
		c.mu.Lock()
		c.started = append(c.started, fmt.Sprintf("%s %s %s", a.Version, a.Image, a.Manifests))
		c.mu.Unlock()
	}
	if a.Verb == instances.Settle && err == nil {
		c.mu.Lock()
		c.settled = a.Version
		c.mu.Unlock()
	}
	if after != before {
		c.mu.Lock()
		c.changed[a.ID]++
		twice := c.changed[a.ID] > 1
		c.mu.Unlock()
		if twice {
			c.breaks("%s acts twice", a.ID)
		}
	}
	if share := c.w.share(app, a.Version); !c.gaps && after < before && after < (crewSize*int(share)+99)/100 {
		c.breaks("%s %s of %s to %d at %d%%", a.Verb, a.Version, app, after, share)
	}
	return err
}

// share is the largest that any proxy has for a version, or will have.
func (w *world) share(app, version string) int32 {
	w.mesh.Lock()
	defer w.mesh.Unlock()
	x := w.services[app]
	x.run(time.Now())
	return max(x.applied[version], x.next[version])
}

// crewStory is one of a release that starts and stops instances. It ends with so many of
// v2 and v3; -1: there is nothing to start again.
type crewStory struct {
	story
	v2, v3 int
	down   bool                       // the provider is, at first
	early  func(w *world, app string) // beside it
}

var crewStories = []crewStory{
	{story: story{name: "canary", kind: v1alpha1.Canary, phase: v1alpha1.ReleaseSucceeded, shares: ahead, version: "v3"}, v3: crewSize},
	{story: story{name: "blue-green", kind: v1alpha1.BlueGreen, phase: v1alpha1.ReleaseSucceeded, shares: ahead, version: "v3"}, v3: crewSize},
	{story: story{name: "rolling", kind: v1alpha1.Rolling, phase: v1alpha1.ReleaseSucceeded, shares: ahead, version: "v3"}, v3: crewSize},
	{story: story{name: "highlander", kind: v1alpha1.Highlander, phase: v1alpha1.ReleaseSucceeded, shares: ahead, version: "v3"}, v2: -1, v3: crewSize},
	{story: story{name: "recreate", kind: v1alpha1.Recreate, phase: v1alpha1.ReleaseSucceeded, shares: ahead, version: "v3"}, v3: crewSize},
	{story: story{name: "late", kind: v1alpha1.Rolling, phase: v1alpha1.ReleaseSucceeded, shares: ahead, version: "v3"}, v3: crewSize, down: true},
	{story: story{name: "bad-canary", kind: v1alpha1.Canary, errors: 0.1, phase: v1alpha1.ReleaseRolledBack, shares: behind, version: "v2"}, v2: crewSize, v3: 1},
	{story: story{name: "bad-rolling", kind: v1alpha1.Rolling, errors: 0.1, phase: v1alpha1.ReleaseRolledBack, shares: behind, version: "v2"}, v2: crewSize, v3: 1},
	{story: story{name: "aborted-late", kind: v1alpha1.BlueGreen, phase: v1alpha1.ReleaseRolledBack, shares: behind, version: "v2",
		during: func(w *world, app string) { w.says(app, "is kept until"); w.abort(app) }}, v2: crewSize, v3: 1},
	{story: story{name: "aborted-between", kind: v1alpha1.Recreate, phase: v1alpha1.ReleaseRolledBack, shares: behind, version: "v2"},
		early: func(w *world, app string) { w.ended(app, "v2"); w.abort(app) }, v2: crewSize},
}

// ended waits until a version is to have no instances.
func (w *world) ended(app, version string) {
	for w.crew.seen(app)[version].Wanted > 0 {
		time.Sleep(100 * time.Millisecond)
	}
}

func (w *world) abort(app string) {
	w.releases.Edit("shop", app, func(r *v1alpha1.Release) { r.Spec.Abort = true })
}

// Releases start and stop instances, and end the same, wherever weft is killed and though its provider
// is away for a while. Nothing ends that has traffic, and nothing acts twice.
func TestCrewStories(t *testing.T) {
	for _, s := range crewStories {
		t.Run(s.name, func(t *testing.T) {
			for seed := range uint64(8) {
				chance := []float64{0, 0.02, 0.1, 0.15}[seed%4]
				inWorld(t, seed, chance, func(w *world) {
					if err := s.play(w, seed); err != nil {
						t.Errorf("seed %d, killed at %v of operations: %v", seed, chance, err)
					}
				})
			}
		})
	}
}

// What was released is taken back while the old version is kept: the release back has not to wait, and
// finds it running.
func TestUndoWhileKept(t *testing.T) {
	inWorld(t, 1, 0.02, func(w *world) {
		s := crewStory{story: story{name: "undone", kind: v1alpha1.BlueGreen, rps: 200}, v2: crewSize}
		w.crew.start(s.name)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); w.crew.follow(ctx, s.name) }()
		time.Sleep(4 * time.Second)
		w.deploy(s.name, 0, s.rps, s.kind)
		w.applications.Edit("shop", s.name, func(a *v1alpha1.Application) { a.Spec.Strategy.KeepFor.Duration = time.Hour })
		w.release(s.name, s.name, "v3")
		w.says(s.name, "is kept until")
		w.release("back", s.name, "v2")
		first, back := w.await(s.name, final...), w.await("back", v1alpha1.ReleaseProgressing)
		if first.Status.Phase != v1alpha1.ReleaseSucceeded || back.Status.From != "v3" {
			t.Errorf("%s: %s; then from %s", first.Status.Phase, first.Status.Why, back.Status.From)
		}
		cancel()
		<-done
		if n := w.crew.seen(s.name)["v2"].Wanted; n != crewSize {
			t.Errorf("v2 has %d instances", n)
		}
	})
}

func (s crewStory) play(w *world, seed uint64) error {
	c := w.crew
	s.rps, c.gaps = 200, s.kind == v1alpha1.Recreate
	if s.down {
		away := time.Now().Add(20 * time.Second)
		c.down = func() bool { return time.Now().Before(away) }
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	c.start(s.name)
	go func() { defer close(done); c.follow(ctx, s.name) }()
	time.Sleep(4 * time.Second)
	if s.early != nil {
		go s.early(w, s.name)
	}
	err := s.story.play(w, s.name, rand.New(rand.NewPCG(seed, 2)))
	cancel()
	<-done
	return errors.Join(err, c.check(s))
}

// check is what is wrong at the end.
func (c *crew) check(s crewStory) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := []error{}
	for _, text := range c.broken {
		errs = append(errs, errors.New(text))
	}
	if c.settled != s.version {
		errs = append(errs, fmt.Errorf("%q was told to stay, want %s", c.settled, s.version))
	}
	seen := c.seen(s.name)
	for version, n := range map[string]int{"v2": s.v2, "v3": s.v3} {
		if left, there := seen[version]; there && left.Wanted != max(n, 0) || there == (n < 0) && left.Running == 0 {
			errs = append(errs, fmt.Errorf("%s ends with %+v (%t), want %d", version, left, there, n))
		}
	}
	return errors.Join(errs...)
}
