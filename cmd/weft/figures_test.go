package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"weft.dev/metrics"
	"weft.dev/trace"
)

// People find each series in the guide.
func TestSeriesInGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guides/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range slices.Concat(serverFamilies, metrics.EdgeFamilies, trace.Families) {
		if !strings.Contains(string(guide), "| `"+f.Name+"` | "+string(f.Kind)+" |") {
			t.Errorf("docs/guides/metrics.md has no row of %s, a %s", f.Name, f.Kind)
		}
		for _, label := range f.Labels {
			if !strings.Contains(string(guide), "`"+label+"`") {
				t.Errorf("docs/guides/metrics.md does not name the label %s of %s", label, f.Name)
			}
		}
	}
}

func TestMetricsFlags(t *testing.T) {
	for _, flag := range []string{"--metrics-interval=10ms", "--metrics-retention=1m", "--metrics-megabytes=0", "--metrics-series=-1", "--metrics-remote-write=/nowhere"} {
		c := newServe()
		c.SetArgs([]string{flag, "--data", t.TempDir()})
		c.SilenceErrors, c.SilenceUsage = true, true
		if err := c.Execute(); err == nil || !strings.Contains(err.Error(), strings.Split(flag, "=")[0]) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// A change counts once the last proxy has it; until then its age grows, for ever if one stays behind.
func TestChangesArrive(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	var c changes
	timed, current, total := uint64(0), 0, 2
	is := func(what string, newest uint64, revision uint64, arrived uint64, age time.Duration) {
		t.Helper()
		c.look(now, newest, func(r uint64) (int, int) { timed = r; return current, total })
		var got float64
		sum := uint64(0)
		c.figures(now, func(f metrics.Figure) {
			for _, n := range f.Buckets {
				sum += n
			}
			got += f.Value
		})
		if timed != revision || sum != arrived || got != age.Seconds() {
			t.Errorf("%s: revision %d is timed, %d arrived, the oldest is %vs, want %d, %d and %v", what, timed, sum, got, revision, arrived, age)
		}
		now = now.Add(time.Hour)
	}
	is("nothing changed", 0, 0, 0, 0)
	is("a change", 7, 7, 0, 0)
	current = 1
	is("one proxy has it", 7, 7, 0, time.Hour)
	is("another change", 8, 7, 0, 2*time.Hour)
	current = 2
	is("both have the first", 8, 7, 1, 0)
	current = 0
	is("the second is timed from when the first arrived", 8, 8, 1, 0)
	current, total = 0, 0
	is("no proxy is left to have it", 8, 8, 1, 0)
}
