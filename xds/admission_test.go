package xds

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A crowd is over when nobody came for a while, not in each pause of it.
func TestACrowdIsOverOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var over atomic.Int64
		a := newAdmission(&queue{}, func() { over.Add(1) })
		come := func(n int) {
			for range n {
				st := &stream{}
				a.enter(st)
				a.leave(st)
			}
		}
		come(a.seats - 1)
		time.Sleep(2 * crowdGone)
		synctest.Wait()
		if over.Load() != 0 {
			t.Error("a few are a crowd")
		}
		for range 10 {
			come(a.seats)
			time.Sleep(crowdGone / 2)
		}
		synctest.Wait()
		if over.Load() != 0 {
			t.Error("over in a pause")
		}
		time.Sleep(2 * crowdGone)
		synctest.Wait()
		if over.Load() != 1 {
			t.Errorf("over %d times", over.Load())
		}
	})
}
