package main

import (
	"fmt"
	"testing"

	"weft.dev/metrics"
)

// What hurts most people comes first, not what has the worst share.
func TestWorstFirst(t *testing.T) {
	edge := func(app string, rate, success float64) metrics.Edge {
		return metrics.Edge{Destination: metrics.End{App: app}, Rate: rate, Success: success}
	}
	var got []string
	for _, e := range worstFirst([]metrics.Edge{edge("idle", 0, 1), edge("busy", 900, 1), edge("rare", 1, 0), edge("many", 100, 0.9), edge("calm", 2, 1)}) {
		got = append(got, e.Destination.App)
	}
	if want := "[many rare busy calm idle]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// A terminal shows what it has room for, and obeys nothing that stands in a name.
func TestCut(t *testing.T) {
	for line, want := range map[string]string{"shop/reviews": "shop/rev", "ä\x1b[2Jö\u009b": "ä[2Jö", "": ""} {
		if got := cut(line, 8); got != want {
			t.Errorf("%q is shown as %q, want %q", line, got, want)
		}
	}
}
