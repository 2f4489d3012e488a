package series_test

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A full disk loses what is sampled meanwhile, and nothing else: queries are answered, and
// with room again it goes on. It takes root, for a disk that is small.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=400k"); err != nil {
		t.Fatalf("mount: %v: this test has to run as root", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	dir := filepath.Join(disk, "m")
	s := open(t, dir)
	s.sample(count("shop", "2xx", 10))
	filler := filepath.Join(disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	n := 10.0
	for full := false; !full; n++ { // a block of the file has room still
		s.now = s.now.Add(interval)
		s.figures = append(s.figures[:0], count("shop", "2xx", n))
		switch err := s.trySample(); {
		case errors.Is(err, syscall.ENOSPC):
			full = true
		case err != nil:
			t.Fatal(err)
		}
	}
	if a := s.get("query", url.Values{"query": {"count_over_time(calls_total[1d])"}}); a.code != http.StatusOK {
		t.Errorf("a query while the disk is full: %d %s", a.code, a.Error)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s.sample(count("shop", "2xx", n+5))
	s.wants("calls_total", n+5)
	s.stop()
	again := openAt(t, s.now, dir)
	again.sample(count("shop", "2xx", 1))
	again.wants("max_over_time(calls_total[1d])", n+5)
}
