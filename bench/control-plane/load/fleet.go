package load

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"
)

// fleet is all simulated proxies and what they count together.
type fleet struct {
	server          string
	sotw            bool
	parallel        bool // ask for clusters and listeners at once
	initialVersions bool // a new stream keeps state and presents it
	dial            func(ns string) []grpc.DialOption
	agents          *agents // nil: no mesh port of weft
	retry           retry
	dump            *dump
	proxies         []*proxy

	ctx  context.Context
	fail context.CancelCauseFunc // stops the measurement

	start    time.Time
	unsynced atomic.Int64
	expected atomic.Pointer[expect]
	churning atomic.Pointer[churn]
	lastMsg  atomic.Int64 // unix nanoseconds of the last response

	counts   counters
	down, up atomic.Int64 // bytes on the sockets
	errors   atomic.Int64 // streams that ended
	lastErr  atomic.Value

	mu  sync.Mutex
	gen *generation
}

// counters are by type, over all proxies.
type counters struct {
	msgs, bytes, resources, removed [ntypes]atomic.Int64
}

func (c *counters) add(t, size int, r *response) {
	c.msgs[t].Add(1)
	c.bytes[t].Add(int64(size))
	c.resources[t].Add(int64(len(r.resources)))
	c.removed[t].Add(int64(len(r.removed)))
}

// generation is the streams between two drops.
type generation struct {
	ctx   context.Context
	cut   context.CancelFunc
	count atomic.Int64 // proxies that opened a stream
}

func (g *generation) opened(p *proxy) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last != g {
		p.last = g
		g.count.Add(1)
	}
}

func newFleet(ctx context.Context, o *options) (*fleet, error) {
	f := &fleet{server: o.server, sotw: o.sotw, parallel: o.order == "parallel", initialVersions: o.initialVersions, retry: envoyRetry}
	ctx, err := o.transport.authorize(ctx)
	if err != nil {
		return nil, err
	}
	if err := f.reach(ctx, o); err != nil {
		return nil, err
	}
	f.ctx, f.fail = context.WithCancelCause(ctx)
	if o.dump != "" {
		f.dump = &dump{}
	}
	for i := range o.n {
		p, err := o.proxy(i)
		if err != nil {
			return nil, err
		}
		p.fleet = f
		p.reset()
		f.proxies = append(f.proxies, p)
	}
	f.unsynced.Store(int64(o.n))
	f.next()
	return f, nil
}

// reach decides how connections are made.
func (f *fleet) reach(ctx context.Context, o *options) error {
	if o.joinToken == "" {
		cr, err := o.transport.credentials()
		options := dialOptions(cr, &f.down, &f.up)
		f.dial = func(string) []grpc.DialOption { return options }
		return err
	}
	namespaces := map[string]bool{}
	for i := range o.n {
		namespaces[o.namespace(i)] = true
	}
	a, err := join(ctx, o.server, o.joinToken, slices.Sorted(maps.Keys(namespaces)))
	f.agents, f.retry = a, agentRetry
	f.dial = func(ns string) []grpc.DialOption { return dialOptions(a.credentials(ns), &f.down, &f.up) }
	return err
}

func (o *options) group(i int) string { return strconv.Itoa(i % o.groups) }

func (o *options) namespace(i int) string { return strings.ReplaceAll(o.ns, "{group}", o.group(i)) }

// proxy is proxy i with its identity.
func (o *options) proxy(i int) (*proxy, error) {
	k := o.ipFirst + i*o.ipStride
	p := &proxy{id: i, ns: o.namespace(i), name: fmt.Sprintf("p-%05d", i), ip: fmt.Sprintf("10.%d.%d.%d", (k>>16)&255, (k>>8)&255, k&255)}
	rep := strings.NewReplacer("{ip}", p.ip, "{name}", p.name, "{ns}", p.ns, "{group}", o.group(i), "{i}", strconv.Itoa(i))
	md := &structpb.Struct{}
	if err := md.UnmarshalJSON([]byte(rep.Replace(o.metadata))); err != nil {
		return nil, fmt.Errorf("-metadata: %w", err)
	}
	p.node = &corev3.Node{Id: rep.Replace(o.nodeID), Cluster: rep.Replace(o.cluster), Metadata: md, UserAgentName: "envoy"}
	return p, nil
}

// next starts a generation and returns the one before.
func (f *fleet) next() (old *generation) {
	g := &generation{}
	g.ctx, g.cut = context.WithCancel(f.ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	old, f.gen = f.gen, g
	return old
}

func (f *fleet) current() *generation {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gen
}

// connect starts every proxy, rate of them per second or all at once.
func (f *fleet) connect(rate float64) {
	f.start = time.Now()
	for i, p := range f.proxies {
		if rate > 0 {
			time.Sleep(time.Until(f.start.Add(time.Duration(float64(i) / rate * float64(time.Second)))))
		}
		go f.run(p)
	}
}

// retry is how a client waits before it connects again: between low and high of a
// time that doubles from first to last.
type retry struct {
	first, last time.Duration
	low, high   float64
}

var (
	envoyRetry = retry{500 * time.Millisecond, 30 * time.Second, 0, 1}    // Envoy's, fully jittered
	agentRetry = retry{200 * time.Millisecond, 5 * time.Second, 0.5, 1.5} // weft's agent's
)

// run keeps one proxy connected.
func (f *fleet) run(p *proxy) {
	wait := f.retry.first
	for f.ctx.Err() == nil {
		before := time.Now()
		g := f.current()
		err := p.session(g)
		if f.ctx.Err() != nil {
			return
		}
		if g.ctx.Err() == nil { // not dropped by us
			f.errors.Add(1)
			f.lastErr.Store(err.Error())
		}
		if g.ctx.Err() != nil || time.Since(before) > f.retry.last {
			wait = f.retry.first
		}
		jitter := f.retry.low + rand.Float64()*(f.retry.high-f.retry.low)
		select {
		case <-time.After(time.Duration(jitter * float64(wait))):
		case <-f.ctx.Done():
		}
		wait = min(wait*2, f.retry.last)
	}
}

// wait polls until ready, and says whether that came in time.
func (f *fleet) wait(limit time.Duration, ready func() bool) (bool, error) {
	for end := time.Now().Add(limit); !ready(); time.Sleep(5 * time.Millisecond) {
		if f.ctx.Err() != nil {
			return false, context.Cause(f.ctx)
		}
		if time.Now().After(end) {
			return false, nil
		}
	}
	return true, context.Cause(f.ctx)
}

// quiet waits until no response has come for a while.
func (f *fleet) quiet(gap time.Duration) error {
	since := time.Now()
	for time.Since(since) < gap {
		if f.ctx.Err() != nil {
			return context.Cause(f.ctx)
		}
		if lm := time.Unix(0, f.lastMsg.Load()); lm.After(since) {
			since = lm
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// stuck explains an initial sync that did not end.
func (f *fleet) stuck(limit time.Duration) error {
	why := ""
	for _, p := range f.proxies {
		p.mu.Lock()
		if !p.synced {
			why = fmt.Sprintf("proxy %d waits for %s", p.id, p.lacks())
		}
		p.mu.Unlock()
		if why != "" {
			break
		}
	}
	if e, ok := f.lastErr.Load().(string); ok {
		why += "; last stream error: " + e
	}
	return fmt.Errorf("initial sync: %d of %d proxies not synced after %v: %s", f.unsynced.Load(), len(f.proxies), limit, why)
}

// syncTimes are how long each synced proxy took.
func (f *fleet) syncTimes() (at []time.Duration) {
	for _, p := range f.proxies {
		p.mu.Lock()
		if p.synced {
			at = append(at, p.syncedAt)
		}
		p.mu.Unlock()
	}
	return
}

// held is how many resources of each type the proxies hold.
func (f *fleet) held() map[string]Spread {
	var by [ntypes][]int
	for _, p := range f.proxies {
		p.mu.Lock()
		for t := range ntypes {
			by[t] = append(by[t], len(p.have[t]))
		}
		p.mu.Unlock()
	}
	m := map[string]Spread{}
	for t, n := range by {
		sum := 0
		for _, x := range n {
			sum += x
		}
		if sum > 0 {
			m[shortNames[t]] = Spread{slices.Min(n), float64(sum) / float64(len(n)), slices.Max(n)}
		}
	}
	return m
}
