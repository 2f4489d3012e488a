package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"weft.dev/model"
	"weft.dev/web"
)

// fullStats are the workloads whose agents were told here to have their proxies keep full statistics.
// An agent ends that itself, whatever becomes of this server.
type fullStats struct {
	tell func(namespace, name string, d time.Duration) bool

	mu    sync.Mutex
	until map[string]time.Time // by workload
}

func newFullStats(tell func(namespace, name string, d time.Duration) bool) *fullStats {
	return &fullStats{tell: tell, until: map[string]time.Time{}}
}

func (f *fullStats) set(workload string, d time.Duration, now time.Time) error {
	namespace, name, ok := strings.Cut(workload, "/")
	if !ok {
		return web.Invalid("workload %q: want NAMESPACE/NAME, as weft get workloads has it", workload)
	}
	if !f.tell(namespace, name, d) {
		return fmt.Errorf("workload %s: no agent of it is connected to this server: %w", workload, web.ErrNotFound)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until[workload] = now.Add(d)
	return nil
}

func (f *fullStats) all(now time.Time) (all []web.FullStats) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, workload := range model.SortedKeys(f.until) {
		if f.until[workload].After(now) {
			all = append(all, web.FullStats{Workload: workload, Until: f.until[workload]})
		} else {
			delete(f.until, workload)
		}
	}
	return all
}
