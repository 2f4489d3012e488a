package main

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"weft.dev/test/process"
)

// A small heap may grow by a fixed amount, a large one by a percentage, and each collection sets which.
func TestTheCollectorFollowsTheHeap(t *testing.T) {
	paceCollector() // of this process, for good
	percent := func() uint64 {
		runtime.GC()
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	comes := func(what string, is func(uint64) bool) {
		t.Helper()
		if err := process.Until(10*time.Second, func() error {
			if p := percent(); !is(p) {
				return fmt.Errorf("%d%%", p)
			}
			return nil
		}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	comes("small", func(p uint64) bool { return p > gcPercent })
	large := make([]byte, 100*leastGrowth/gcPercent)
	comes("large", func(p uint64) bool { return p == gcPercent })
	runtime.KeepAlive(large)
	comes("small again", func(p uint64) bool { return p > gcPercent })
}
