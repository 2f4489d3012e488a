package main

import (
	"testing"
	"time"

	"weft.dev/release"
	provider "weft.dev/release/provider/mesh"
)

type connected struct {
	provider.Mesh
	proxies int
}

func (c *connected) Applied(string, string, int64) release.Applied {
	return release.Applied{Proxies: c.proxies, Known: true}
}

// After a restart "applied by 0 of 0 proxies" is no proof: proxies have to come back first, or have had the time to.
func TestReturning(t *testing.T) {
	now, mesh := time.Unix(1000, 0), &connected{}
	r := returning{Mesh: mesh, expected: func() int { return 2 }, until: now.Add(comeBack), now: func() time.Time { return now }}
	for _, step := range []struct {
		after   time.Duration
		proxies int
		known   bool
	}{{0, 0, false}, {time.Second, 1, false}, {time.Second, 2, true}, {comeBack, 1, true}} {
		now, mesh.proxies = now.Add(step.after), step.proxies
		if got := r.Applied("shop", "reviews", 1); got.Known != step.known {
			t.Errorf("%d of 2 proxies after %s: %+v, want known %t", step.proxies, step.after, got, step.known)
		}
	}
}
