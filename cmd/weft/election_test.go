package main

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// lease is the one that an API server has.
type lease struct {
	mu      sync.Mutex
	now     *coordinationv1.Lease
	version int
}

// candidate is a client of the API server, until it is cut off.
type candidate struct {
	coordination.LeaseInterface
	of  *lease
	cut atomic.Bool
}

func (c *candidate) Leases(string) coordination.LeaseInterface { return c }

func (c *candidate) do(change func() error) (*coordinationv1.Lease, error) {
	if c.cut.Load() {
		return nil, errors.New("no way there")
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if err := change(); err != nil {
		return nil, err
	}
	return c.of.now.DeepCopy(), nil
}

func (c *candidate) Get(context.Context, string, metav1.GetOptions) (*coordinationv1.Lease, error) {
	return c.do(func() error {
		if c.of.now == nil {
			return apierrors.NewNotFound(schema.GroupResource{}, leaseName)
		}
		return nil
	})
}

func (c *candidate) Create(_ context.Context, l *coordinationv1.Lease, _ metav1.CreateOptions) (*coordinationv1.Lease, error) {
	return c.do(func() error {
		if c.of.now != nil {
			return apierrors.NewAlreadyExists(schema.GroupResource{}, leaseName)
		}
		c.of.write(l)
		return nil
	})
}

func (c *candidate) Update(_ context.Context, l *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	return c.do(func() error {
		if l.ResourceVersion != c.of.now.ResourceVersion {
			return apierrors.NewConflict(schema.GroupResource{}, leaseName, errors.New("changed meanwhile"))
		}
		c.of.write(l)
		return nil
	})
}

func (l *lease) write(to *coordinationv1.Lease) {
	l.version++
	l.now = to.DeepCopy()
	l.now.ResourceVersion = strconv.Itoa(l.version)
}

// Of two servers one leads. Whenever it is cut off, as by its end, the other one does
// within 9 s, so that its duties are begun within 10, and never both at a time.
func TestTakeOver(t *testing.T) {
	const limit = 9 * time.Second
	asks := (retryPeriod * (10 + 10*leaderelection.JitterFactor) / 10).Round(time.Millisecond) // as seldom
	if worst := leaseDuration + 2*asks; worst > limit {
		t.Errorf("another one may need %v to lead", worst)
	}
	synctest.Test(t, func(t *testing.T) {
		server := &lease{}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		join := func(name string) *replica {
			r := &replica{candidate: &candidate{of: server}}
			r.election = &election{log: slog.New(slog.DiscardHandler), lock: &resourcelock.LeaseLock{
				LeaseMeta: metav1.ObjectMeta{Namespace: "weft-system", Name: leaseName}, Client: r.candidate,
				LockConfig: resourcelock.ResourceLockConfig{Identity: name},
			}}
			group.Go(func() {
				_ = r.lead(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			})
			return r
		}
		leads := join("first")
		time.Sleep(time.Minute)
		waits := join("second")
		for n := range 500 { // at all moments between two renewals
			time.Sleep(time.Minute + time.Duration(n)*17*time.Millisecond)
			if !leads.leading.Load() || waits.leading.Load() {
				t.Fatalf("who leads leads: %v, who waits: %v", leads.leading.Load(), waits.leading.Load())
			}
			leads.cut.Store(true)
			waits.takesOver(t, leads, limit)
			leads.cut.Store(false)
			leads, waits = waits, leads
		}
		cancel()
		group.Wait()
	})
}

// replica is a server: who elects, and its way to the API server.
type replica struct {
	*candidate
	*election
}

func (r *replica) takesOver(t *testing.T, from *replica, limit time.Duration) {
	t.Helper()
	for since := time.Now(); !r.leading.Load(); time.Sleep(10 * time.Millisecond) {
		if time.Since(since) > limit {
			t.Fatalf("nobody has taken over after %v", limit)
		}
	}
	if from.leading.Load() {
		t.Fatal("both lead")
	}
}
