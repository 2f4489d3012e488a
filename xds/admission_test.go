package xds

import (
	"testing"
	"testing/synctest"
	"time"
)

// A crowd is over when nobody came for a while, not in each pause of it.
func TestACrowdIsOverOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := 0
		a := newAdmission(&queue{}, func() { over++ })
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
		if over != 0 {
			t.Error("a few are a crowd")
		}
		for range 10 {
			come(a.seats)
			time.Sleep(crowdGone / 2)
		}
		synctest.Wait()
		if over != 0 {
			t.Error("over in a pause")
		}
		time.Sleep(2 * crowdGone)
		synctest.Wait()
		if over != 1 {
			t.Errorf("over %d times", over)
		}
	})
}
