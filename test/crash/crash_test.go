// Package crash proves that releases survive the death of the server: the real
// process, killed at random moments in the middle of 100 of them.
package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/test/process"
)

const (
	kills = 8
	// Most lives end within lifeTime of serving, every fourth one while the server starts.
	lifeTime   = 2500 * time.Millisecond
	startTime  = 2 * time.Second
	finishTime = 2 * time.Minute
)

// TestKilledReleases wants each of 100 releases to end as its version deserves,
// however often the server dies meanwhile. WEFT_SEED repeats the moments.
func TestKilledReleases(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: 100 releases take a minute; `go test ./test/crash` runs them")
	}
	begun := time.Now()
	w := newWorld(t)
	w.callers(2)
	w.serve()
	seen := w.watch()
	t.Logf("%d applications serve after %v", applications, time.Since(begun).Round(time.Second))

	asked := make(chan struct{})
	go func() {
		defer close(asked)
		w.release()
	}()
	w.killOften(seed(t))
	<-asked
	open, err := w.open()
	check(t, err)
	if len(open) == 0 {
		t.Fatalf("every release had ended before the server was killed %d times: nothing was proved", kills)
	}
	t.Logf("killed %d times after %v, %d releases were open", kills, time.Since(begun).Round(time.Second), len(open))
	check(t, process.Until(finishTime, w.ended))
	t.Logf("all ended after %v", time.Since(begun).Round(time.Second))
	w.check(seen)
}

func seed(t *testing.T) uint64 {
	n := rand.Uint64()
	if text := os.Getenv("WEFT_SEED"); text != "" {
		var err error
		n, err = strconv.ParseUint(text, 10, 64)
		check(t, err)
	}
	t.Logf("WEFT_SEED=%d", n)
	return n
}

// killOften kills the server, and leaves it serving.
func (w *world) killOften(seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	for n := range kills {
		life := startTime
		if n%4 != 3 {
			check(w.t, w.server.Await())
			life = lifeTime
		}
		moment := time.NewTimer(time.Duration(random.Int64N(int64(life))))
		<-moment.C
		check(w.t, w.server.Kill())
		check(w.t, w.server.Start())
	}
	check(w.t, w.server.Await())
}

// open are the releases that have not ended.
func (w *world) open() ([]*v1alpha1.Release, error) {
	all, err := w.releases.List(w.ctx, "")
	return slices.DeleteFunc(all, func(rel *v1alpha1.Release) bool {
		return release.Final(rel.Status.Phase) && len(rel.Finalizers) == 0
	}), err
}

func (w *world) ended() error {
	open, err := w.open()
	if err != nil || len(open) == 0 {
		return err
	}
	s := open[0].Status
	return fmt.Errorf("%d of %d releases have not ended, one of them %s/%s: %s at %d%%: %s",
		len(open), applications, open[0].Namespace, open[0].Name, s.Phase, s.Weight, s.Why)
}

func (w *world) check(seen *history) {
	actions := 0
	for _, s := range w.subjects {
		rel, errRelease := w.releases.Get(w.ctx, s.namespace, s.name)
		app, errApp := w.applications.Get(w.ctx, s.namespace, s.name)
		split, errSplit := w.splits.Get(w.ctx, s.namespace, s.name)
		if err := errors.Join(errRelease, errApp, errSplit); err != nil {
			w.t.Errorf("%s: %v", s, err)
			continue
		}
		end := momentOf(split)
		checkHistory(w.t, s, string(rel.UID), seen.of(s))
		checkEnd(w.t, s, rel, app, end)
		actions += seq(string(rel.UID), end.action)
	}
	w.t.Logf("%d actions, each done once", actions)
}
