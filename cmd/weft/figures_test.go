package main

import (
	"os"
	"slices"
	"strings"
	"testing"

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
