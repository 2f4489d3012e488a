package audit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weft.dev/release/audit"
)

// shelf has chapters; each is written once.
type shelf map[int64][]byte

func (s shelf) Read(context.Context) (all []audit.Chapter, err error) {
	for n, text := range s {
		all = append(all, audit.Chapter{N: n, Text: text})
	}
	return all, nil
}

func (s shelf) Write(_ context.Context, c audit.Chapter) error {
	if _, taken := s[c.N]; taken {
		return errors.New("it is there")
	}
	s[c.N] = c.Text
	return nil
}

func (s shelf) Delete(_ context.Context, n int64) error {
	delete(s, n)
	return nil
}

func opened(t *testing.T, s shelf) (*audit.Book, []audit.Entry) {
	t.Helper()
	b, entries, err := audit.OpenBook(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return b, entries
}

// A book goes on after it is opened anew; of two who write the same chapter one fails; what is changed or missing is found.
func TestBook(t *testing.T) {
	s := shelf{}
	first, _ := opened(t, s)
	if err := first.Append(t.Context(), []audit.Entry{entry("a"), entry("b")}, time.Now()); err != nil {
		t.Fatal(err)
	}
	second, entries := opened(t, s)
	if len(entries) != 2 || entries[1].Seq != 2 {
		t.Fatalf("%+v", entries)
	}
	if err := second.Append(t.Context(), []audit.Entry{entry("c")}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := first.Append(t.Context(), []audit.Entry{entry("other")}, time.Now()); err == nil {
		t.Error("two write one chapter")
	}
	if entries, found, err := audit.ReadBook(t.Context(), s); err != nil || len(found) > 0 || len(entries) != 3 || entries[2].Name != "c" {
		t.Errorf("%+v %v %v", entries, found, err)
	}
	kept := s[1]
	s[1] = []byte(strings.Replace(string(kept), `"a"`, `"x"`, 1))
	if _, found, _ := audit.ReadBook(t.Context(), s); len(found) == 0 || found[0].What != audit.Changed {
		t.Errorf("a changed one: %v", found)
	}
	delete(s, 1)
	if _, found, _ := audit.ReadBook(t.Context(), s); len(found) == 0 || found[0].What != audit.Missing {
		t.Errorf("a missing one: %v", found)
	}
	if _, _, err := audit.OpenBook(t.Context(), s); err == nil {
		t.Error("something is appended to a chain that is broken")
	}
}

// Old chapters go, and the chain says so.
func TestOldChaptersGo(t *testing.T) {
	s := shelf{}
	b, _ := opened(t, s)
	const n = audit.KeepChapters + 5
	for i := range n {
		if err := b.Append(t.Context(), []audit.Entry{entry(fmt.Sprint("p", i))}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	entries, found, err := audit.ReadBook(t.Context(), s)
	if err != nil || len(found) > 0 || len(s) != audit.KeepChapters || entries[0].Name != "p5" {
		t.Errorf("%d chapters, from %s, %v %v", len(s), entries[0].Name, found, err)
	}
	b, entries = opened(t, s)
	if err := b.Append(t.Context(), []audit.Entry{entry("last")}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(entries, func(e audit.Entry) bool { return e.Verb == audit.Retired }) || len(s) != audit.KeepChapters {
		t.Errorf("%d chapters", len(s))
	}
}
