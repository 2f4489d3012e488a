package host

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/release/instances"
)

// hall is a fleet of hosts in virtual time, of whom each runs what it is told.
type hall struct {
	fleet
	v *v1alpha1.HostVersion
}

func newHall(hosts ...string) *hall {
	h := &hall{fleet{hosts: map[string]*machine{}, now: time.Unix(1000, 0), began: time.Unix(0, 0), load: map[string]int{}}, &v1alpha1.HostVersion{}}
	h.v.Namespace, h.v.Name, h.v.Spec.Application = "shop", "reviews-v2", "reviews"
	for _, host := range hosts {
		h.hosts[host] = &machine{
			report: model.HostReport{Allows: []string{"shop/*"}, Labels: map[string]string{"zone": host[:1]}}, states: map[string]model.HostState{},
			may: func(string, string) bool { return true }, done: map[string]bool{},
		}
		h.hear(host)
	}
	return h
}

func (h *hall) hear(hosts ...string) {
	for _, host := range hosts {
		h.hosts[host].at = h.now
	}
}

// settle has hosts do what they are told, if they are heard, until nothing changes.
func (h *hall) settle() map[string]int {
	for same, rounds := 0, 0; same < 2 && rounds < 100; same, rounds = same+1, rounds+1 {
		before := h.v.DeepCopy()
		h.plan(h.v)
		for _, i := range h.v.Spec.Instances {
			if m := h.hosts[i.Host]; m.at.Equal(h.now) {
				m.states["shop/"+i.Name] = model.HostState{Running: !i.Ends, Ready: !i.Ends}
				m.done["shop/"+i.Name] = i.Ends
			}
		}
		if !reflect.DeepEqual(before, h.v) {
			same = 0
		}
	}
	return counts(h.v)
}

func want(t *testing.T, what string, got map[string]int, want string) {
	t.Helper()
	if text := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(got), "map["), "]"); text != want {
		t.Errorf("%s: %s, want %s", what, text, want)
	}
}

// TestSpread: evenly, and nobody moves without need.
func TestSpread(t *testing.T) {
	h := newHall("a1", "a2", "b1")
	h.load["a1"] = 10 // of others
	h.v.Spec.Replicas = 3
	want(t, "three", h.settle(), "a1:1 a2:1 b1:1")
	h.v.Spec.Replicas = 7
	want(t, "seven", h.settle(), "a1:2 a2:3 b1:2")
	h.v.Spec.Replicas = 4
	want(t, "four", h.settle(), "a1:1 a2:2 b1:1")
	h.v.Spec.Run.Hosts = map[string]v1alpha1.Value{"zone": "a"}
	h.v.Spec.Replicas = 6
	want(t, "six in zone a", h.settle(), "a1:2 a2:3 b1:1")
	h.v.Spec.Round++
	want(t, "another round", h.settle(), "a1:3 a2:3")
	if len(h.v.Spec.Instances) != 6 {
		t.Errorf("%+v are left", h.v.Spec.Instances)
	}
	h.v.Spec.Deleted = true
	want(t, "none", h.settle(), "")
}

// TestRound: never fewer ready than wanted, while instances are replaced.
func TestRound(t *testing.T) {
	h := newHall("a1", "a2")
	h.v.Spec.Replicas = 4
	h.settle()
	h.v.Spec.Round++
	for range 20 {
		h.plan(h.v)
		ready := 0
		for _, i := range h.v.Spec.Instances {
			state := h.hosts[i.Host].states["shop/"+i.Name]
			if state.Ready && !i.Ends {
				ready++
			}
		}
		if ready < 4 {
			t.Fatalf("%d ready of %+v", ready, h.v.Spec.Instances)
		}
		for _, i := range h.v.Spec.Instances { // one begins at a time
			if m := h.hosts[i.Host]; !m.states["shop/"+i.Name].Ready && !i.Ends {
				m.states["shop/"+i.Name] = model.HostState{Running: true, Ready: true}
				break
			}
		}
		for _, i := range h.v.Spec.Instances {
			h.hosts[i.Host].done["shop/"+i.Name] = i.Ends
		}
	}
	want(t, "after the round", counts(h.v), "a1:2 a2:2")
	if len(h.v.Spec.Instances) != 4 {
		t.Errorf("%+v are left", h.v.Spec.Instances)
	}
}

// TestSilence: who is silent does not run; its share moves after a time, unless it is us.
func TestSilence(t *testing.T) {
	h := newHall("a1", "a2", "b1")
	h.v.Spec.Replicas = 3
	h.settle()
	h.now = h.now.Add(leaseTime)
	h.hear("a1", "a2")
	want(t, "silent", h.settle(), "a1:1 a2:1 b1:1")
	if s := h.seen(h.v); s.Ready != 2 || s.Running != 2 || !strings.Contains(s.Why, "b1, which is silent") {
		t.Errorf("%+v", s)
	}
	h.now = h.now.Add(MoveAfter)
	h.hear("a1", "a2")
	want(t, "moved", h.settle(), "a1:2 a2:1")
	if s := h.seen(h.v); s.Ready != 3 || s.Why != "" {
		t.Errorf("%+v", s)
	}
	h.hear("b1")
	h.settle()
	if len(h.v.Spec.Instances) != 3 {
		t.Errorf("who comes back ends what is another's: %+v", h.v.Spec.Instances)
	}
	h.now = h.now.Add(2 * MoveAfter)
	want(t, "nobody is heard", h.settle(), "a1:2 a2:1")
}

// TestHomeless: why nobody takes it is said.
func TestHomeless(t *testing.T) {
	h := newHall("a1", "b1", "b2")
	h.v.Spec.Replicas = 1
	h.v.Spec.Run.Hosts = map[string]v1alpha1.Value{"zone": "b"}
	h.hosts["b1"].report.Allows = []string{"shop/ratings"}
	h.hosts["b2"].may = func(string, string) bool { return false }
	want(t, "nowhere", h.settle(), "")
	why := h.seen(h.v).Why
	for _, text := range []string{"a1 has no label zone=b", "b1 does not let weft start shop/reviews", "the token that b2 joined with does not cover"} {
		if !strings.Contains(why, text) {
			t.Errorf("%q lacks %q", why, text)
		}
	}
}

// none is a store that has nothing.
type none struct{ Versions }

func (none) List(context.Context, string) ([]*v1alpha1.HostVersion, error) {
	v := &v1alpha1.HostVersion{}
	v.Spec.Application, v.Spec.Version = "reviews", "v1"
	v.Spec.Instances = []v1alpha1.HostInstance{{Name: "reviews-v1-1", Host: "a1"}}
	return []*v1alpha1.HostVersion{v}, nil
}

// TestUnknown: a server that has just begun says that it does not know, and not that nothing runs.
func TestUnknown(t *testing.T) {
	now := time.Unix(1000, 0)
	p := New(Options{Versions: none{}, Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	target := instances.Target{Namespace: "shop", Application: "reviews"}
	if _, err := p.Observe(t.Context(), target); err == nil || !strings.Contains(err.Error(), "does not lead") {
		t.Errorf("who does not lead: %v", err)
	}
	p.began = now
	if _, err := p.Observe(t.Context(), target); err == nil || !strings.Contains(err.Error(), "a1 has not said yet") {
		t.Errorf("who has just begun: %v", err)
	}
	now = now.Add(leaseTime)
	if seen, err := p.Observe(t.Context(), target); err != nil || seen["v1"].Running != 0 || !strings.Contains(seen["v1"].Why, "silent") {
		t.Errorf("who has waited: %+v %v", seen, err)
	}
}

// TestDone: an instance is gone when its host says so after the order that ends it, and not before.
func TestDone(t *testing.T) {
	p := New(Options{Versions: none{}, Now: time.Now})
	p.tell(map[string][]model.HostInstance{"a1": {{Namespace: "shop", Name: "x", Ends: true}, {Namespace: "shop", Name: "y"}, {Namespace: "shop", Name: "z", Ends: true}}})
	hear := func(taken int64) map[string]bool {
		p.Hear("a1", nil, model.HostReport{Taken: taken, Instances: []model.HostState{{Namespace: "shop", Name: "z"}}})
		return p.hosts["a1"].done
	}
	if done := hear(0); len(done) > 0 {
		t.Errorf("before it has taken the order: %v", done)
	}
	if done := hear(1); !done["shop/x"] || done["shop/y"] || done["shop/z"] {
		t.Errorf("after it: %v", done)
	}
}
