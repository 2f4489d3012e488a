package trace

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
)

func openJournal(t *testing.T, dir string, limit int64) *Journal {
	t.Helper()
	j, err := OpenJournal(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// journaled is an intake that writes down what it takes, after it has read what is there.
func journaled(t *testing.T, dir string, limit int64) *Intake {
	t.Helper()
	intake := newIntake()
	if err := intake.Keep(openJournal(t, dir, limit)); err != nil {
		t.Fatal(err)
	}
	return intake
}

// send has an intake take a trace of one span.
func send(intake *Intake, id byte) {
	intake.fromApplication(requestOf(func(s *tracev1.Span) { s.TraceId[0] = id }))
}

func has(intake *Intake, id byte) bool {
	want := ID(bytes.Repeat([]byte{1}, 16))
	want[0] = id
	_, ok := intake.store.Get(want)
	return ok
}

// A server that was killed has what it took; of a record that was half written nothing, and what
// came before and after it.
func TestJournal(t *testing.T) {
	dir := t.TempDir()
	first := journaled(t, dir, 1<<20)
	send(first, 10)
	send(first, 11)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v %v: want one file", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], text[:len(text)-1], 0o600); err != nil { // the last record lacks a byte
		t.Fatal(err)
	}
	second := journaled(t, dir, 1<<20)
	send(second, 12)
	third := journaled(t, dir, 1<<20)
	if !has(third, 10) || has(third, 11) || !has(third, 12) {
		t.Errorf("after a crash traces 10, 11 and 12 are there: %t %t %t; want the first and the last", has(third, 10), has(third, 11), has(third, 12))
	}
	if c := third.store.Counts(); c.Spans != 2 {
		t.Errorf("%+v: want two spans, each once", c)
	}
	text[bytes.Index(text, []byte("GET reviews"))] ^= 1 // a name is a name still
	if err := os.WriteFile(files[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	if fourth := journaled(t, dir, 1<<20); has(fourth, 10) || !has(fourth, 12) {
		t.Error("a damaged record is believed, or what is in other files is not")
	}
}

// The files stay within their bound, and the oldest go first.
func TestJournalBound(t *testing.T) {
	const limit = 100_000
	dir := t.TempDir()
	intake := journaled(t, dir, limit)
	for n := range 2000 {
		send(intake, byte(n/100)+100)
		if n%100 == 0 {
			if size := sizeOf(t, dir); size > limit {
				t.Fatalf("%d bytes on disk after %d spans, want at most %d", size, n, limit)
			}
		}
	}
	if size := sizeOf(t, dir); size < limit/2 {
		t.Errorf("%d bytes are kept of %d", size, limit)
	}
	if again := journaled(t, dir, limit); has(again, 100) || !has(again, 119) {
		t.Error("the oldest is there, or the newest is not")
	}
}

func sizeOf(t *testing.T, dir string) (all int64) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		all += info.Size()
	}
	return all
}

// Where nothing can be written traces are in memory, and what is not written down is counted.
func TestJournalBroken(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "traces")
	intake := journaled(t, dir, 1<<20)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	send(intake, 10)
	if c := intake.store.Counts(); !has(intake, 10) || c.Unwritten != 1 {
		t.Errorf("%+v: want a trace that is in memory alone", c)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	send(intake, 11)
	if again := journaled(t, dir, 1<<20); !has(again, 11) {
		t.Error("nothing is written once it can be")
	}
}
