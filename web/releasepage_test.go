package web

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/strategy"
)

// The interval holds the share, is everything of nothing, and narrows with requests.
func TestShareOf(t *testing.T) {
	for _, c := range []struct {
		requests, errors uint64
		low, high        float64
	}{{0, 0, 0, 1}, {10, 0, 0, 0.2776}, {100, 5, 0.0215, 0.1118}, {10_000, 500, 0.0459, 0.0545}, {10, 10, 0.7224, 1}} {
		s := shareOf(strategy.Answered{c.requests, c.errors})
		if abs(s.Low-c.low) > 1e-4 || abs(s.High-c.high) > 1e-4 || s.Of1 < s.Low || s.Of1 > s.High || s.Requests != c.requests || s.Errors != c.errors {
			t.Errorf("%d of %d: %+v, want %v to %v", c.errors, c.requests, s, c.low, c.high)
		}
	}
}

func abs(x float64) float64 { return max(x, -x) }

// What a run has kept of its evidence is on its page.
func TestTrailIsShown(t *testing.T) {
	state, err := json.Marshal(map[string]any{"strategy": map[string]any{"trail": []strategy.Seen{
		{Weight: 5, New: strategy.Answered{100, 5}, Old: strategy.Answered{1900, 2}},
		{Weight: 25, New: strategy.Answered{300, 15}, Old: strategy.Answered{2500, 3}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var p ReleasePage
	p.recorded(&v1alpha1.Release{Status: v1alpha1.ReleaseStatus{State: &runtime.RawExtension{Raw: state}}})
	if len(p.Trail) != 2 || p.Trail[1].Weight != 25 || p.Trail[1].New.Requests != 300 || p.Trail[0].Old.Errors != 2 {
		t.Errorf("trail %+v", p.Trail)
	}
}
