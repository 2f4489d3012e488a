package fetch

import (
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"
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
