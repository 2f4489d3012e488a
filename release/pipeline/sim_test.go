package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
)

const (
	simSeeds = 1000
	simSteps = 10_000              // a run that takes more never ends
	simTime  = 30 * 24 * time.Hour // the same
)

// A thousand runs of random graphs in a world that is late, silent and crashes, whose
// people judge twice and too late, and whose clock goes back: the laws hold at every step.
func TestLaws(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(simSeeds) {
		w := newWorld(seed)
		if err := w.live(); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, w.story())
		}
		w.count(seen)
	}
	t.Log(seen)
	for _, what := range []string{
		"Succeeded", "Failed", "Cancelled", "kill", "conflict", "again", "unknown", "retry", "skipped", "continued",
		"stopped", "forced", "back", "gate", "judged", "lost answer", "timeout", "redone", "late",
	} {
		if seen[what] < 5 {
			t.Errorf("%s: %d times only: the world does not try it", what, seen[what])
		}
	}
}

// simWorld is one run, what is stored of it, the process that runs it, and all outside.
type simWorld struct {
	*rand.Rand
	seen map[string]int
	spec *v1alpha1.PipelineSpec
	run  Run
	now  time.Time

	events    []Event // stored, as is all up to the next blank line
	state     State
	soft      map[string]json.RawMessage
	decisions []*simDecision

	process simProcess

	effects  map[string]int       // of actions, by id: how often they happened
	given    map[string]int       // how often the machine wanted them
	children map[string]*simChild // releases that were made
	kinds    map[string]Action    // by id
	opens    map[string]time.Time // when the gate of a stage opens
	cancelAt time.Time            // when somebody cancels; zero: never
}

// simProcess is what a crash takes away.
type simProcess struct {
	facts   map[string]Fact
	looks   []Look
	flying  map[string]time.Time // actions, and when they end
	results []Result
	wake    time.Time
}

type simChild struct {
	phase v1alpha1.ReleasePhase
	ends  time.Time
	as    v1alpha1.ReleasePhase
}

// simDecision is a stored Decision.
type simDecision struct {
	Decision
	made     time.Time
	answered bool
	told     []Answer // each time that the machine answered
	steps    int      // it was looked at without an answer while nothing stood in the way
}

func newWorld(seed uint64) *simWorld {
	w := &simWorld{
		Rand: rand.New(rand.NewPCG(seed, 1)), seen: map[string]int{}, now: noon,
		run:     Run{UID: "u", Namespace: "shop", Name: "ship-1", Pipeline: "ship", Trigger: v1alpha1.TriggerFact{Type: Manual, By: "alice"}},
		effects: map[string]int{}, given: map[string]int{}, children: map[string]*simChild{}, kinds: map[string]Action{},
		opens: map[string]time.Time{},
	}
	w.spec = w.graph()
	w.crash()
	if w.chance(10) {
		w.cancelAt = noon.Add(w.upTo(2 * time.Hour))
	}
	return w
}

func (w *simWorld) chance(percent int) bool            { return w.IntN(100) < percent }
func (w *simWorld) upTo(d time.Duration) time.Duration { return time.Duration(w.Int64N(int64(d))) }

func pick[T any](w *simWorld, of ...T) T { return of[w.IntN(len(of))] }

// graph draws a pipeline of 1 to 12 stages.
func (w *simWorld) graph() *v1alpha1.PipelineSpec {
	d := &v1alpha1.PipelineSpec{}
	for i := range 1 + w.IntN(12) {
		var after []string
		for _, before := range d.Stages {
			if w.chance(30) {
				after = append(after, before.Name)
			}
		}
		what := pick(w, "check ok", "check ok", "check no", "check first", "wait 10m", "wait 3h", "judgment", "webhook", "webhook safe", "release v2", "release v2")
		s := stage(fmt.Sprintf("s%d %s", i, what), after...)
		s.OnFailure = pick(w, "", v1alpha1.FailRun, v1alpha1.FailStop, v1alpha1.FailStop, v1alpha1.FailContinue, v1alpha1.FailContinue, v1alpha1.FailLater)
		if w.chance(20) {
			s.Timeout = &metav1.Duration{Duration: time.Minute + w.upTo(time.Hour)}
		}
		if w.chance(30) {
			s.When = pick(w, "true", "false", "true", s.Name) // of itself: an error
			if len(after) > 0 && w.chance(70) {
				s.When = after[0]
			}
		}
		if w.chance(15) {
			w.opens[s.Name] = noon.Add(w.upTo(5 * time.Hour))
		}
		d.Stages = append(d.Stages, s)
	}
	w.Shuffle(len(d.Stages), func(i, j int) { d.Stages[i], d.Stages[j] = d.Stages[j], d.Stages[i] })
	return d
}

// live takes the run to its end, and reports the law that is broken.
func (w *simWorld) live() error {
	for range simSteps {
		w.outside()
		in := w.input()
		step := Next(w.spec, w.state, in, fakes())
		if w.chance(10) && !reflect.DeepEqual(step, Next(w.spec, w.state, in, fakes())) {
			return fmt.Errorf("the same input gave another step than %+v", step)
		}
		if err := w.commit(step); err != nil {
			return err
		}
		if Final(w.state.Phase) && w.allAnswered() {
			return w.lawsOfEnd()
		}
		if w.now.Sub(noon) > simTime {
			break
		}
		w.pass()
	}
	return fmt.Errorf("it did not end: %s, %s", w.state.Phase, w.now.Sub(noon))
}

// commit stores a step and does what it says; the process may die at each point, or be told that it was too slow.
func (w *simWorld) commit(s Step) error {
	if err := w.lawsOfStep(s); err != nil {
		return err
	}
	if w.chance(3) {
		w.seen["kill"]++
		w.crash()
		return nil
	}
	if len(s.Events) > 0 && w.chance(3) {
		w.seen["conflict"]++
		w.process.wake = w.now
		return nil // results are kept
	}
	w.store(s)
	if w.chance(3) {
		w.seen["kill"]++
		w.crash()
		return w.laws()
	}
	w.process.results, w.process.looks, w.process.wake = nil, s.Looks, s.Wake
	if err := w.answers(s); err != nil {
		return err
	}
	for _, a := range s.Actions {
		if err := w.do(a); err != nil {
			return err
		}
	}
	return w.laws()
}

// store writes the step as an API server does: objects come back in their own order of fields.
func (w *simWorld) store(s Step) {
	for _, e := range s.Events {
		w.state = Apply(w.state, e)
		e.At = e.At.Truncate(time.Microsecond)
		w.events = append(w.events, stored(e))
	}
	if s.Events != nil {
		w.state = stored(w.state)
	}
	w.soft = map[string]json.RawMessage{}
	for name, raw := range s.Soft {
		if w.chance(50) { // it is written now and then only
			w.soft[name] = raw
		}
	}
}

// stored is v after the way into storage and back, where the fields of an object get an order of their own.
func stored[T any](v T) (out T) {
	raw := data(v)
	for _, into := range []any{new(any), &out} {
		in := json.NewDecoder(bytes.NewReader(raw))
		in.UseNumber()
		if err := in.Decode(into); err != nil {
			panic(err)
		}
		var b bytes.Buffer
		to := json.NewEncoder(&b)
		to.SetEscapeHTML(false)
		if err := to.Encode(into); err != nil {
			panic(err)
		}
		raw = b.Bytes()
	}
	return out
}

func (w *simWorld) crash() {
	for _, id := range slices.Sorted(maps.Keys(w.process.flying)) {
		ends := w.process.flying[id]
		if _, happened := w.effects[id]; !happened && (w.now.After(ends) || w.chance(50)) {
			w.happen(w.kinds[id]) // it was on its way
		}
	}
	w.process = simProcess{facts: map[string]Fact{}, flying: map[string]time.Time{}, wake: w.now}
}

// input is what the process knows.
func (w *simWorld) input() Input {
	p := &w.process
	in := Input{Now: w.now, Run: w.run, Soft: w.soft, Results: slices.Clone(p.results), Gates: map[string]Gate{}}
	for _, l := range p.looks {
		if f, ok := p.facts[l.Key]; (!ok || !w.now.Before(f.At.Add(l.Every))) && w.chance(90) {
			p.facts[l.Key] = w.see(l)
		}
	}
	in.Facts = p.facts
	for _, st := range w.state.Stages {
		if o := st.Open; o.pending() && p.flying[o.ID].IsZero() && !slices.ContainsFunc(p.results, func(r Result) bool { return r.ID == o.ID }) {
			in.Lost = append(in.Lost, o.ID)
		}
	}
	slices.Sort(in.Lost)
	for _, d := range w.decisions {
		if !d.answered {
			in.Decisions = append(in.Decisions, d.Decision)
		}
	}
	for _, s := range w.spec.Stages {
		if at := w.opens[s.Name]; w.now.Before(at) {
			w.seen["gate"]++
			in.Gates[s.Name] = Gate{Why: "closed", Until: pick(w, at, time.Time{})}
		}
	}
	if w.chance(5) {
		w.seen["again"]++
		in.Results = append(in.Results, Result{ID: "u/s0/9/9", OK: true}, Result{ID: "elsewhere"})
	}
	return in
}
