package ask

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"weft.dev/release/opinion"
)

// Nobody waits: one is asked when its time has come, once at a time, and somebody else's answers are not one's own.
func TestListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		a := &Asker{Now: time.Now}
		l := a.Listen()
		l.ask = func(context.Context, opinion.Ask) opinion.Said {
			asked++
			at := time.Now()
			time.Sleep(15 * time.Second)
			return opinion.Said{At: at, Text: "slow"}
		}
		hear := func(who string) int {
			synctest.Wait()
			return len(l.Hear(t.Context(), who, []opinion.Ask{{Key: "query/a", Every: 10 * time.Second}}))
		}
		for second := range 40 {
			heard := hear("release at 5%")
			if want := second >= 25; (heard == 1) != want {
				t.Errorf("after %d s %d answers are known", second, heard)
			}
			time.Sleep(time.Second)
		}
		if asked != 2 { // after 10 s, and when that had answered
			t.Errorf("asked %d times", asked)
		}
		if heard := hear("release at 25%"); heard != 0 {
			t.Error("a step heard what was said in the one before")
		}
		time.Sleep(forgetAfter + time.Minute)
		hear("another")
		if len(l.heard) != 1 {
			t.Errorf("%d are remembered", len(l.heard))
		}
	})
}
