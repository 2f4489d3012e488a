package agent

import (
	"sync"
	"testing"

	"weft.dev/identity"
	"weft.dev/model"
)

// Workloads that start at the same moment on one machine never pick the same
// port, though nothing listens on it yet.
func TestPortsArePickedOnce(t *testing.T) {
	var mu sync.Mutex
	var all claims
	picked := map[uint32]int{}
	var agents sync.WaitGroup
	for range 100 {
		dir := identity.Dir(t.TempDir())
		agents.Go(func() {
			var held claims
			r, err := assignPorts(dir, model.Registration{App: "api", Ports: []model.WorkloadPort{{Number: 80}, {Number: 81}, {Number: 82}}}, &held)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, held...)
			picked[r.OutboundPort]++
			for _, p := range r.Ports {
				picked[p.ProxyPort]++
				picked[p.AppPort]++
			}
		})
	}
	agents.Wait()
	defer all.close()
	if len(picked) != 700 {
		t.Errorf("%d different ports for 100 workloads of 7 each, want 700", len(picked))
	}
}

// What was picked once is kept.
func TestPortsAreKept(t *testing.T) {
	dir := identity.Dir(t.TempDir())
	what := model.Registration{App: "api", Ports: []model.WorkloadPort{{Number: 80}}}
	var first, second claims
	a, err := assignPorts(dir, what, &first)
	first.close()
	b, err2 := assignPorts(dir, what, &second)
	second.close()
	if err != nil || err2 != nil || a.OutboundPort != b.OutboundPort || a.Ports[0] != b.Ports[0] {
		t.Errorf("%+v %v, then %+v %v", a, err, b, err2)
	}
}
