package xds

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"weft.dev/flow"
	"weft.dev/model"
)

// pipe is a stream in the process, whose client asks for clusters and
// acknowledges what it gets, when it is let.
type pipe struct {
	grpc.ServerStream
	id       string
	requests chan message
	heard    *atomic.Int64 // resources
	bytes    *atomic.Int64
	obey     func() bool
	done     chan struct{}
}

func (p *pipe) RecvMsg(m any) error {
	select {
	case r := <-p.requests:
		*m.(*deltaRequest) = deltaRequest(r)
		return nil
	case <-p.done:
		return io.EOF
	}
}

func (p *pipe) SendMsg(m any) error {
	r := m.(deltaResponse)
	p.heard.Add(int64(len(r.Resources)))
	p.bytes.Add(int64(r.encode().Len()))
	if p.obey() {
		p.requests <- message{Request: Request{Type: r.Type, Nonce: r.Nonce}, known: true}
	}
	return nil
}

// crowd connects so many proxies to a server, each its own stream in the process.
func crowd(t *testing.T, s *Server, n int, obey func() bool) (heard, bytes *atomic.Int64) {
	t.Helper()
	heard, bytes = &atomic.Int64{}, &atomic.Int64{}
	var wg sync.WaitGroup
	done := make(chan struct{})
	t.Cleanup(func() { close(done); wg.Wait() })
	for i := range n {
		p := &pipe{id: "p" + strconv.Itoa(i), requests: make(chan message, 8), heard: heard, bytes: bytes, obey: obey, done: done}
		node, err := proto.Marshal(&corev3.Node{Id: p.id})
		if err != nil {
			t.Fatal(err)
		}
		p.requests <- message{Request: Request{Type: cluster}, known: true, node: node}
		ctx, err := makeEndable(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		wg.Add(1)
		go func() { defer wg.Done(); s.serve(ctx, wire{ServerStream: p}) }()
	}
	return heard, bytes
}

func crowdViews(l *lab, scopes, proxies int) {
	l.g.Commit(func(tx *flow.Tx) {
		l.layers.Set(tx, layer("shared", res(cluster, "a", "1")))
		l.layers.Set(tx, layer("other", res(cluster, "b", "1")))
		for i := range scopes {
			l.outlines.Set(tx, &model.Outline{Scope: fmt.Sprint("s", i), Layers: []string{"shared"}})
		}
		l.outlines.Set(tx, &model.Outline{Scope: "elsewhere", Layers: []string{"other"}})
		for i := range proxies {
			l.assigned.Set(tx, assignment(fmt.Sprint("p", i), fmt.Sprint("s", i%scopes)))
		}
	})
}

// When thousands come at once, so many get their first configuration at a time,
// all get it in the end, and one that is in step has its changes meanwhile.
func TestStorm(t *testing.T) {
	const proxies = 3000
	l := newLab()
	var heard *atomic.Int64
	served := make(chan int64, proxies)
	s := NewServer(Options{Views: l.looks, Graph: l.g, Proxies: l.rows, CrowdServed: func() { served <- heard.Load() }})
	crowdViews(l, 50, proxies)
	var open atomic.Bool
	heard, _ = crowd(t, s, proxies, open.Load)
	all := func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.connected == proxies }
	eventually(t, "all are connected", all)
	limit := int64(firstSyncs * runtime.GOMAXPROCS(0))
	if n := heard.Load(); n < limit || n > proxies/2 {
		t.Errorf("%d first configurations under way, want about %d", n, limit)
	}
	open.Store(true) // those before never answer: their turns end by time
	eventually(t, "all have it", func() bool { return heard.Load() == proxies })
	if n := <-served; n != proxies || len(served) > 0 {
		t.Errorf("the crowd counted as served when %d of %d had their configuration, and %d times more", n, proxies, len(served))
	}
}

// A change costs what those get who have it: one resource each, and nobody else
// looks. A change that nobody has costs nothing.
func TestWhatAChangeCosts(t *testing.T) {
	const proxies = 500
	l := newLab()
	s := NewServer(Options{Views: l.looks, Graph: l.g, Proxies: l.rows})
	crowdViews(l, 2, proxies)
	heard, bytes := crowd(t, s, proxies, func() bool { return true })
	settled := func(rev uint64) {
		t.Helper()
		eventually(t, "applied", func() bool { applied, _, _ := s.Applied(rev); return applied == proxies })
	}
	settled(uint64(l.g.Revision()))
	rows := func() uint64 { return uint64(l.g.Revision()) }
	eventually(t, "rows are written", func() bool {
		all := l.rows.All()
		return len(all) == proxies && !slices.ContainsFunc(all, func(p model.Proxy) bool { return p.Scope == "" })
	})

	looks, resources, sent, rev := l.looks.looks.Load(), heard.Load(), bytes.Load(), rows()
	settled(uint64(l.g.Commit(func(tx *flow.Tx) { l.layers.Set(tx, layer("shared", res(cluster, "a", "2"))) })))
	if n := l.looks.looks.Load() - looks; n != proxies {
		t.Errorf("%d looks at views, want %d", n, proxies)
	}
	if n := heard.Load() - resources; n != proxies {
		t.Errorf("%d resources, want %d", n, proxies)
	}
	if n := (bytes.Load() - sent) / proxies; n > 150 {
		t.Errorf("%d bytes a proxy for a resource of 80", n)
	}
	if n := rows(); n != rev+1 {
		t.Errorf("%d commits for one change", n-rev)
	}

	looks, sent = l.looks.looks.Load(), bytes.Load()
	settled(uint64(l.g.Commit(func(tx *flow.Tx) { l.layers.Set(tx, layer("other", res(cluster, "b", "2"))) })))
	if l.looks.looks.Load() != looks || bytes.Load() != sent {
		t.Error("a change that nobody has was looked at, or sent")
	}
}

// The view of a scope is made once, and anew when what it is made of changes.
func TestGraphViews(t *testing.T) {
	l := newLab()
	views := l.looks.Views
	var told []string
	views.OnChange(func(_ uint64, scopes, proxies []string) { told = append(told, fmt.Sprint(scopes, proxies)) })
	crowdViews(l, 2, 4)
	told = nil
	_, zero, _ := views.View("p0")
	_, two, _ := views.View("p2")
	if zero != two || zero.Find(cluster, "a") == nil {
		t.Errorf("two views of one scope: %v, %v", zero, two)
	}
	l.g.Commit(func(tx *flow.Tx) { l.layers.Set(tx, layer("other", res(cluster, "b", "2"))) })
	if _, again, rev := views.View("p0"); again != zero || rev != uint64(l.g.Revision()) {
		t.Error("the view is another, though nothing of it changed")
	}
	l.g.Commit(func(tx *flow.Tx) { l.outlines.Set(tx, &model.Outline{Scope: "s0", Shelves: []string{"shelf"}}) })
	l.g.Commit(func(tx *flow.Tx) {
		l.layers.Set(tx, layer(model.ShelfLayer("shelf", model.ShelfIndex("x")), res(cluster, "x", "1")))
	})
	if _, now, _ := views.View("p0"); now.Find(cluster, "x") == nil || now.Find(cluster, "a") != nil {
		t.Errorf("the view of a shelf: %+v", now)
	}
	l.g.Commit(func(tx *flow.Tx) { l.layers.Set(tx, layer("shared", res(cluster, "a", "3"))) })
	l.g.Commit(func(tx *flow.Tx) { l.outlines.Delete(tx, "s0") })
	if _, now, _ := views.View("p0"); now != nil {
		t.Errorf("the view of no outline: %+v", now)
	}
	if want := "[[elsewhere] [] [s0] [] [s0] [] [s1] [] [s0] []]"; fmt.Sprint(told) != want {
		t.Errorf("told %v, want %v", told, want)
	}
}
