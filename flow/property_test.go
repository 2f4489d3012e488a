package flow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// num is the row of these tests. Note is no news: equality ignores it.
type num struct {
	K    string
	N    int
	Note int
}

// bare is what stays of a digested row; whole ones have a note.
func bare(r num) num { r.Note = 0; return r }

func (r num) Key() string      { return r.K }
func (r num) Equal(o num) bool { return r.K == o.K && r.N == o.N }

func mod(m int) func(num) []string {
	return func(r num) []string { return []string{fmt.Sprint(r.N % m), "all"} }
}

// node of a random graph: a kind and the earlier collections that it names.
type spec struct {
	kind        string
	in, other   int
	index, size int
}

func drawSpecs(t *rapid.T) []spec {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) spec {
		return spec{
			kind:  rapid.SampledFrom([]string{"source", "copy", "split", "clash", "get", "lookup", "scan", "some", "group", "union", "digest"}).Draw(t, "kind"),
			in:    rapid.IntRange(0, 100).Draw(t, "in"),
			other: rapid.IntRange(0, 100).Draw(t, "other"),
			index: rapid.IntRange(1, 4).Draw(t, "index"),
			size:  rapid.IntRange(1, 3).Draw(t, "size"),
		}
	}), 1, 12).Draw(t, "graph")
}

type world struct {
	g       *Graph
	sources []*Source[num]
	all     []*Collection[num]
}

func build(specs []spec) *world {
	w := &world{g: New(Options{})}
	w.source("first")
	for i, s := range specs {
		w.add(s, fmt.Sprintf("%d-%s", i, s.kind))
	}
	return w
}

func (w *world) source(name string) {
	s := NewSource[num](w.g, name)
	w.sources = append(w.sources, s)
	w.all = append(w.all, s.Collection)
}

func (w *world) add(s spec, name string) {
	in, other := w.all[s.in%len(w.all)], w.all[s.other%len(w.all)]
	var c *Collection[num]
	one := func(f func(x *Ctx, r num) num) *Collection[num] {
		return Derive(in, name, func(x *Ctx, r num) []num { return []num{f(x, r)} })
	}
	switch s.kind {
	case "source":
		w.source(name)
		return
	case "copy":
		c = one(func(_ *Ctx, r num) num { return r })
	case "split":
		c = Derive(in, name, func(_ *Ctx, r num) (out []num) {
			for i := range s.size {
				out = append(out, num{K: fmt.Sprint(r.K, "/", r.N%(i+2)), N: r.N + i})
			}
			return out
		})
	case "clash": // many inputs, few keys
		c = one(func(_ *Ctx, r num) num { return num{K: fmt.Sprint("k", r.N%s.size), N: r.N} })
	case "get":
		c = one(func(x *Ctx, r num) num {
			o, ok := Get(x, other, r.K)
			if ok && o.N%2 == 0 { // what is read depends on what was read
				o, _ = Get(x, other, fmt.Sprint("k", o.N%5))
			}
			return num{K: r.K, N: r.N + o.N}
		})
	case "lookup":
		ix := NewIndex(other, mod(s.index))
		c = one(func(x *Ctx, r num) num {
			sum := 0
			for i, o := range Lookup(x, ix, fmt.Sprint(r.N%s.index)) {
				sum += (i + 1) * o.N
			}
			return num{K: r.K, N: sum % 97}
		})
	case "scan":
		c = one(func(x *Ctx, r num) num { return num{K: r.K, N: r.N + len(All(x, other))} })
	case "some":
		c = Derive(in, name, func(_ *Ctx, r num) []num { return slices.Repeat([]num{r}, r.N%2) })
	case "group":
		c = Group(NewIndex(in, mod(s.index)), name, func(x *Ctx, by string, rows []num) *num {
			if len(rows) == s.size+3 {
				return nil
			}
			o, _ := Get(x, other, rows[0].K)
			return &num{K: by, N: len(rows)*100 + rows[len(rows)-1].N + o.N}
		})
	case "digest": // of a source of its own kind, whose rows others see bare
		source := NewSource[num](w.g, name+" source")
		w.sources, w.all = append(w.sources, source), append(w.all, source.Collection)
		c = Digest(source.Collection, name, bare, func(r num) []num {
			if r.Note == 0 {
				panic("a digest was given a bare row")
			}
			return []num{r, {K: r.K + "/2", N: r.N}}
		})
	case "union":
		c = Union(name, in, other)
	}
	w.all = append(w.all, c)
}

// mirror follows a collection by its changes alone.
func mirror(t *rapid.T, c *Collection[num]) map[string]num {
	rows := map[string]num{}
	c.Observe(func(rev Revision, changes []Change[num]) {
		if !slices.IsSortedFunc(changes, func(a, b Change[num]) int { return cmp.Compare(a.Key, b.Key) }) {
			t.Fatalf("%s: changes not sorted: %v", c.name, changes)
		}
		for _, ch := range changes {
			old, had := rows[ch.Key]
			if had != (ch.Old != nil) || had && !old.Equal(*ch.Old) || ch.New == nil && !had {
				t.Fatalf("%s@%d: change of %q from %v, had %v", c.name, rev, ch.Key, ch.Old, old)
			}
			if ch.New == nil {
				delete(rows, ch.Key)
				continue
			}
			if had && old.Equal(*ch.New) {
				t.Fatalf("%s@%d: %q changed to its equal", c.name, rev, ch.Key)
			}
			rows[ch.Key] = *ch.New
		}
	})
	return rows
}

type edit struct {
	source int
	op     string
	rows   []num
}

func drawCommit(t *rapid.T) []edit {
	row := rapid.Custom(func(t *rapid.T) num {
		return num{
			K:    fmt.Sprint("k", rapid.IntRange(0, 7).Draw(t, "k")),
			N:    rapid.IntRange(0, 20).Draw(t, "n"),
			Note: rapid.IntRange(1, 100).Draw(t, "note"),
		}
	})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) edit {
		return edit{
			source: rapid.IntRange(0, 100).Draw(t, "source"),
			op:     rapid.SampledFrom([]string{"set", "set", "delete", "replace"}).Draw(t, "op"),
			rows:   rapid.SliceOfN(row, 1, 4).Draw(t, "rows"),
		}
	}), 0, 4).Draw(t, "commit")
}

func (w *world) commit(edits []edit) Revision {
	return w.g.Commit(func(tx *Tx) {
		for _, e := range edits {
			s := w.sources[e.source%len(w.sources)]
			switch e.op {
			case "set":
				s.Set(tx, e.rows[0])
			case "delete":
				s.Delete(tx, e.rows[0].K)
			case "replace":
				s.Replace(tx, "", e.rows)
			}
		}
	})
}

func (w *world) dump() string {
	var b strings.Builder
	for _, c := range w.all {
		fmt.Fprintf(&b, "%s:", c.name)
		for _, r := range c.All() {
			fmt.Fprintf(&b, " %s=%d", r.K, r.N)
		}
		b.WriteString("\n")
	}
	for _, f := range w.g.Faults() {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

// Whatever the graph and the edits, what is settled step by step equals what
// one commit of the last state gives: rows, faults and all.
func TestIncrementalEqualsFromScratch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		specs := drawSpecs(t)
		w := build(specs)
		mirrors := make([]map[string]num, len(w.all))
		for i, c := range w.all {
			mirrors[i] = mirror(t, c)
		}
		for range rapid.IntRange(1, 8).Draw(t, "commits") {
			before, was := w.g.Revision(), w.dump()
			edits := drawCommit(t)
			rev := w.commit(edits)
			if now := w.dump(); (rev != before) != (now != was) {
				t.Fatalf("revision %d -> %d, state\n%s->\n%s", before, rev, was, now)
			}
			if again := w.commit(nil); again != rev {
				t.Fatalf("an empty commit moved revision %d to %d", rev, again)
			}
		}
		scratch := build(specs)
		scratch.g.Commit(func(tx *Tx) {
			for i, s := range w.sources {
				rows := s.All()
				for i := range rows {
					rows[i].Note = 1
				}
				scratch.sources[i].Replace(tx, "", rows)
			}
		})
		if got, want := w.dump(), scratch.dump(); got != want {
			t.Fatalf("step by step:\n%s\nfrom scratch:\n%s", got, want)
		}
		for i, c := range w.all {
			rows := map[string]num{}
			for _, r := range c.All() {
				rows[r.K] = r
			}
			if len(rows) != len(mirrors[i]) {
				t.Fatalf("%s: has %v, its changes add up to %v", c.name, rows, mirrors[i])
			}
			for k, r := range rows {
				if !r.Equal(mirrors[i][k]) {
					t.Fatalf("%s: %q is %v, its changes add up to %v", c.name, k, r, mirrors[i][k])
				}
			}
		}
	})
}

// The same commits give the same runs and the same changes in the same order.
func TestDeterminism(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		specs := drawSpecs(t)
		commits := rapid.SliceOfN(rapid.Custom(drawCommit), 1, 6).Draw(t, "commits")
		var logs [2]strings.Builder
		for i := range logs {
			w := build(specs)
			for _, c := range w.all {
				c.Observe(func(rev Revision, changes []Change[num]) {
					fmt.Fprintf(&logs[i], "%d %s", rev, c.name)
					for _, ch := range changes {
						fmt.Fprintf(&logs[i], " %s", ch.Key)
					}
					logs[i].WriteString("\n")
				})
			}
			for _, edits := range commits {
				w.commit(edits)
			}
			fmt.Fprintf(&logs[i], "runs %d", w.g.Stats().Runs)
		}
		if logs[0].String() != logs[1].String() {
			t.Fatalf("first:\n%s\nsecond:\n%s", logs[0].String(), logs[1].String())
		}
	})
}
