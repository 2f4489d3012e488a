package fake

import (
	"sync"
	"testing"
	"time"

	"weft.dev/release/instances"
	"weft.dev/release/provider/conform"
)

// clock is a virtual one.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func bad(image string) string {
	if image == "bad" {
		return "its process ends at once"
	}
	return ""
}

func TestConformance(t *testing.T) {
	conform.Run(t, func(*testing.T) conform.Subject {
		time := &clock{now: time.Unix(0, 0)}
		return conform.Subject{
			Provider: New(Options{Now: time.read, Start: 3e9, Stop: 2e9, Bad: bad}),
			Target:   instances.Target{Namespace: "shop", Application: "reviews"},
			Good:     "good", Bad: "bad", Pass: func() { time.pass(1e9) }, Looks: 20,
		}
	})
}

// Who finds no room waits, and is started when there is.
func TestRoom(t *testing.T) {
	time := &clock{now: time.Unix(0, 0)}
	p := New(Options{Now: time.read, Stop: 1e9, Room: 3})
	target := instances.Target{Namespace: "shop", Application: "reviews"}
	do := func(verb instances.Verb, version string, replicas int) {
		t.Helper()
		time.pass(1e6)
		if err := p.Do(t.Context(), instances.Action{ID: time.read().String(), Seq: instances.Seq(time.read()), Verb: verb, Target: target, Version: version, Replicas: replicas}); err != nil {
			t.Fatal(err)
		}
	}
	do(instances.Deploy, "v1", 2)
	do(instances.Deploy, "v2", 0) // as many as v1 has
	want := func(v string, running int, why bool) {
		t.Helper()
		seen, err := p.Observe(t.Context(), target)
		if s := seen[v]; err != nil || s.Wanted != 2 && v == "v2" || s.Running != running || s.Ready > running || (s.Why != "") != why || s.Failed {
			t.Errorf("%s: %+v %v", v, s, err)
		}
	}
	want("v2", 1, true)
	do(instances.Scale, "v1", 1)
	want("v1", 2, false) // one of them leaves
	want("v2", 1, true)
	time.pass(1e9)
	want("v1", 1, false)
	want("v2", 2, false)
}
