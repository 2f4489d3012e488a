// Package conform is the test that every provider of instances passes, whatever it
// runs and wherever.
//
// Input: a Subject. Output: a test that fails. It must not know how a provider does
// what it does.
package conform

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weft.dev/release/instances"
)

// Subject is a provider, and an application that only this test runs.
type Subject struct {
	Provider instances.Provider
	Target   instances.Target
	// Serving is the version that runs already, with two instances; empty: none, and the test deploys one.
	Serving string
	// Good and Bad are an image, or a name that the manifests get: one whose instances get ready, one whose never do.
	Good, Bad string
	// Manifests of a version that runs an image; nil: the provider takes images alone.
	Manifests func(version, image string) []byte
	// Shared: the versions are of one object, so that settling one ends the others, and there are two at most.
	Shared bool
	// Gap is how many instances a version may lack while it restarts: those of a StatefulSet end before their successors start.
	Gap int
	// Pass lets time pass between two looks: a real or a virtual one.
	Pass func()
	// Looks is how often the test looks until it gives up.
	Looks int
}

// Run tests providers, each with an application of its own.
func Run(t *testing.T, subject func(t *testing.T) Subject) {
	for name, run := range map[string]func(*suite){
		"beside": (*suite).beside, "scale": (*suite).scale, "undo": (*suite).undo, "settle": (*suite).settle, "bad": (*suite).bad,
		"late": (*suite).late, "together": (*suite).together, "refused": (*suite).refused,
	} {
		t.Run(name, func(t *testing.T) { run(begin(t, subject(t))) })
	}
}

const (
	before = "v1"
	after  = "v2"
	size   = 2
)

// suite is one provider with one application, of which version before runs.
type suite struct {
	*testing.T
	Subject
	began time.Time
	seq   int
	least int // ready instances of a version that stays
}

func begin(t *testing.T, subject Subject) *suite {
	s := &suite{T: t, Subject: subject, began: time.Now(), least: size}
	if s.Serving == "" {
		s.want(s.deploy(before, s.Good))
		s.Serving = before
	}
	s.until(s.Serving, "runs", ready(size))
	return s
}

// action is the next one, later than those before it.
func (s *suite) action(verb instances.Verb, version string, replicas int) instances.Action {
	s.seq++
	return instances.Action{
		ID:  s.Target.Application + "/" + strconv.Itoa(s.seq),
		Seq: instances.Seq(s.began) + int64(s.seq), Verb: verb, Target: s.Target, Version: version, Replicas: replicas,
	}
}

func (s *suite) deploy(version, image string) instances.Action {
	a := s.action(instances.Deploy, version, size)
	a.Image = image
	if s.Manifests != nil {
		a.Manifests = s.Manifests(version, image)
	}
	return a
}

// do does an action until it is known what came of it.
func (s *suite) do(a instances.Action) (err error) {
	s.Helper()
	for range s.Looks {
		ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
		err = s.Provider.Do(ctx, a)
		cancel()
		if err == nil || errors.Is(err, instances.ErrRefused) {
			return err
		}
		s.Logf("%s %s: %v", a.Verb, a.Version, err)
		s.Pass()
	}
	s.Fatalf("%s %s: nobody ever knew whether it was done: %v", a.Verb, a.Version, err)
	return nil
}

// want does an action twice, as who crashed in between would.
func (s *suite) want(a instances.Action) {
	s.Helper()
	for range 2 {
		if err := s.do(a); err != nil {
			s.Fatalf("%s %s: %v", a.Verb, a.Version, err)
		}
	}
}

func (s *suite) observe() map[string]instances.Seen {
	s.Helper()
	seen, err := s.Provider.Observe(s.Context(), s.Target)
	if err != nil {
		s.Logf("look: %v", err)
	}
	return seen
}

type state func(seen instances.Seen, there bool) bool

func ready(n int) state {
	return func(v instances.Seen, _ bool) bool {
		return v.Wanted == n && v.Ready == n && v.Running == n && !v.Failed && v.Why == ""
	}
}

func gone(v instances.Seen, _ bool) bool { return v.Wanted == 0 && v.Running == 0 && v.Ready == 0 }

func failed(v instances.Seen, _ bool) bool { return v.Why != "" && v.Ready == 0 }

func forgotten(v instances.Seen, there bool) bool { return !there || gone(v, there) }

// until waits for a version to be as wanted, while none of those that stay is ever short of instances.
func (s *suite) until(version, what string, is state, stay ...string) {
	s.Helper()
	var seen map[string]instances.Seen
	for range s.Looks {
		seen = s.observe()
		for _, other := range stay {
			if v, there := seen[other]; seen != nil && (!there || v.Ready < s.least) {
				s.Fatalf("%s has %+v while %s is changed", other, v, version)
			}
		}
		if v, there := seen[version]; seen != nil && is(v, there) {
			return
		}
		s.Pass()
	}
	s.Fatalf("%s %s: never; there is %+v", version, what, seen)
}

// A version comes beside the one that serves, and one deploy is one.
func (s *suite) beside() {
	s.want(s.deploy(after, s.Good))
	s.until(after, "is ready", ready(size), s.Serving)
	for range 3 { // nothing goes on by itself
		s.Pass()
		s.until(after, "stays", ready(size), s.Serving)
	}
	if v := s.observe()[after]; v.Image != "" && !strings.Contains(v.Image, s.Good) && !strings.Contains(v.Image, "@") {
		s.Errorf("image %q, want %q or a digest", v.Image, s.Good)
	}
}

// A version has as many instances as it is told to, none too, and comes back.
func (s *suite) scale() {
	s.want(s.deploy(after, s.Good))
	s.until(after, "is ready", ready(size), s.Serving)
	for _, n := range []int{1, 0, size} {
		s.want(s.action(instances.Scale, after, n))
		s.until(after, "has "+strconv.Itoa(n), ready(n), s.Serving)
	}
	s.want(s.action(instances.Scale, s.Serving, 1))
	s.until(s.Serving, "has one", ready(1), after)
	s.want(s.action(instances.Scale, s.Serving, size))
	s.until(s.Serving, "has all again", ready(size), after)
}

// What is deleted ends, and what served is as it was.
func (s *suite) undo() {
	s.want(s.deploy(after, s.Good))
	s.until(after, "is ready", ready(size), s.Serving)
	s.want(s.action(instances.Delete, after, 0))
	s.until(after, "is gone", forgotten, s.Serving)
	s.want(s.action(instances.Settle, s.Serving, 0))
	s.until(s.Serving, "serves", ready(size), s.Serving)
	s.want(s.deploy(after, s.Good))
	s.until(after, "comes back", ready(size), s.Serving)
}

// A version that stays is whole, and can be restarted without a gap.
func (s *suite) settle() {
	s.want(s.deploy(after, s.Good))
	s.until(after, "is ready", ready(size), s.Serving)
	s.want(s.action(instances.Settle, after, 0))
	s.until(after, "stays", ready(size), after)
	if !s.Shared {
		s.until(s.Serving, "is left alone", ready(size), after)
		s.want(s.action(instances.Delete, s.Serving, 0))
	}
	s.until(s.Serving, "has ended", forgotten, after)
	s.least -= s.Gap
	s.want(s.action(instances.Restart, after, 0))
	s.until(after, "is restarted", ready(size), after)
}

// An image that does not run harms nobody, is told, and can be taken back.
func (s *suite) bad() {
	s.want(s.deploy(after, s.Bad))
	s.until(after, "says why", failed, s.Serving)
	s.want(s.action(instances.Delete, after, 0))
	s.until(after, "is gone", forgotten, s.Serving)
	s.until(s.Serving, "serves", ready(size), s.Serving)
}

// What arrives late changes nothing, whether it was done or not.
func (s *suite) late() {
	early := s.deploy(after, s.Bad)
	never := s.action(instances.Scale, after, 1)
	later := s.deploy(after, s.Good)
	s.want(later)
	s.until(after, "is ready", ready(size), s.Serving)
	last := s.action(instances.Scale, after, 1)
	s.want(last)
	s.until(after, "has one", ready(1), s.Serving)
	for _, a := range []instances.Action{early, never, later, last} {
		s.want(a)
		s.Pass()
		s.until(after, "has one still", ready(1), s.Serving)
	}
}

// Two who both believe that they lead do what one does.
func (s *suite) together() {
	deploy := s.deploy(after, s.Good)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { s.want(deploy) })
	}
	group.Wait()
	s.until(after, "is ready", ready(size), s.Serving)
	one, two := s.action(instances.Scale, after, 1), s.action(instances.Scale, after, size)
	for _, a := range []instances.Action{two, one, two, one} {
		group.Go(func() { s.want(a) })
	}
	group.Wait()
	s.until(after, "is as the last one says", ready(size), s.Serving)
}

// What can never be done is refused, in words that name it.
func (s *suite) refused() {
	for name, test := range map[string]struct {
		action instances.Action
		text   string
	}{
		"a verb":    {s.action("dance", s.Serving, 0), "dance"},
		"a version": {s.action(instances.Scale, "v/9", 1), "v/9"},
		"too few":   {s.action(instances.Scale, s.Serving, -1), "-1"},
		"nobody":    {s.action(instances.Scale, "v9", 1), "v9"},
		"no one":    {s.action(instances.Restart, "v9", 0), "v9"},
		"none":      {s.action(instances.Settle, "v9", 0), "v9"},
	} {
		if err := s.do(test.action); !errors.Is(err, instances.ErrRefused) || !strings.Contains(err.Error(), test.text) {
			s.Errorf("%s: %v, want a refusal that names %s", name, err, test.text)
		}
	}
	s.want(s.action(instances.Delete, "v9", 0))
	if seen, err := s.Provider.Observe(s.Context(), s.Target); err != nil || len(seen) != 1 {
		s.Errorf("after refusals there is %+v, %v", seen, err)
	}
}
