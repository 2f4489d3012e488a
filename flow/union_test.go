package flow

import (
	"fmt"
	"slices"
	"testing"
)

// A key that several collections have is the first one's; the next takes over when
// it goes, and the fault is there for as long as two have it.
func TestUnionOfContestedKeys(t *testing.T) {
	g := New(Options{})
	first, second := NewSource[num](g, "first"), NewSource[num](g, "second")
	u := Union("union", first.Collection, second.Collection)
	is := func(when string, rows []num, from string, faults int) {
		t.Helper()
		if got := u.All(); !slices.Equal(got, rows) {
			t.Errorf("%s: rows %v, want %v", when, got, rows)
		}
		if got := fmt.Sprint(g.Inputs("union", "a")); got != from {
			t.Errorf("%s: a comes from %s, want %s", when, got, from)
		}
		if got := g.Faults(); len(got) != faults {
			t.Errorf("%s: faults %v, want %d", when, got, faults)
		}
	}
	g.Commit(func(tx *Tx) { second.Set(tx, num{K: "a", N: 2}); second.Set(tx, num{K: "b", N: 2}) })
	is("one has it", []num{{K: "a", N: 2}, {K: "b", N: 2}}, "[second[a]]", 0)
	g.Commit(func(tx *Tx) { first.Set(tx, num{K: "a", N: 1}) })
	is("both have it", []num{{K: "a", N: 1}, {K: "b", N: 2}}, "[first[a]]", 1)
	if f := g.Faults(); f[0].String() != "union[a] from second[a]: row not taken: first[a] gives the same key" {
		t.Errorf("the fault is %q", f[0])
	}
	g.Commit(func(tx *Tx) { second.Set(tx, num{K: "a", N: 3}) })
	is("the later one changes", []num{{K: "a", N: 1}, {K: "b", N: 2}}, "[first[a]]", 1)
	if n := g.Stats().Faults; n != 1 {
		t.Errorf("%d faults counted, want 1", n)
	}
	g.Commit(func(tx *Tx) { first.Delete(tx, "a") })
	is("the first one's is gone", []num{{K: "a", N: 3}, {K: "b", N: 2}}, "[second[a]]", 0)
	g.Commit(func(tx *Tx) { second.Delete(tx, "a") })
	is("nobody has it", []num{{K: "b", N: 2}}, "[]", 0)
}
