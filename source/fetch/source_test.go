package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"weft.dev/flow"
	"weft.dev/model"
)

type row struct{ name, value, trouble string }

func (r row) Key() string      { return r.name }
func (r row) Equal(o row) bool { return r == o }

// What cannot be had anew stays until it is too old; then there is nothing.
func TestLastGood(t *testing.T) {
	s := &Source[row, row]{Options: Options[row, row]{
		Refresh: func(row) time.Duration { return time.Minute }, MaxAge: time.Hour, What: "it",
		Row: func(w row, value, trouble string) row { return row{w.name, value, trouble} },
	}}
	start := time.Unix(1_000_000, 0)
	one := &state[row]{want: row{name: "u"}}
	down := errors.New("down")
	for _, step := range []struct {
		after time.Duration
		value string
		err   error
		want  string
		next  time.Duration
	}{
		{0, "", down, "", time.Second},
		{time.Second, "a", nil, "a", time.Minute},
		{time.Minute, "", down, "a", time.Second},
		{2 * time.Minute, "b", nil, "b", time.Minute},
		{3 * time.Minute, "", down, "b", time.Second},
		{4 * time.Minute, "", down, "b", 2 * time.Second},
		{61 * time.Minute, "", down, "b", 4 * time.Second},
		{62 * time.Minute, "", down, "", 8 * time.Second},
		{63 * time.Minute, "c", nil, "c", time.Minute},
	} {
		now := start.Add(step.after)
		got := s.after(one, step.value, step.err, now)
		if got.value != step.want || (got.trouble != "") != (step.err != nil) || one.due.Sub(now) != step.next {
			t.Errorf("after %s: %+v, next in %s; want %q in %s", step.after, got, one.due.Sub(now), step.want, step.next)
		}
	}
	s.MaxAge = 0
	s.after(one, "d", nil, start)
	if got := s.after(one, "", down, start.Add(10_000*time.Hour)); got.value != "d" {
		t.Errorf("with no age that is too old: %+v", got)
	}
}

// What is remembered is what was kept, or nothing: not what somebody spoilt, and not what nobody has wanted for long.
func TestMemory(t *testing.T) {
	dir := t.TempDir() + "/fetched"
	m := Folder(dir, slog.New(slog.DiscardHandler)).(*folder)
	at := time.Unix(1_700_000_000, 0)
	if v, _ := m.Recall("a"); v != "" {
		t.Errorf("before anything: %q", v)
	}
	m.Keep("a", "one\ntwo", at)
	if v, when := Folder(dir, m.log).Recall("a"); v != "one\ntwo" || !when.Equal(at) {
		t.Errorf("%q of %s", v, when)
	}
	m.Keep("b", "b", at.Add(forgotten+time.Hour))
	if v, _ := m.Recall("a"); v != "" {
		t.Errorf("after a month: %q", v)
	}
	text, err := os.ReadFile(m.file("b"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.file("b"), text[:len(text)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if v, _ := m.Recall("b"); v != "" {
		t.Errorf("spoilt: %q", v)
	}
}

// Who names many leaves the others theirs, and the mesh's own come first.
func TestFairly(t *testing.T) {
	var wanted []model.Named[row]
	name := func(thing string, by ...string) {
		wanted = append(wanted, model.Named[row]{Thing: row{name: thing}, By: by})
	}
	for i := range 50 {
		name(fmt.Sprintf("a%02d", i), "greedy")
	}
	name("shared", "greedy", "shop")
	name("y", "shop")
	name("z", "shop")
	name("zz", "istio-system")
	asked := fairly(wanted, 6)
	if got := model.SortedKeys(asked); !slices.Equal(got, []string{"a00", "a01", "a02", "shared", "y", "zz"}) {
		t.Errorf("asked: %v", got)
	}
	if got := len(fairly(wanted, 100)); got != len(wanted) {
		t.Errorf("%d of %d are asked though there is room", got, len(wanted))
	}
}

// What has no place any more is gone, and it is said why.
func TestPlacesAreTaken(t *testing.T) {
	g := flow.New(flow.Options{})
	wanted, rows := flow.NewSource[model.Named[row]](g, "wanted"), flow.NewSource[row](g, "rows")
	asked := func(_ context.Context, w row) (string, error) { return "value of " + w.name, nil }
	s := newSource(g, wanted.Collection, rows, Options[row, row]{
		Most: 2, What: "it", Ask: asked, Now: time.Now, Refresh: func(row) time.Duration { return time.Hour },
		Row: func(w row, value, trouble string) row { return row{w.name, value, trouble} },
	})
	look := func() {
		due, _ := s.adopt()
		for _, one := range due {
			s.attempt(t.Context(), one)
		}
	}
	want := func(thing, by string) {
		g.Commit(func(tx *flow.Tx) { wanted.Set(tx, model.Named[row]{Thing: row{name: thing}, By: []string{by}}) })
		look()
	}
	want("a", "greedy")
	want("b", "greedy")
	if b, _ := rows.Get("b"); b.value != "value of b" {
		t.Errorf("with room: %+v", b)
	}
	want("c", "shop")
	b, _ := rows.Get("b")
	if c, _ := rows.Get("c"); c.value != "value of c" || b.value != "" || !strings.Contains(b.trouble, "weft asks at 2 places for it at most") {
		t.Errorf("after another came: %+v, and the greedy one has %+v", c, b)
	}
}
