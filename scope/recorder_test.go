package scope_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weft.dev/model"
	"weft.dev/scope"
	"weft.dev/scope/memory"
)

// site is a mesh with a recorder.
type site struct {
	*world
	recorder *scope.Recorder
	calls    atomic.Pointer[[]scope.Call] // that are counted every minute
}

// flaky is a memory that can fail, and counts.
type flaky struct {
	scope.Memory
	down   atomic.Bool
	writes atomic.Int64
}

func (f *flaky) Change(ctx context.Context, all []scope.Account, change func(scope.Account, []model.Learned) []model.Learned) error {
	if f.down.Load() {
		return errors.New("down")
	}
	f.writes.Add(1)
	return f.Memory.Change(ctx, all, change)
}

func newFlaky(t *testing.T) *flaky {
	t.Helper()
	f, err := memory.OpenFile(filepath.Join(t.TempDir(), "scope.json"))
	if err != nil {
		t.Fatal(err)
	}
	return &flaky{Memory: f}
}

// newSite is a server that has just started, in a bubble of virtual time.
func newSite(t *testing.T, m scope.Memory) *site {
	t.Helper()
	s := &site{world: newWorld()}
	s.recorder = scope.NewRecorder(scope.RecorderOptions{
		Graph: s.graph, Scopes: s.Scopes, Learned: s.learned, Memory: m, Now: time.Now,
		Calls: func(time.Time) []scope.Call {
			if calls := s.calls.Load(); calls != nil {
				return *calls
			}
			return nil
		},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	s.set(shop()...)
	if err := s.recorder.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs it until the function that it returns is called.
func (s *site) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.recorder.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the recorder ended with %v", err)
		}
		synctest.Wait()
	}
}

// drop takes the asks away, as when the proxies have gone.
func (s *site) drop(rows ...any) {
	synctest.Wait() // until the recorder has heard of them
	for _, row := range rows {
		s.world.drop(row)
	}
	synctest.Wait()
}

func (s *site) rows() string {
	synctest.Wait()
	var all []string
	for _, l := range s.learned.All() {
		all = append(all, fmt.Sprintf("%s/%s %s %s", l.Namespace, l.Account, strings.TrimSuffix(l.Host, "."+model.Domain), l.How))
	}
	return strings.Join(all, ", ")
}

func expectRows(t *testing.T, s *site, when, want string) {
	t.Helper()
	if got := s.rows(); got != want {
		t.Errorf("%s: learned %q, want %q", when, got, want)
	}
}

// What is asked for is known at once, written down at once, and known after a
// restart without a word of any proxy.
func TestAskIsLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFlaky(t)
		s := newSite(t, m)
		stop := s.run(t)
		s.set(ask("shop/web-1", "reviews"), ask("shop/web-2", "reviews.shop:80"), ask("shop/web-1", "nobody"))
		if got := s.known(t, "shop/web-2"); got != "reviews.shop" {
			t.Errorf("known %q", got)
		}
		expectRows(t, s, "asked", "shop/web reviews.shop OnDemand")
		if n := m.writes.Load(); n != 1 {
			t.Errorf("%d writes", n)
		}
		stop()
		again := newSite(t, m)
		if got := again.known(t, "shop/web-1"); got != "reviews.shop" {
			t.Errorf("after a restart %q is known", got)
		}
		time.Sleep(time.Hour)
		stop = again.run(t)
		time.Sleep(time.Hour)
		expectRows(t, again, "after a restart", "shop/web reviews.shop OnDemand")
		if n := m.writes.Load(); n != 1 {
			t.Errorf("%d writes, one was needed", n)
		}
		stop()
	})
}

// Calls count for accounts that learn and services that there are; and for two
// weeks they are written four times a day at most.
func TestCallsAreLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFlaky(t)
		s := newSite(t, m)
		s.set(only(declares("shop/batch")), model.Workload{Namespace: "shop", Name: "edge", Gateway: "edge"}, sidecar("bank/default", nil, 1, "./*"))
		stop := s.run(t)
		reviews := model.HostOf("shop", "reviews")
		s.calls.Store(&[]scope.Call{
			{Account: scope.Account{Namespace: "shop", Name: "web"}, Host: reviews}, {Account: scope.Account{Namespace: "shop", Name: "web"}, Host: "made.up"},
			{Account: scope.Account{Namespace: "shop", Name: "batch"}, Host: reviews}, {Account: scope.Account{Namespace: "shop", Name: "edge"}, Host: reviews},
			{Account: scope.Account{Namespace: "bank", Name: "web"}, Host: reviews}, {Account: scope.Account{Namespace: "shop", Name: "ghost"}, Host: reviews},
		})
		time.Sleep(scope.LookEvery)
		expectRows(t, s, "called", "shop/web reviews.shop Observed")
		time.Sleep(10 * 24 * time.Hour)
		if n := m.writes.Load(); n < 39 || n > 41 {
			t.Errorf("%d writes in ten days", n)
		}
		stop()
	})
}

// What nobody uses is forgotten after two weeks; what a proxy asks for is not.
func TestForgetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFlaky(t)
		s := newSite(t, m)
		stop := s.run(t)
		s.set(ask("shop/web-1", "reviews"), ask("shop/batch-1", "ratings"))
		s.drop(ask("shop/web-1", "reviews"))
		time.Sleep(scope.ForgetAfter - time.Minute)
		expectRows(t, s, "before two weeks", "shop/batch ratings.shop OnDemand, shop/web reviews.shop OnDemand")
		time.Sleep(3 * time.Minute)
		expectRows(t, s, "after two weeks", "shop/batch ratings.shop OnDemand")
		if got := s.known(t, "shop/web-1"); got != "" {
			t.Errorf("known %q", got)
		}
		stop()
		s.drop(ask("shop/batch-1", "ratings"))
		time.Sleep(3 * scope.ForgetAfter) // nobody listens
		again := newSite(t, m)
		stop = again.run(t)
		time.Sleep(scope.RefreshEvery - time.Minute)
		expectRows(t, again, "soon after a long silence", "shop/batch ratings.shop OnDemand")
		time.Sleep(3 * time.Minute)
		expectRows(t, again, "long after it", "")
		stop()
	})
}

// While the memory is away everything works as before, and what was seen
// meanwhile is written when it is back.
func TestMemoryAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFlaky(t)
		s := newSite(t, m)
		stop := s.run(t)
		m.down.Store(true)
		s.set(ask("shop/web-1", "reviews"))
		s.calls.Store(&[]scope.Call{{Account: scope.Account{Namespace: "shop", Name: "batch"}, Host: model.HostOf("shop", "ratings")}})
		time.Sleep(scope.LookEvery)
		synctest.Wait() // until the calls are noted
		s.calls.Store(nil)
		time.Sleep(time.Hour)
		expectRows(t, s, "away", "")
		if got := s.known(t, "shop/web-2"); got != "reviews.shop" {
			t.Errorf("known %q", got)
		}
		m.down.Store(false)
		time.Sleep(scope.LookEvery)
		expectRows(t, s, "back", "shop/batch ratings.shop Observed, shop/web reviews.shop OnDemand")
		stop()
	})
}

// Two servers over one memory: each knows what the other's proxies asked for,
// and neither forgets what the other's use.
func TestTwoServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := shared{newFlaky(t)}
		one, two := newSite(t, m), newSite(t, m)
		stopOne, stopTwo := one.run(t), two.run(t)
		one.set(ask("shop/web-1", "reviews"))
		two.set(ask("shop/web-2", "ratings"))
		want := "shop/web ratings.shop OnDemand, shop/web reviews.shop OnDemand"
		time.Sleep(scope.LookEvery)
		expectRows(t, one, "the first", want)
		expectRows(t, two, "the second", want)
		time.Sleep(2 * scope.ForgetAfter)
		expectRows(t, one, "a month later, the first", want)
		expectRows(t, two, "a month later, the second", want)
		if n := m.writes.Load(); n > 2+28*4*2 {
			t.Errorf("%d writes", n)
		}
		stopOne()
		stopTwo()
	})
}

// shared tells any number of watchers, by asking again every second.
type shared struct{ *flaky }

func (s shared) Watch(ctx context.Context, told func(scope.Account, []model.Learned)) error {
	for {
		all, err := s.List(ctx)
		if err != nil {
			return err
		}
		kept := map[scope.Account][]model.Learned{}
		for _, l := range all {
			a := scope.Account{Namespace: l.Namespace, Name: l.Account}
			kept[a] = append(kept[a], l)
		}
		for a, rows := range kept {
			told(a, slices.Clone(rows))
		}
		select {
		case <-time.After(10 * time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
