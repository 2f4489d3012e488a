package snapshots

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

const pace = 20 * time.Millisecond // two cores do all of it

// load is calls that go on until it is stopped. Every backend works, so none may fail.
type load struct {
	t       *testing.T
	ended   chan struct{}
	callers sync.WaitGroup

	mu     sync.Mutex
	calls  int
	failed []string
}

func newLoad(t *testing.T) *load { return &load{t: t, ended: make(chan struct{})} }

// call goes on with a call, each after the one before.
func (l *load) call(one func() error) {
	l.callers.Go(func() {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for {
			select {
			case <-l.ended:
				return
			case <-tick.C:
			}
			err := one()
			l.mu.Lock()
			l.calls++
			if err != nil {
				l.failed = append(l.failed, err.Error())
			}
			l.mu.Unlock()
		}
	})
}

// stop ends the calls when there were enough, of which none has failed.
func (l *load) stop() {
	l.t.Helper()
	until(l.t, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		return atLeast(l.calls, 50)
	})
	close(l.ended)
	l.callers.Wait()
	l.t.Logf("%d of %d calls failed", len(l.failed), l.calls)
	if len(l.failed) > 0 {
		l.t.Errorf("%d of %d calls failed: %q", len(l.failed), l.calls, l.failed[:min(len(l.failed), 5)])
	}
}

// load calls from proxies, by connections that stay and by new ones.
func (w *world) load(proxies ...*proxy) *load {
	l := newLoad(w.t)
	for _, p := range proxies {
		kept := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
		for _, by := range []*http.Client{client, kept} {
			for _, host := range []string{"cart-api.example.com", "search-web.example.com"} { // all know them
				address := w.town.find(host).address
				l.call(func() error { return p.reachesBy(by, host, address) })
			}
		}
	}
	return l
}

// spreadCalls are how many calls are looked at for where they went.
const spreadCalls = 60

// greeting is gRPC calls on one connection through a proxy, under load.
type greeting struct {
	*load
	conn *grpc.ClientConn
}

func (p *proxy) greet() *greeting {
	p.t.Helper()
	conn, err := grpc.NewClient(fmt.Sprintf("passthrough:///127.0.0.1:%d", p.port()),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(fmt.Sprintf("%s:%d", greeterHost, p.town.grpcPort)))
	check(p.t, err)
	p.t.Cleanup(func() { conn.Close() })
	g := &greeting{newLoad(p.t), conn}
	g.call(func() error { _, err := g.once(); return err })
	return g
}

// once is who has answered one call.
func (g *greeting) once() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var header metadata.MD
	_, err := grpc_health_v1.NewHealthClient(g.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.Header(&header))
	if from := header.Get(fromHeader); err == nil && len(from) == 1 {
		return from[0], nil
	}
	return "", fmt.Errorf("greeter: %v, header %v", err, header)
}

// spread waits until calls go to these endpoints alone, to each its part.
func (g *greeting) spread(over []string) {
	g.t.Helper()
	until(g.t, func() error {
		got := map[string]int{}
		for range spreadCalls {
			from, err := g.once()
			if err != nil {
				return err
			}
			got[from]++
		}
		for _, n := range got {
			if n < spreadCalls/len(over)/2 {
				return fmt.Errorf("%d calls went to %v, want them spread over %v", spreadCalls, got, over)
			}
		}
		if !slices.Equal(slices.Sorted(maps.Keys(got)), over) {
			return fmt.Errorf("%d calls went to %v, want %v", spreadCalls, got, over)
		}
		return nil
	})
}
