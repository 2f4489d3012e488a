package main

import (
	"errors"
	"slices"
	"testing"
	"time"

	"weft.dev/store/serve"
	"weft.dev/tap"
)

// Who looks closely is in the audit before a proxy tells, and where that cannot be written none does.
func TestWhoLooksIsRecorded(t *testing.T) {
	m, recorded := showing(t)
	bob := asked("bob", "qa")
	told := 0
	ask := func() bool { told++; return true }
	m.taps = tap.NewHub(func(string, time.Duration) bool { return ask() })
	m.full = newFullStats(func(string, string, time.Duration) bool { return ask() })
	is := func(verb, how string) {
		t.Helper()
		last := (*recorded)[len(*recorded)-1]
		if last.By != "bob" || !slices.Equal(last.Groups, []string{"qa"}) || last.Verb != verb || last.Kind != "Workload" || last.Namespace != "shop" || last.Name != "ingress-1" || !slices.Equal(last.Changed, []string{how}) {
			t.Errorf("recorded %+v", last)
		}
	}
	listener, err := m.tap(bob, "ingress")
	if err != nil {
		t.Fatal(err)
	}
	listener.Leave()
	is("tap", "of: ingress")
	if err := m.switchStats(bob, "shop/ingress-1", time.Minute); err != nil {
		t.Fatal(err)
	}
	is("stats", "for: 1m0s")
	full := errors.New("the disk is full")
	m.record = func(serve.Mutation) error { return full }
	told = 0
	if listener, err := m.tap(bob, "ingress"); !errors.Is(err, full) || listener != nil {
		t.Errorf("unrecorded, bob looks: %v", err)
	}
	if err := m.switchStats(bob, "shop/ingress-1", time.Minute); !errors.Is(err, full) || told != 0 {
		t.Errorf("unrecorded, %d proxies were asked: %v", told, err)
	}
}
