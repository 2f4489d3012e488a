package main

import (
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"weft.dev/bench/control-plane/load"
	"weft.dev/bench/control-plane/mesh"
)

// experiment is what is repeated as a whole, so that its sides alternate.
type experiment struct {
	name    string
	run     func(b *bench) error
	repeats func(sizes) int
}

func often(s sizes) int { return s.repeats }
func once(sizes) int    { return 1 }

var experiments = []experiment{
	{"changes", (*bench).alternate, often},
	{"churn", (*bench).churn, often},
	{"slope", (*bench).slope, often},
	{"memory", (*bench).memory, often},
	{"stopped", (*bench).stopped, once}, // they repeat by themselves
	{"storm", (*bench).storm, once},
}

// side is what one server cost.
type side struct {
	Server   string            `json:"server"`
	First    load.InitialSync  `json:"first_sync"`
	Endpoint load.ChangeSeries `json:"endpoint"`
	Route    load.ChangeSeries `json:"route"`
}

// observe connects proxies that see everything and makes both series of changes. more may
// use the proxies before they go.
func (b *bench) observe(s *server, err error, more func(*client) error) (side, error) {
	if err != nil {
		return side{}, err
	}
	defer s.stop()
	c, err := b.connect(s, b.proxies)
	if err != nil {
		return side{}, err
	}
	defer c.stop()
	r := side{Server: s.name, First: c.first}
	if r.Endpoint, err = c.change(b.changes, s.endpoint); err != nil {
		return r, err
	}
	if r.Route, err = c.change(b.changes, s.route); err != nil {
		return r, err
	}
	b.result.raw("changes", r)
	return r, more(c)
}

func nothingMore(*client) error { return nil }

// alternate measures first sync and single changes on each side, and on weft what should cost nothing.
func (b *bench) alternate() error {
	dump, err := b.dump()
	if err != nil {
		return err
	}
	server, err := b.weft(b.everything)
	weft, err := b.observe(server, err, func(c *client) error { return b.nothing(c, server.files) })
	if err != nil {
		return err
	}
	server, err = b.peer(dump)
	peer, err := b.observe(server, err, nothingMore)
	if err != nil {
		return err
	}
	b.compare(weft, peer)
	server, err = b.bare(dump)
	bare, err := b.observe(server, err, nothingMore)
	if err != nil {
		return err
	}
	b.floor(bare, peer)
	if err := b.few(peer.First); err != nil {
		return err
	}
	if b.istiod == "" {
		return nil
	}
	server, err = b.istio(b.everything)
	istio, err := b.observe(server, err, nothingMore)
	if err != nil {
		return err
	}
	b.result.add("istiod sync", weft.First.SettledCPU, istio.First.SettledCPU)
	b.result.add("istiod endpoint", weft.Endpoint.LastP50, istio.Endpoint.LastP50)
	b.result.add("istiod route", weft.Route.LastP50, istio.Route.LastP50)
	return nil
}

// compare notes the ratios, and that both sides did the same work.
func (b *bench) compare(weft, peer side) {
	r := &b.result
	r.add("sync cpu", weft.First.SettledCPU, peer.First.SettledCPU)
	r.add("sync time", weft.First.AllSynced, peer.First.AllSynced)
	r.add("endpoint time", weft.Endpoint.LastP50, peer.Endpoint.LastP50)
	r.add("endpoint cpu", weft.Endpoint.CPU*1000, peer.Endpoint.CPU*1000)
	r.add("route time", weft.Route.LastP50, peer.Route.LastP50)
	r.add("route cpu", weft.Route.CPU*1000, peer.Route.CPU*1000)
	r.add("route bytes", weft.Route.WireDown, peer.Route.WireDown)
	r.gives(weft, peer)
	r.carries("weft, endpoint", weft.Endpoint.Resources, "eds")
	r.carries("peer, endpoint", peer.Endpoint.Resources, "eds")
	r.carries("weft, route", weft.Route.Resources, "vhds")
	r.carries("peer, route", peer.Route.Resources, "rds")
}

// floor notes what the same bytes cost a server that only sends them.
func (b *bench) floor(bare, peer side) {
	b.result.gives(bare, peer)
	b.result.carries("bare, endpoint", bare.Endpoint.Resources, "eds")
	b.result.add("sync floor", bare.First.SettledCPU, peer.First.SettledCPU)
	b.result.add("endpoint floor time", bare.Endpoint.LastP50, peer.Endpoint.LastP50)
	b.result.add("endpoint floor cpu", bare.Endpoint.CPU*1000, peer.Endpoint.CPU*1000)
}

// few is the first sync of proxies that see few services, beside that of the peer's, which see all.
func (b *bench) few(peer load.InitialSync) error {
	narrow := filepath.Join(b.dir, "narrow-dump")
	weft, err := b.weft(b.scoped)
	ours, err := b.first(weft, err, append(b.inGroups(), "-dump", narrow)...)
	if err != nil {
		return err
	}
	b.result.expect(ours.Held["eds"].Mean*float64(b.proxies), b.fewClusters(), "ClusterLoadAssignments of all scoped proxies")
	b.result.add("scoped cpu", ours.SettledCPU, peer.SettledCPU)
	b.result.add("scoped bytes", ours.SettledWireDown, peer.SettledWireDown)
	bare, err := b.bare(narrow)
	least, err := b.first(bare, err)
	if err != nil {
		return err
	}
	b.result.add("scoped floor", least.SettledCPU, peer.SettledCPU)
	return nil
}

// first connects all proxies to a server that is not needed afterwards.
func (b *bench) first(s *server, err error, flags ...string) (load.InitialSync, error) {
	if err != nil {
		return load.InitialSync{}, err
	}
	defer s.stop()
	c, err := b.connect(s, b.proxies, flags...)
	if err != nil {
		return load.InitialSync{}, err
	}
	defer c.stop()
	return c.first, nil
}

// fewClusters is how many clusters all proxies in groups have: one for each service that they
// see, and two for its subsets.
func (b *bench) fewClusters() (n float64) {
	scopes := b.narrow()
	for i := range b.proxies {
		for _, service := range scopes[i%b.scopes].Services {
			if n++; service%splitEvery == 0 {
				n += 2
			}
		}
	}
	return
}

// seeTime is how long proxies have to be sent what a change costs them.
const seeTime = time.Second

// nothing changes what nobody selects on, and then nothing at all: a file is written again as it
// is. Before that it takes the series' last endpoint away, which shows that all would be seen.
func (b *bench) nothing(c *client, files mesh.Files) error {
	var sent [3]int64
	for i, label := range []int{1, 2, 2} {
		var err error
		sent[i], err = c.during(seeTime, func() error {
			return load.Replace(files.Service(mesh.Hot), files.LabelTemplate(mesh.Hot), label)
		})
		if err != nil {
			return err
		}
	}
	if sent[0] == 0 {
		return fmt.Errorf("no proxy got anything of an endpoint that went: that changes for nobody cost nothing cannot be seen")
	}
	bytes := float64(sent[1] + sent[2])
	b.result.add("nothing", bytes, 0)
	b.result.expect(bytes, 0, "bytes for a change that nobody selects on")
	return nil
}

// churn changes endpoints without waiting for anybody.
func (b *bench) churn() error {
	s, err := b.weft(b.everything)
	if err != nil {
		return err
	}
	defer s.stop()
	c, err := b.connect(s, b.proxies)
	if err != nil {
		return err
	}
	defer c.stop()
	r, err := c.churn(b.churnRate, b.churnTime, s.endpoint)
	if err != nil {
		return err
	}
	b.result.expect(float64(r.Missing), 0, "changes of the churn that a proxy never had")
	last, first := r.Slices[len(r.Slices)-1], r.Slices[0]
	b.result.add("churn p99", r.P99, 0)
	b.result.add("churn growth", last.P50, first.P50)
	b.result.raw("churn", r)
	return nil
}

// slope changes what the same few proxies know, among few others and among many.
func (b *bench) slope() error {
	var cpu, last [2]float64
	for i, n := range []int{b.fewProxies, b.manyProxies} {
		r, idle, err := b.among(n)
		if err != nil {
			return err
		}
		own := r.CPUTotal - idle.CPU/idle.Seconds*r.Seconds // what passing time costs is no change's
		cpu[i], last[i] = own/float64(r.Changes)*1000, r.LastP50
		b.result.carries(fmt.Sprintf("weft, endpoint, among %d,", n), r.Resources, "eds")
		b.result.raw(fmt.Sprintf("slope among %d", n), r)
	}
	b.result.add("slope cpu", cpu[1], cpu[0])
	b.result.add("slope time", last[1], last[0])
	return nil
}

// among makes changes that some of n proxies know of. These are in a process of their own:
// its size must not count.
func (b *bench) among(n int) (r load.ChangeSeries, idle load.Traffic, err error) {
	s, err := b.weft(b.scoped)
	if err != nil {
		return r, idle, err
	}
	defer s.stop()
	others, err := b.connect(s, n-b.interested, b.inGroups()...)
	if err != nil {
		return r, idle, err
	}
	defer others.stop()
	c, err := b.connect(s, b.interested, "-ns", "nhot", "-gap", slopeGap.String())
	if err != nil {
		return r, idle, err
	}
	defer c.stop()
	length := time.Duration(b.slopeChanges) * slopeGap
	if idle, err = c.idle(length); err != nil {
		return r, idle, err
	}
	if err := others.tell("idle %v", length); err != nil {
		return r, idle, err
	}
	if r, err = c.change(b.slopeChanges, s.endpoint); err != nil {
		return r, idle, err
	}
	var heard load.Traffic
	err = others.answer(&heard)
	b.result.expect(float64(len(heard.Msgs)), 0, fmt.Sprintf("types that %d proxies got of changes that do not concern them", n-b.interested))
	return r, idle, err
}

// slopeGap is short: a change that reaches few costs little, and many of them show how much.
const slopeGap = 200 * time.Millisecond

// memory compares the server's memory with and without proxies, and with few and many endpoints.
func (b *bench) memory() error {
	var rss [2]float64
	for i, endpoints := range []int{b.endpoints, b.moreEndpoints} {
		s, err := b.weft(func() (mesh.Files, error) {
			return b.mesh(endpoints, b.narrow()).Write(filepath.Join(b.dir, "memory"))
		})
		if err != nil {
			return err
		}
		if rss[i], err = b.settled(s); err == nil && i == 0 {
			err = b.perProxy(s, rss[i])
		}
		s.stop()
		if err != nil {
			return err
		}
	}
	more := b.services * (b.moreEndpoints - b.endpoints)
	b.result.add("memory endpoint", (rss[1]-rss[0])*(1<<20)/float64(more), 0)
	return nil
}

func (b *bench) perProxy(s *server, without float64) error {
	c, err := b.connect(s, b.memoryProxies, append(b.inGroups(), "-connect-rate", fmt.Sprint(b.memoryProxies/5))...)
	if err != nil {
		return err
	}
	defer c.stop()
	with, err := b.settled(s)
	b.result.add("memory proxy", (with-without)*1024/float64(b.memoryProxies), 0)
	return err
}

// stopped makes changes while 5% of the proxies do not read, and while they do.
func (b *bench) stopped() error {
	s, err := b.weft(b.everything)
	if err != nil {
		return err
	}
	defer s.stop()
	few := max(1, b.proxies/20)
	slow, err := b.connect(s, few, "-node-id", "{ns}/slow-{i}")
	if err != nil {
		return err
	}
	defer slow.stop()
	others, err := b.connect(s, b.proxies-few)
	if err != nil {
		return err
	}
	defer others.stop()
	for range b.repeats {
		var p99 [2]float64
		for i, sig := range []syscall.Signal{syscall.SIGCONT, syscall.SIGSTOP} {
			if err := slow.signal(sig); err != nil {
				return err
			}
			r, err := others.churn(b.fairRate, b.fairTime, s.endpoint)
			if err != nil {
				return err
			}
			b.result.expect(float64(r.Missing), 0, "changes that proxies beside stopped ones never had")
			p99[i] = r.P99
		}
		if err := slow.signal(syscall.SIGCONT); err != nil {
			return err
		}
		if _, err := others.idle(b.settle); err != nil { // the stopped ones catch up
			return err
		}
		b.result.add("stopped", p99[1], p99[0])
	}
	return nil
}
