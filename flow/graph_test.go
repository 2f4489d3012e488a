package flow

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// Every kind of collection keeps the same promises. A kind here is a way to
// make a collection that copies the rows of a source.
func TestConformance(t *testing.T) {
	kinds := map[string]func(*Source[num]) *Collection[num]{
		"source": func(s *Source[num]) *Collection[num] { return s.Collection },
		"derive": func(s *Source[num]) *Collection[num] {
			return Derive(s.Collection, "derive", func(_ *Ctx, r num) []num { return []num{r} })
		},
		"group": func(s *Source[num]) *Collection[num] {
			byKey := NewIndex(s.Collection, func(r num) []string { return []string{r.K} })
			return Group(byKey, "group", func(_ *Ctx, _ string, rows []num) *num { return &rows[0] })
		},
		"union": func(s *Source[num]) *Collection[num] {
			return Union("union", NewSource[num](s.g, "empty").Collection, s.Collection)
		},
	}
	for name, make := range kinds {
		t.Run(name, func(t *testing.T) { conforms(t, make) })
	}
}

func conforms(t *testing.T, make func(*Source[num]) *Collection[num]) {
	g := New(Options{})
	s := NewSource[num](g, "rows")
	c := make(s)
	ix := NewIndex(c, mod(2))
	var log []string
	c.Observe(func(rev Revision, changes []Change[num]) {
		for _, ch := range changes {
			// The whole graph has settled: an index shows the same revision.
			g.View(func(x *Ctx) {
				log = append(log, fmt.Sprintf("%d %s %v %v %d", rev, ch.Key, ch.Old, ch.New, len(Lookup(x, ix, "all"))))
			})
		}
	})
	steps := []struct {
		do   func(*Tx)
		rev  Revision
		rows []num
		log  []string
	}{
		{func(tx *Tx) { s.Set(tx, num{K: "b", N: 1}); s.Set(tx, num{K: "a", N: 2}) }, 1,
			[]num{{K: "a", N: 2}, {K: "b", N: 1}}, []string{"1 a <nil> &{a 2 0} 2", "1 b <nil> &{b 1 0} 2"}},
		{func(tx *Tx) { s.Set(tx, num{K: "b", N: 1, Note: 7}) }, 1, // equal: no news
			[]num{{K: "a", N: 2}, {K: "b", N: 1}}, nil},
		{func(tx *Tx) { s.Set(tx, num{K: "b", N: 9}); s.Set(tx, num{K: "b", N: 1}) }, 1, // there and back
			[]num{{K: "a", N: 2}, {K: "b", N: 1}}, nil},
		{func(tx *Tx) { s.Delete(tx, "a"); s.Set(tx, num{K: "b", N: 4}) }, 2,
			[]num{{K: "b", N: 4}}, []string{"2 a &{a 2 0} <nil> 1", "2 b &{b 1 0} &{b 4 0} 1"}},
		{func(tx *Tx) { s.Replace(tx, "", []num{{K: "b", N: 4}, {K: "c", N: 0}}) }, 3,
			[]num{{K: "b", N: 4}, {K: "c", N: 0}}, []string{"3 c <nil> &{c 0 0} 2"}},
		{func(tx *Tx) { s.Replace(tx, "", nil) }, 4, []num{}, []string{"4 b &{b 4 0} <nil> 0", "4 c &{c 0 0} <nil> 0"}},
	}
	for i, step := range steps {
		log = nil
		if rev := g.Commit(step.do); rev != step.rev {
			t.Fatalf("step %d: revision %d, want %d", i, rev, step.rev)
		}
		if g.Published() != step.rev {
			t.Fatalf("step %d: published %d, want %d", i, g.Published(), step.rev)
		}
		if rows := c.All(); !reflect.DeepEqual(rows, step.rows) || c.Len() != len(step.rows) {
			t.Fatalf("step %d: rows %v (%d), want %v", i, rows, c.Len(), step.rows)
		}
		for _, r := range step.rows {
			if got, ok := c.Get(r.K); !ok || got != r {
				t.Fatalf("step %d: %q is %v, %v", i, r.K, got, ok)
			}
		}
		if !slices.Equal(log, step.log) {
			t.Fatalf("step %d: changes %q, want %q", i, log, step.log)
		}
	}
	if _, ok := c.Get("b"); ok {
		t.Fatal("deleted row is there")
	}
}

// shop wires services and endpoints as compile does: one row per service that
// reads its own endpoints.
func shop(services int) (g *Graph, svc, ends *Source[num], out *Collection[num]) {
	g = New(Options{})
	svc, ends = NewSource[num](g, "services"), NewSource[num](g, "endpoints")
	of := NewIndex(ends.Collection, func(r num) []string { return []string{r.K[:4]} })
	out = Derive(svc.Collection, "clusters", func(x *Ctx, r num) []num {
		return []num{{K: r.K, N: len(Lookup(x, of, r.K))}}
	})
	g.Commit(func(tx *Tx) {
		for i := range services {
			svc.Set(tx, num{K: fmt.Sprintf("%04d", i)})
			ends.Set(tx, num{K: fmt.Sprintf("%04d/a", i)})
		}
	})
	return g, svc, ends, out
}

func TestCostOfAChangeIsIndependentOfUnrelatedRows(t *testing.T) {
	for _, services := range []int{10, 1000, 9000} {
		g, _, ends, out := shop(services)
		before := g.Stats().Runs
		g.Commit(func(tx *Tx) { ends.Set(tx, num{K: "0003/b"}) })
		if runs := g.Stats().Runs - before; runs != 1 {
			t.Errorf("%d services: one endpoint ran %d derivations, want 1", services, runs)
		}
		if r, _ := out.Get("0003"); r.N != 2 {
			t.Errorf("cluster has %d endpoints, want 2", r.N)
		}
		before = g.Stats().Runs
		g.Commit(func(tx *Tx) { ends.Replace(tx, "", ends.All()) })
		if runs := g.Stats().Runs - before; runs != 0 {
			t.Errorf("%d services: an equal resync ran %d derivations", services, runs)
		}
	}
}

func BenchmarkEndpointChange(b *testing.B) {
	for _, services := range []int{100, 9000} {
		b.Run(fmt.Sprint(services), func(b *testing.B) {
			g, _, ends, _ := shop(services)
			before := g.Stats().Runs
			for i := 0; b.Loop(); i++ {
				g.Commit(func(tx *Tx) { ends.Set(tx, num{K: "0003/b", N: i}) })
			}
			b.ReportMetric(float64(g.Stats().Runs-before)/float64(b.N), "runs/op")
		})
	}
}

func TestInputsNameWhatWasReadAndWhatWasMissing(t *testing.T) {
	g := New(Options{})
	s, other := NewSource[num](g, "rows"), NewSource[num](g, "other")
	ix := NewIndex(other.Collection, mod(2))
	Derive(s.Collection, "out", func(x *Ctx, r num) []num {
		Get(x, other.Collection, "absent")
		Lookup(x, ix, "0")
		Get(x, other.Collection, "absent")
		All(x, other.Collection)
		return []num{{K: "made"}}
	})
	g.Commit(func(tx *Tx) { s.Set(tx, num{K: "a"}) })
	if got, want := fmt.Sprint(g.Inputs("out", "made")), "[rows[a] other[absent] other[*=0] other[*]]"; got != want {
		t.Errorf("inputs %s, want %s", got, want)
	}
	if got := g.Inputs("rows", "a"); got != nil {
		t.Errorf("a source's row came from %v", got)
	}
	if got := g.Inputs("out", "nothing"); got != nil {
		t.Errorf("a missing row came from %v", got)
	}
}

func TestAKeyBelongsToTheSmallestInput(t *testing.T) {
	g := New(Options{})
	s := NewSource[num](g, "rows")
	out := Derive(s.Collection, "out", func(_ *Ctx, r num) []num { return []num{{K: "same", N: r.N}} })
	set := func(rows ...num) {
		g.Commit(func(tx *Tx) { s.Replace(tx, "", rows) })
	}
	want := func(n, faults int) {
		t.Helper()
		if r, _ := out.Get("same"); r.N != n || len(g.Faults()) != faults {
			t.Fatalf("row %v with faults %v, want %d and %d", r, g.Faults(), n, faults)
		}
	}
	set(num{K: "b", N: 2}, num{K: "c", N: 3})
	want(2, 1)
	set(num{K: "a", N: 1}, num{K: "b", N: 2}, num{K: "c", N: 3})
	want(1, 2)
	set(num{K: "c", N: 3})
	want(3, 0)
	if n := g.Stats().Faults; n != 2 {
		t.Errorf("%d faults counted, want 2", n)
	}
}

func TestOriginsDoNotOverwriteEachOther(t *testing.T) {
	g := New(Options{})
	s := NewSource[num](g, "rows")
	g.Commit(func(tx *Tx) {
		s.Replace(tx, "east", []num{{K: "a", N: 1}, {K: "b", N: 1}})
		s.Replace(tx, "west", []num{{K: "b", N: 2}, {K: "c", N: 2}})
	})
	check := func(want string, faults int) {
		t.Helper()
		if got := fmt.Sprint(s.All()); got != want || len(g.Faults()) != faults {
			t.Fatalf("rows %s with faults %v, want %s and %d", got, g.Faults(), want, faults)
		}
	}
	check("[{a 1 0} {b 1 0} {c 2 0}]", 1)
	g.Commit(func(tx *Tx) { s.Replace(tx, "east", nil) })
	check("[{c 2 0}]", 0)
	g.Commit(func(tx *Tx) { s.Replace(tx, "west", []num{{K: "b", N: 2}}) })
	check("[{b 2 0}]", 0)
}

func TestPanicKeepsTheLastGoodRow(t *testing.T) {
	g := New(Options{KeepLastGood: true})
	s, flag := NewSource[num](g, "rows"), NewSource[num](g, "flag")
	out := Derive(s.Collection, "out", func(x *Ctx, r num) []num {
		f, _ := Get(x, flag.Collection, "broken")
		if r.N == 13 || f.N == 1 {
			panic("unlucky")
		}
		return []num{r}
	})
	commit := func(rows ...num) { g.Commit(func(tx *Tx) { s.Replace(tx, "", rows) }) }
	commit(num{K: "a", N: 1}, num{K: "b", N: 1})
	commit(num{K: "a", N: 13}, num{K: "b", N: 2})
	if got := fmt.Sprint(out.All()); got != "[{a 1 0} {b 2 0}]" {
		t.Fatalf("rows %s", got)
	}
	if got := fmt.Sprint(g.Faults()); got != "[out[] from rows[a]: panic: unlucky]" {
		t.Fatalf("faults %s", got)
	}
	commit(num{K: "a", N: 3}, num{K: "b", N: 2})
	g.Commit(func(tx *Tx) { flag.Set(tx, num{K: "broken", N: 1}) })
	if got := fmt.Sprint(out.All(), len(g.Faults()), g.Stats().Faults); got != "[{a 3 0} {b 2 0}] 2 3" {
		t.Fatalf("rows and faults %s", got)
	}
	g.Commit(func(tx *Tx) { flag.Set(tx, num{K: "broken"}); s.Delete(tx, "b") })
	if got := fmt.Sprint(out.All(), len(g.Faults())); got != "[{a 3 0}] 0" {
		t.Fatalf("rows and faults %s", got)
	}
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}

func TestMisusePanics(t *testing.T) {
	g := New(Options{})
	s := NewSource[num](g, "rows")
	var later *Source[num]
	Derive(s.Collection, "out", func(x *Ctx, r num) []num {
		if r.N == 1 {
			Get(x, later.Collection, "")
		}
		return nil
	})
	later = NewSource[num](g, "later")
	mustPanic(t, "a name used twice", func() { NewSource[num](g, "rows") })
	var kept *Tx
	g.Commit(func(tx *Tx) { kept = tx })
	mustPanic(t, "a write after the commit", func() { s.Set(kept, num{K: "a"}) })
	mustPanic(t, "a collection after the first commit", func() { NewSource[num](g, "new") })
	mustPanic(t, "an index after the first commit", func() { NewIndex(s.Collection, mod(2)) })
	mustPanic(t, "a read of a later collection", func() {
		g.Commit(func(tx *Tx) { s.Set(tx, num{K: "a", N: 1}) })
	})
}

func TestAPanickingStageLeavesNothing(t *testing.T) {
	g := New(Options{})
	s := NewSource[num](g, "rows")
	mustPanic(t, "the stage", func() {
		g.Commit(func(tx *Tx) { s.SetFrom(tx, "x", num{K: "a"}); panic("stop") })
	})
	if rev := g.Commit(func(tx *Tx) { s.SetFrom(tx, "y", num{K: "b"}) }); rev != 1 || s.Len() != 1 {
		t.Errorf("revision %d with %v", rev, s.All())
	}
}

func TestStagedReadsItsOwnWrites(t *testing.T) {
	g := New(Options{})
	s := NewSource[num](g, "rows")
	add := func(tx *Tx) {
		r, _ := s.Staged(tx, "a")
		s.Set(tx, num{K: "a", N: r.N + 1})
	}
	g.Commit(func(tx *Tx) { add(tx); add(tx) })
	g.Commit(func(tx *Tx) { add(tx); s.Delete(tx, "a"); add(tx); add(tx) })
	if r, _ := s.Get("a"); r.N != 2 {
		t.Errorf("counted %d, want 2", r.N)
	}
}

// What is submitted while a commit runs is one commit after it.
func TestSubmitGroupsWithoutATimer(t *testing.T) {
	g := New(Options{Queue: 100})
	s := NewSource[num](g, "rows")
	entered, leave := make(chan struct{}), make(chan struct{})
	var revs []Revision
	s.Observe(func(rev Revision, changes []Change[num]) {
		revs = append(revs, rev)
		if rev == 1 {
			close(entered)
			<-leave
		}
	})
	g.Submit(func(tx *Tx) { s.Set(tx, num{K: "first"}) })
	<-entered
	for i := range 100 {
		g.Submit(func(tx *Tx) { s.Set(tx, num{K: fmt.Sprint(i)}) })
	}
	blocked := make(chan struct{})
	go func() {
		g.Submit(func(tx *Tx) { s.Set(tx, num{K: "last"}) })
		close(blocked)
	}()
	select {
	case <-blocked:
		t.Error("a full queue let a stage in")
	default:
	}
	close(leave)
	<-blocked
	if g.Commit(func(*Tx) {}); s.Len() != 102 || len(revs) > 3 {
		t.Errorf("%d rows in commits %v, want 102 in at most 3", s.Len(), revs)
	}
}

func TestReadersSeeWholeCommits(t *testing.T) {
	g := New(Options{})
	s := NewSource[num](g, "rows")
	double := Derive(s.Collection, "double", func(_ *Ctx, r num) []num { return []num{{K: r.K, N: 2 * r.N}} })
	var stop atomic.Bool
	var readers, writers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for !stop.Load() {
				g.View(func(x *Ctx) {
					a, _ := Get(x, s.Collection, "a")
					b, _ := Get(x, s.Collection, "b")
					d, _ := Get(x, double, "b")
					if a.N != b.N || d.N != 2*a.N {
						t.Errorf("torn read: %d %d %d", a.N, b.N, d.N)
						stop.Store(true)
					}
				})
				double.All()
				g.Inputs("double", "a")
			}
		})
	}
	for range 4 {
		writers.Go(func() {
			for range 200 {
				g.Submit(func(tx *Tx) {
					r, _ := s.Staged(tx, "a")
					s.Set(tx, num{K: "a", N: r.N + 1})
					s.Set(tx, num{K: "b", N: r.N + 1})
				})
			}
		})
	}
	writers.Wait()
	g.Commit(func(*Tx) {})
	stop.Store(true)
	readers.Wait()
	if r, _ := s.Get("b"); r.N != 800 {
		t.Errorf("%d of 800 stages took effect", r.N)
	}
}
