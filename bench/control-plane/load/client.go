package load

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// target is the type whose names the resources of a type refer to.
var target = map[int]int{cds: eds, lds: rds, srds: rds}

// askOrder is the order in which Envoy first asks for the types, and asks again on a new stream.
var askOrder = []int{cds, eds, lds, srds, rds, vhds}

// proxy is one simulated Envoy.
type proxy struct {
	id           int
	ns, name, ip string
	node         *corev3.Node
	fleet        *fleet

	mu       sync.Mutex // guards what follows
	syncedAt time.Duration
	synced   bool
	matched  int64       // index of the last change seen
	caught   int         // changes of the churn that it has, from the first
	last     *generation // of the last stream opened

	have     [ntypes]map[string]string   // resource held → version
	want     [ntypes]map[string]int      // eds, rds: name → resources referring to it
	refs     [ntypes]map[string][]string // cds, lds, srds: resource → names it refers to
	vhdsRCs  map[string]bool             // RouteConfigurations whose virtual hosts come by VHDS
	asked    [ntypes]bool
	got      [ntypes]bool
	version  [ntypes]string
	nonce    [ntypes]string
	nodeSent bool
	out      [][]byte // requests to send
	outErr   error
}

// reset forgets everything, as a new process would.
func (p *proxy) reset() {
	for t := range ntypes {
		p.have[t], p.want[t], p.refs[t] = map[string]string{}, map[string]int{}, map[string][]string{}
	}
	p.vhdsRCs = map[string]bool{}
	p.asked, p.got = [ntypes]bool{}, [ntypes]bool{}
	p.version = [ntypes]string{}
}

// queue completes a request and puts it among those to send.
func (p *proxy) queue(t int, d *discoveryv3.DeltaDiscoveryRequest) {
	d.TypeUrl = typeURLs[t]
	if !p.nodeSent {
		d.Node, p.nodeSent = p.node, true
	}
	var m proto.Message = d
	if p.fleet.sotw {
		m = &discoveryv3.DiscoveryRequest{Node: d.Node, TypeUrl: d.TypeUrl, ResponseNonce: p.nonce[t],
			VersionInfo: p.version[t], ResourceNames: slices.Sorted(maps.Keys(p.want[t]))}
	}
	b, err := proto.Marshal(m)
	if err != nil {
		p.outErr = fmt.Errorf("request for %s: %w", shortNames[t], err)
		return
	}
	p.out = append(p.out, b)
}

// ask subscribes once to all of a type: an empty first request.
func (p *proxy) ask(t int) {
	if !p.asked[t] {
		p.asked[t] = true
		p.queue(t, &discoveryv3.DeltaDiscoveryRequest{})
	}
}

// open returns the first requests of a new stream.
func (p *proxy) open() ([][]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nodeSent, p.out, p.nonce = false, nil, [ntypes]string{}
	if !p.fleet.initialVersions {
		p.reset()
	}
	for _, t := range askOrder {
		named := t == eds || t == rds
		if p.asked[t] && (!named || len(p.want[t]) > 0) { // a reconnect: all at once, with what is held
			p.queue(t, &discoveryv3.DeltaDiscoveryRequest{InitialResourceVersions: p.have[t],
				ResourceNamesSubscribe: slices.Sorted(maps.Keys(p.want[t]))})
		}
	}
	p.ask(cds)
	if p.fleet.parallel {
		p.ask(lds)
	}
	return p.out, p.outErr
}

// handle takes one response in and returns the requests that follow from it.
func (p *proxy) handle(raw []byte, now time.Time) ([][]byte, error) {
	parse := parseDelta
	if p.fleet.sotw {
		parse = parseSotw
	}
	r, ok := parse(raw)
	if !ok {
		return nil, fmt.Errorf("malformed response of %d bytes, type %q", len(raw), r.typeURL)
	}
	t := typeIndex(r.typeURL)
	if t < 0 {
		return nil, fmt.Errorf("the server sent type %q, which this client cannot handle (only %s)", r.typeURL, strings.Join(shortNames[:], ", "))
	}
	p.fleet.counts.add(t, len(raw), &r)
	if p.id == 0 && p.fleet.dump != nil {
		p.fleet.dump.take(t, &r)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.fleet.expected.Load(); e != nil && p.matched < e.index && e.in(t, r.resources) {
		p.matched = e.index
		e.seen(p.id, now)
	}
	if c := p.fleet.churning.Load(); c != nil {
		p.caught = c.seen(t, r.resources, p.caught, now)
	}
	p.out = nil
	if err := p.apply(t, &r); err != nil {
		return nil, err
	}
	p.progress()
	return p.out, p.outErr
}

// apply updates what the proxy holds, acknowledges, and asks for what became needed.
func (p *proxy) apply(t int, r *response) error {
	if !p.asked[t] {
		return fmt.Errorf("the server sent %s before anything referred to it; Envoy drops that", shortNames[t])
	}
	p.version[t], p.nonce[t], p.got[t] = r.version, r.nonce, true
	was := map[string]bool{}
	present := map[string]bool{}
	scoped := false
	for i := range r.resources {
		x := &r.resources[i]
		if x.any == nil { // a heartbeat, or VHDS saying that there is no such host
			continue
		}
		p.have[t][x.name] = x.version
		ref := referencesOf(t, x.body)
		p.refer(t, x.name, ref.names, was)
		scoped = scoped || ref.srds
		if ref.vhds {
			if p.fleet.sotw {
				return fmt.Errorf("route configuration %q has vhds, which Envoy takes over delta only", x.name)
			}
			p.vhdsRCs[x.name] = true
		} else if t == rds {
			delete(p.vhdsRCs, x.name)
		}
		if p.fleet.sotw {
			present[x.name] = true
		}
	}
	gone := r.removed
	if p.fleet.sotw && (t == cds || t == lds || t == srds) { // these come as a whole
		for n := range p.have[t] {
			if !present[n] {
				gone = append(gone, n)
			}
		}
	}
	for _, n := range gone {
		delete(p.have[t], n)
		delete(p.vhdsRCs, n)
		p.refer(t, n, nil, was)
	}
	p.queue(t, &discoveryv3.DeltaDiscoveryRequest{ResponseNonce: r.nonce})
	if scoped {
		p.ask(srds)
	}
	p.resubscribe(target[t], was)
	if len(p.vhdsRCs) > 0 {
		p.ask(vhds)
	}
	return nil
}

// refer replaces the names that a resource refers to; was gets each name's state from before the response.
func (p *proxy) refer(t int, source string, to []string, was map[string]bool) {
	k, ok := target[t]
	if !ok || slices.Equal(p.refs[t][source], to) {
		return
	}
	count := func(n string, by int) {
		if _, ok := was[n]; !ok {
			was[n] = p.want[k][n] > 0
		}
		p.want[k][n] += by
	}
	for _, n := range p.refs[t][source] {
		count(n, -1)
	}
	for _, n := range to {
		count(n, 1)
	}
	if len(to) == 0 {
		delete(p.refs[t], source)
	} else {
		p.refs[t][source] = to
	}
}

// resubscribe asks for the names that became wanted and drops those that no longer are.
func (p *proxy) resubscribe(k int, was map[string]bool) {
	var sub, unsub []string
	for n, before := range was {
		now := p.want[k][n] > 0
		if !now {
			delete(p.want[k], n)
		}
		switch {
		case now && !before:
			sub = append(sub, n)
		case before && !now:
			unsub = append(unsub, n)
			delete(p.have[k], n)
			if k == rds {
				delete(p.vhdsRCs, n)
			}
		}
	}
	if len(sub)+len(unsub) == 0 {
		return
	}
	slices.Sort(sub)
	slices.Sort(unsub)
	p.asked[k] = true
	p.queue(k, &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: sub, ResourceNamesUnsubscribe: unsub})
}

// progress asks for listeners once the clusters are warm, and notes when all has come.
func (p *proxy) progress() {
	if p.synced && p.asked[lds] || p.cold() != "" {
		return
	}
	p.ask(lds)
	if !p.synced && p.lacks() == "" {
		p.synced, p.syncedAt = true, time.Since(p.fleet.start)
		p.fleet.unsynced.Add(-1)
	}
}

// cold says which part of the clusters is still missing, or "".
func (p *proxy) cold() string {
	if !p.got[cds] {
		return "cds"
	}
	return p.missing(eds)
}

// lacks says what Envoy would still wait for before it serves, or "". With VHDS that is at
// least one virtual host for each RouteConfiguration: an empty answer does not count.
func (p *proxy) lacks() string {
	if s := p.cold(); s != "" {
		return s
	}
	if !p.got[lds] {
		return "lds"
	}
	if p.asked[srds] && !p.got[srds] {
		return "srds"
	}
	if s := p.missing(rds); s != "" {
		return s
	}
	if len(p.vhdsRCs) == 0 {
		return ""
	}
	served := map[string]bool{}
	for n := range p.have[vhds] { // routeconfiguration/host
		served[n[:max(0, strings.LastIndexByte(n, '/'))]] = true
	}
	for n := range p.vhdsRCs {
		if !served[n] {
			return fmt.Sprintf("vhds: a virtual host for route configuration %q", n)
		}
	}
	return ""
}

func (p *proxy) missing(t int) string {
	for n := range p.want[t] {
		if _, ok := p.have[t][n]; !ok {
			return fmt.Sprintf("%s %q", shortNames[t], n)
		}
	}
	return ""
}

// session runs one stream until it ends, which is always an error.
func (p *proxy) session(g *generation) error {
	f := p.fleet
	cc, err := grpc.NewClient("passthrough:///"+f.server, f.dial(p.ns)...)
	if err != nil {
		return err
	}
	defer cc.Close()
	ctx, cancel := context.WithCancel(g.ctx)
	defer cancel()
	if f.agents != nil {
		if err := f.agents.register(ctx, cancel, cc, p); err != nil {
			return err
		}
	}
	method := "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
	if f.sotw {
		method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
	}
	st, err := cc.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		return err
	}
	send := func(reqs [][]byte, err error) error {
		for i := 0; i < len(reqs) && err == nil; i++ {
			err = st.SendMsg(&reqs[i])
		}
		return err
	}
	if err := send(p.open()); err != nil {
		return err
	}
	g.opened(p)
	for {
		var b []byte
		if err := st.RecvMsg(&b); err != nil {
			return err
		}
		now := time.Now()
		f.lastMsg.Store(now.UnixNano())
		reqs, err := p.handle(b, now)
		if err != nil {
			f.fail(fmt.Errorf("proxy %d: %w", p.id, err))
			return err
		}
		if err := send(reqs, nil); err != nil {
			return err
		}
	}
}
