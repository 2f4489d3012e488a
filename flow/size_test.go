package flow

import (
	"fmt"
	"sync"
	"testing"
)

// Most inputs give nothing to most derivations: they must not be paid for.
func TestAnInputThatGivesNothingLeavesNothing(t *testing.T) {
	g := New(Options{})
	s := NewSource[num](g, "rows")
	Derive(s.Collection, "out", func(_ *Ctx, r num) (out []num) {
		if r.N > 0 {
			out = append(out, r)
		}
		return out
	})
	d := g.names["out"].(*derivation[num])
	set := func(n int) {
		g.Commit(func(tx *Tx) {
			for i := range 100 {
				s.Set(tx, num{K: fmt.Sprint(i), N: n})
			}
		})
	}
	for _, n := range []int{0, 1, 0} {
		if set(n); len(d.made) != 100*n || d.Len() != 100*n {
			t.Errorf("N=%d: %d products and %d rows, want %d", n, len(d.made), d.Len(), 100*n)
		}
	}
}

// Who reads is kept in a list while there are few and in a map when there are
// many: the way there and back must lose nobody.
func TestManyReadersOfOneRowAndOneReaderOfMany(t *testing.T) {
	const many = 5 * few
	g := New(Options{})
	s, hub := NewSource[num](g, "rows"), NewSource[num](g, "hub")
	each := Derive(s.Collection, "each", func(x *Ctx, r num) []num {
		h, _ := Get(x, hub.Collection, "hub")
		return []num{{K: r.K, N: h.N}}
	})
	sum := Derive(hub.Collection, "sum", func(x *Ctx, h num) []num {
		n := 0
		for range 2 {
			for i := range many {
				r, _ := Get(x, each, fmt.Sprint(i))
				n += r.N
			}
		}
		return []num{{K: "sum", N: n}}
	})
	g.Commit(func(tx *Tx) {
		for i := range many {
			s.Set(tx, num{K: fmt.Sprint(i)})
		}
		hub.Set(tx, num{K: "hub"})
	})
	if refs := g.Inputs("sum", "sum"); len(refs) != 1+many {
		t.Errorf("%d inputs, want each once: %d", len(refs), 1+many)
	}
	for left := many; left >= 0; left-- {
		before := g.Stats().Runs
		g.Commit(func(tx *Tx) { hub.Set(tx, num{K: "hub", N: left + 1}) })
		if r, _ := sum.Get("sum"); r.N != 2*left*(left+1) || g.Stats().Runs-before != uint64(left+1) {
			t.Fatalf("%d rows left: sum %d after %d runs", left, r.N, g.Stats().Runs-before)
		}
		g.Commit(func(tx *Tx) { s.Delete(tx, fmt.Sprint(left-1)) })
	}
	if n := len(hub.byKey.who); n != 0 {
		t.Errorf("%d rows have readers that are gone", n)
	}
}

// A row that is recomputed as it was is the row that was: rows that nothing
// changes are held once, however often they are derived.
func TestAnEqualRowIsHeldOnce(t *testing.T) {
	g := New(Options{})
	s := NewSource[num](g, "rows")
	Derive(s.Collection, "out", func(_ *Ctx, r num) []num { return []num{{K: r.K, Note: r.N}} })
	d := g.names["out"].(*derivation[num])
	for n := range 3 {
		g.Commit(func(tx *Tx) { s.Set(tx, num{K: "a", N: n}) })
		if d.made["a"].rows[0] != d.rows["a"] || d.rows["a"].row.Note != 0 {
			t.Fatalf("run %d: made %v, has %v", n, d.made["a"].rows[0], d.rows["a"])
		}
	}
}

// Under load there are fewer commits than stages, and none is lost.
func TestLoadMakesBatches(t *testing.T) {
	const stages = 1000
	g := New(Options{})
	s := NewSource[num](g, "rows")
	busy, done := make(chan struct{}), make(chan struct{})
	commits, rows := 0, 0
	var once sync.Once
	s.Observe(func(_ Revision, changes []Change[num]) {
		once.Do(func() { <-busy }) // the first commit takes as long as all the submissions
		commits, rows = commits+1, rows+len(changes)
		if rows == stages {
			close(done)
		}
	})
	for i := range stages {
		g.Submit(func(tx *Tx) { s.Set(tx, num{K: fmt.Sprint(i)}) })
	}
	close(busy)
	<-done
	if commits > 2 {
		t.Errorf("%d stages took %d commits, want the first and one for all that came meanwhile", stages, commits)
	}
}

// What one large commit left behind must not be paid by the small ones after it:
// nothing that a commit walks keeps the size of the largest.
func TestASmallCommitAfterALargeOneKeepsNothing(t *testing.T) {
	g, _, ends, _ := shop(9000)
	g.Commit(func(tx *Tx) { ends.Set(tx, num{K: "0003/b"}) })
	d := g.names["clusters"].(*derivation[num])
	if len(ends.staged)+len(d.dirty)+len(d.next)+len(ends.changes)+len(d.changes) != 0 {
		t.Error("a commit left its own state behind")
	}
	allocated := testing.AllocsPerRun(100, func() {
		r, _ := ends.Get("0003/b")
		g.Commit(func(tx *Tx) { ends.Set(tx, num{K: "0003/b", N: r.N + 1}) })
	})
	if allocated > 60 {
		t.Errorf("%v allocations for one row of 9,000, want a constant few", allocated)
	}
}

// A digested source holds bare rows, at once and whether there was news or not.
func TestADigestedSourceHoldsBareRows(t *testing.T) {
	g := New(Options{})
	s := NewSource[num](g, "rows")
	Digest(s.Collection, "out", bare, func(r num) []num { return nil })
	var seen []num
	s.Observe(func(_ Revision, all []Change[num]) { seen = append(seen, *all[0].New) })
	for _, note := range []int{1, 2} {
		g.Commit(func(tx *Tx) { s.Set(tx, num{K: "a", N: 1, Note: note}) })
		if r, _ := s.Get("a"); r.Note != 0 || len(s.whole) != 0 {
			t.Errorf("after note %d: the source holds %v, and %d whole rows", note, r, len(s.whole))
		}
	}
	if len(seen) != 1 || seen[0].Note != 0 {
		t.Errorf("observed %v, want one bare row", seen)
	}
	mustPanic(t, "a digest of what is no source", func() {
		g := New(Options{})
		s := NewSource[num](g, "rows")
		d := Derive(s.Collection, "derived", func(_ *Ctx, r num) []num { return nil })
		Digest(d, "out", bare, func(r num) []num { return nil })
	})
}
