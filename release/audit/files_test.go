package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"weft.dev/release/audit"
)

// fill appends so many entries, each by a log that was opened anew, to files of one entry each.
func fill(t *testing.T, path string, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		log := audit.OpenSmall(path, 1)
		if err := log.Append(entry(fmt.Sprint("p", i))); err != nil {
			t.Fatal(err)
		}
		log.Close()
	}
}

func verify(t *testing.T, path string) (names, found []string) {
	t.Helper()
	entries, all, err := audit.ReadFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name)
	}
	for _, f := range all {
		found = append(found, fmt.Sprintf("%s %d", f.What, f.Seq))
	}
	return names, found
}

// A chain goes on over files and restarts, is whole over all of them, and what is taken from it is missed.
func TestOverFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	fill(t, path, 1, 5)
	files, err := audit.Files(path)
	if err != nil || len(files) != 4 || files[3] != path {
		t.Fatalf("%v %v", files, err)
	}
	if names, found := verify(t, path); !slices.Equal(names, []string{"p1", "p2", "p3", "p4"}) || len(found) > 0 {
		t.Errorf("%v %v", names, found)
	}
	for gone, want := range map[string]string{files[0]: "Missing 2", files[1]: "Missing 3"} {
		text, err := os.ReadFile(gone)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(gone)
		if _, found := verify(t, path); !slices.Equal(found, []string{want}) {
			t.Errorf("without %s: %v", gone, found)
		}
		if err := os.WriteFile(gone, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The oldest files go, the chain tells so, and is whole; a server that died before it wrote the next file goes on.
func TestOldFilesGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	fill(t, path, 1, 40)
	files, err := audit.Files(path)
	if err != nil || len(files) != audit.KeepFiles+1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	names, found := verify(t, path)
	if len(found) > 0 || slices.Contains(names, "p1") || names[len(names)-1] != "p39" {
		t.Errorf("%v %v", names, found)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if _, found = verify(t, path); len(found) != 1 {
		t.Errorf("a file that somebody else deleted: %v", found)
	}
	fill(t, path, 40, 42)
	if err := os.Rename(path, filepath.Join(filepath.Dir(path), "audit-000000000999.jsonl")); err != nil {
		t.Fatal(err)
	}
	fill(t, path, 42, 43)
	if names, _ = verify(t, path); names[len(names)-1] != "p42" {
		t.Errorf("%v", names)
	}
}
