package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"weft.dev/release/loop"
	"weft.dev/release/pipeline"
)

const (
	// observeFor and doFor bound one look and one action.
	observeFor, doFor = 10 * time.Second, time.Minute
	// firstAgain after an action that may not have happened; doubled up to maxAgain.
	firstAgain, maxAgain = 200 * time.Millisecond, 30 * time.Second
	// maxResults that one step takes in, so that its events fit into one write.
	maxResults = 16
)

// flights are a run's actions that this process has under way.
type flights struct {
	mu      sync.Mutex
	ids     map[string]bool
	failed  map[string]int // in a row
	results []pipeline.Result
}

func newFlights() *flights { return &flights{ids: map[string]bool{}, failed: map[string]int{}} }

// has reports whether this process knows, or will know, how an action went.
func (f *flights) has(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ids[id] || slices.ContainsFunc(f.results, func(r pipeline.Result) bool { return r.ID == id })
}

// landed are results, oldest first.
func (f *flights) landed() []pipeline.Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.results[:min(len(f.results), maxResults)])
}

// stored drops results that are in the record.
func (f *flights) stored(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.results = f.results[n:]
}

// start notes that an action is under way, unless it is.
func (f *flights) start(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ids[id] {
		return false
	}
	f.ids[id] = true
	return true
}

// land notes how an action went.
func (f *flights) land(r pipeline.Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ids, r.ID)
	delete(f.failed, r.ID)
	f.results = append(f.results, r)
}

// fail notes that nobody knows how an action went, and returns how long to wait until it is done again.
func (f *flights) fail(id string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	wait := firstAgain << min(f.failed[id], 10)
	f.failed[id]++
	return min(wait, maxAgain)
}

// lose gives an action up: the next step finds it without a result.
func (f *flights) lose(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ids, id)
}

var errDeposed = errors.New("this process leads no longer")

// act begins an action, whose intent is stored. It is done beside the loop, so that
// whoever is slow to answer holds nobody up.
func (e *Engine) act(ctx context.Context, k loop.Key, f *flights, a pipeline.Action) {
	if !f.start(a.ID) {
		return
	}
	e.work.Go(func() {
		r, err := e.do(ctx, k.Namespace, a)
		if ctx.Err() != nil {
			return // the next process finds out
		}
		if err != nil {
			e.Log.Warn("it is not known whether an action happened", "run", k.String(), "action", a.ID, "kind", a.Kind, "error", err)
			if wait := f.fail(a.ID); a.Safe && !pause(ctx, wait) {
				return
			}
			f.lose(a.ID)
		} else {
			r.ID = a.ID
			f.land(r)
		}
		e.loops.Poke(ctx, k)
	})
}

func (e *Engine) do(ctx context.Context, namespace string, a pipeline.Action) (pipeline.Result, error) {
	world := e.world(a.Kind)
	if world == nil {
		return pipeline.Result{Text: fmt.Sprintf("nobody does %q here", a.Kind)}, nil
	}
	if !a.Safe && !e.Leading() {
		return pipeline.Result{}, errDeposed
	}
	ctx, cancel := context.WithTimeout(ctx, doFor)
	defer cancel()
	return world.Do(ctx, namespace, a)
}

func (e *Engine) world(kind string) World {
	who, _, _ := strings.Cut(kind, "/")
	return e.Worlds[who]
}

// observe brings up to date what the last step wanted to know, all of it at once.
func (e *Engine) observe(ctx context.Context, namespace string, looks []pipeline.Look, facts map[string]pipeline.Fact) map[string]pipeline.Fact {
	var mu sync.Mutex
	var all sync.WaitGroup
	wanted := map[string]pipeline.Fact{}
	for _, l := range looks {
		if old, seen := facts[l.Key]; seen && e.Now().Sub(old.At) < l.Every {
			wanted[l.Key] = old
			continue
		}
		all.Go(func() {
			fact := e.look(ctx, namespace, l)
			mu.Lock()
			defer mu.Unlock()
			wanted[l.Key] = fact
		})
	}
	all.Wait()
	return wanted
}

func (e *Engine) look(ctx context.Context, namespace string, l pipeline.Look) pipeline.Fact {
	ctx, cancel := context.WithTimeout(ctx, observeFor)
	defer cancel()
	fact, err := pipeline.Fact{}, fmt.Errorf("nobody sees %q here", l.Kind)
	if world := e.world(l.Kind); world != nil {
		fact, err = world.Observe(ctx, namespace, l)
	}
	if err != nil {
		fact = pipeline.Fact{Err: err.Error()}
	}
	fact.At = e.Now()
	return fact
}

// lost are the actions of a state that have no result, and will get none from this process.
func lost(s pipeline.State, f *flights) (ids []string) {
	for _, st := range s.Stages {
		if open := st.Open; open != nil && open.Result == nil && !open.Unknown && !f.has(open.ID) {
			ids = append(ids, open.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
