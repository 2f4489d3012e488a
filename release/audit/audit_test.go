package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weft.dev/release/audit"
)

func entry(name string) audit.Entry {
	return audit.Entry{
		Time: time.Date(2026, 11, 27, 12, 0, 0, 5, time.FixedZone("", 3600)), By: "ann", Groups: []string{"dev"},
		Verb: "update", Kind: "Pipeline", Namespace: "shop", Name: name, Before: "a", After: "b", Changed: []string{"spec.locked: <x> & \u2028"},
	}
}

// chain is the lines of a log of so many entries.
func chain(t *testing.T, n int) (path string, lines []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audit")
	log := audit.Open(path)
	for i := range n {
		if err := log.Append(entry(fmt.Sprint("p", i+1))); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, strings.SplitAfter(strings.TrimSuffix(string(data), "\n"), "\n")
}

func faults(t *testing.T, text string) (found []string) {
	t.Helper()
	_, all, err := audit.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		found = append(found, fmt.Sprintf("%s %d", f.What, f.Seq))
	}
	return found
}

// Whatever is done to a chain is found, and named.
func TestTampered(t *testing.T) {
	_, lines := chain(t, 5)
	lines[4] += "\n"
	whole := func(l ...string) string { return strings.Join(l, "") }
	_, other := chain(t, 3)
	forged := strings.Replace(other[2], "p3", "px", 1) + "\n"
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"whole":              {whole(lines...), nil},
		"changed":            {strings.Replace(whole(lines...), `"p3"`, `"px"`, 1), []string{"Changed 3"}},
		"a field more":       {strings.Replace(whole(lines...), `"name":"p3"`, `"name":"p3","note":1`, 1), []string{"Unreadable 3", "Missing 4"}},
		"missing":            {whole(lines[0], lines[1], lines[3], lines[4]), []string{"Missing 4"}},
		"the first missing":  {whole(lines[1:]...), []string{"Missing 2"}},
		"reordered":          {whole(lines[0], lines[2], lines[1], lines[3], lines[4]), []string{"Missing 3", "Reordered 2", "Missing 4"}},
		"twice":              {whole(lines[0], lines[1], lines[1], lines[2], lines[3], lines[4]), []string{"Reordered 2"}},
		"changed by a forge": {whole(lines[0], lines[1], forged, lines[3], lines[4]), []string{"Changed 3"}},
		"an empty line":      {whole(lines[0], "\n", lines[1]), []string{"Unreadable 2"}},
		"unfinished":         {whole(lines[0], lines[1], lines[2][:20]), nil},
	} {
		if got := faults(t, test.text); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// Rewritten with a hash that fits, an entry does not fit to the one after it.
func TestRehashed(t *testing.T) {
	path, lines := chain(t, 3)
	if err := os.WriteFile(path, []byte(lines[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	log := audit.Open(path)
	if err := log.Append(entry("forged")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := faults(t, string(data)+lines[2]+"\n"); !slices.Equal(got, []string{"Changed 3"}) {
		t.Errorf("%q", got)
	}
}

// A server that dies at any byte of a write leaves a chain that goes on without a gap.
func TestDiesAtEachByte(t *testing.T) {
	_, lines := chain(t, 2)
	path := filepath.Join(t.TempDir(), "audit")
	for n := range len(lines[1]) {
		if err := os.WriteFile(path, []byte(lines[0]+lines[1][:n]), 0o600); err != nil {
			t.Fatal(err)
		}
		log := audit.Open(path)
		if err := log.Append(entry("after")); err != nil {
			t.Fatalf("after %d bytes: %v", n, err)
		}
		log.Close()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		entries, all, err := audit.Read(bytes.NewReader(data))
		if err != nil || len(all) > 0 || len(entries) != 2 || entries[1].Name != "after" {
			t.Fatalf("after %d bytes: %v %v, %d entries", n, err, all, len(entries))
		}
	}
}

// Nothing is appended to a chain that is broken, or closed, or to what is no file.
func TestBroken(t *testing.T) {
	path, lines := chain(t, 3)
	if err := os.WriteFile(path, []byte(lines[0]+lines[2]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := audit.Open(path).Append(entry("p")); err == nil || !strings.Contains(err.Error(), "entries 2 to 2 are missing") {
		t.Error(err)
	}
	if err := audit.Open(t.TempDir()).Append(entry("p")); err == nil {
		t.Error("a folder is no chain")
	}
	log := audit.Open(filepath.Join(t.TempDir(), "audit"))
	log.Close()
	if err := log.Append(entry("p")); err == nil {
		t.Error("appended after the end")
	}
	big := entry("p")
	big.Changed = []string{strings.Repeat("x", 1<<20)}
	if err := audit.Open(filepath.Join(t.TempDir(), "audit")).Append(big); err == nil {
		t.Error("a megabyte is kept")
	}
}

func TestManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	log := audit.Open(path)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if err := log.Append(entry(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if entries, found, err := audit.Read(bytes.NewReader(data)); err != nil || len(found) > 0 || len(entries) != 50 {
		t.Errorf("%d entries, %v %v", len(entries), found, err)
	}
}
