package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"weft.dev/flow"
	"weft.dev/identity"
	"weft.dev/model"
	"weft.dev/release"
	provider "weft.dev/release/provider/mesh"
)

// A proxy is connected to one replica, and what it acknowledged and counted is known
// there alone. So the one that leads asks the others, at their mesh port, what its
// releases want to know. Revisions differ between replicas: they compare the
// generation of a TrafficSplit.

const (
	replicaService = "weft.Replica"
	factsMethod    = "Facts"
	serverApp      = "weft" // label app of the servers' pods
	meshPort       = "7444" // of each, as the chart has it

	askInterval = time.Second
	heardTime   = 5 * time.Second  // of a replica that is silent for longer nothing is assumed
	wantedTime  = 30 * time.Second // after which what no release asked for is asked no more
	maxMissing  = 10               // proxies of a replica that are named
)

// splitOf is one generation of a TrafficSplit.
type splitOf struct {
	Namespace, Name string
	Generation      int64
}

// question is what a release wants to know, answer what a replica says: one for each.
type (
	question struct {
		Splits  []splitOf        `json:"splits,omitempty"`
		Targets []release.Target `json:"targets,omitempty"`
	}
	answer struct {
		Applied []release.Applied                      `json:"applied,omitempty"`
		Traffic []map[string]map[string]release.Counts `json:"traffic,omitempty"`
		Routes  []map[string]map[string]release.Counts `json:"routes,omitempty"` // an older replica says none
	}
)

// answer is of this replica alone.
func (f facts) answer(q question) (a answer) {
	for _, s := range q.Splits {
		applied := f.Applied(s.Namespace, s.Name, s.Generation)
		applied.Missing = applied.Missing[:min(len(applied.Missing), maxMissing)]
		a.Applied = append(a.Applied, applied)
	}
	for _, t := range q.Targets {
		a.Traffic = append(a.Traffic, f.Traffic(t))
		a.Routes = append(a.Routes, f.Routes(t))
	}
	return a
}

// replicas is what releases are told of the mesh where several servers serve it.
type replicas struct {
	facts         // of this one
	self   string // name of its pod
	others func() map[string]other
	tls    *tls.Config
	now    func() time.Time

	mu      sync.Mutex
	splits  map[splitOf]time.Time // when a release asked last
	targets map[release.Target]time.Time
	heard   map[string]*heard // by name of the pod
}

var _ provider.Mesh = (*replicas)(nil)

// other is another replica.
type other struct {
	address string // host:port of the mesh port
	serves  bool   // proxies may be connected to it
}

// heard is what another replica said.
type heard struct {
	at      time.Time
	applied map[splitOf]release.Applied
	traffic map[release.Target]map[string]map[string]release.Counts
	routes  map[release.Target]map[string]map[string]release.Counts
}

func newReplicas(own facts, self string, others func() map[string]other, tls *tls.Config) *replicas {
	return &replicas{
		facts: own, self: self, others: others, tls: tls, now: time.Now,
		splits: map[splitOf]time.Time{}, targets: map[release.Target]time.Time{}, heard: map[string]*heard{},
	}
}

// Applied implements the release provider's Mesh: it is known once every replica that
// serves proxies has said it of late.
func (r *replicas) Applied(namespace, name string, generation int64) release.Applied {
	all := r.facts.Applied(namespace, name, generation)
	others := r.others()
	r.mu.Lock()
	defer r.mu.Unlock()
	split := splitOf{namespace, name, generation}
	r.splits[split] = r.now()
	for who, o := range others {
		if !o.serves {
			continue
		}
		h := r.heard[who]
		if h == nil || r.now().Sub(h.at) > heardTime || !h.applied[split].Known {
			return release.Applied{}
		}
		all.Proxies += h.applied[split].Proxies
		all.Missing = append(all.Missing, h.applied[split].Missing...)
	}
	return all
}

// Traffic implements the release provider's Mesh: what each replica counted is a part
// of its own, because each begins to count at its own time.
func (r *replicas) Traffic(t release.Target) map[string]map[string]release.Counts {
	return r.each(t, r.facts.Traffic(t), func(h *heard) map[string]map[string]release.Counts { return h.traffic[t] })
}

// Routes implements the release provider's Mesh, in the same way.
func (r *replicas) Routes(t release.Target) map[string]map[string]release.Counts {
	return r.each(t, r.facts.Routes(t), func(h *heard) map[string]map[string]release.Counts { return h.routes[t] })
}

func (r *replicas) each(t release.Target, own map[string]map[string]release.Counts, said func(*heard) map[string]map[string]release.Counts) map[string]map[string]release.Counts {
	all := map[string]map[string]release.Counts{}
	add := func(who string, traffic map[string]map[string]release.Counts) {
		for version, parts := range traffic {
			if all[version] == nil {
				all[version] = map[string]release.Counts{}
			}
			for part, counts := range parts {
				all[version][part+"@"+who] = counts
			}
		}
	}
	add(r.self, own)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.targets[t] = r.now()
	for who, h := range r.heard {
		add(who, said(h))
	}
	return all
}

// run asks the others for as long as this one leads.
func (r *replicas) run(ctx context.Context) error {
	conns := map[string]*grpc.ClientConn{} // by address
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	for ctx.Err() == nil {
		if err := r.ask(ctx, conns); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(askInterval):
		}
	}
	return ctx.Err()
}

// ask asks each of the others once. Who does not answer is silent.
func (r *replicas) ask(ctx context.Context, conns map[string]*grpc.ClientConn) error {
	q, others := r.question(), r.others()
	used := map[string]bool{}
	var asked sync.WaitGroup
	defer asked.Wait()
	for who, o := range others {
		used[o.address] = true
		conn := conns[o.address]
		if conn == nil {
			var err error
			if conn, err = grpc.NewClient("passthrough:///"+o.address, grpc.WithTransportCredentials(credentials.NewTLS(r.tls))); err != nil {
				return fmt.Errorf("replica %s: %w", who, err)
			}
			conns[o.address] = conn
		}
		asked.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askInterval)
			defer cancel()
			var a answer
			err := conn.Invoke(ctx, "/"+replicaService+"/"+factsMethod, q, &a, grpc.CallContentSubtype(model.AgentCodec{}.Name()), grpc.WaitForReady(true))
			if err == nil {
				r.hear(who, q, a)
			}
		})
	}
	r.forget(others)
	maps.DeleteFunc(conns, func(address string, conn *grpc.ClientConn) bool {
		if !used[address] {
			conn.Close()
		}
		return !used[address]
	})
	return nil
}

// forget lets go of replicas that are gone.
func (r *replicas) forget(others map[string]other) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.heard, func(who string, _ *heard) bool {
		_, there := others[who]
		return !there
	})
}

// question is all that a release asked of late.
func (r *replicas) question() (q question) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.now().Add(-wantedTime)
	maps.DeleteFunc(r.splits, func(_ splitOf, at time.Time) bool { return at.Before(old) })
	maps.DeleteFunc(r.targets, func(_ release.Target, at time.Time) bool { return at.Before(old) })
	return question{slices.Collect(maps.Keys(r.splits)), slices.Collect(maps.Keys(r.targets))}
}

func (r *replicas) hear(who string, q question, a answer) {
	if len(a.Applied) != len(q.Splits) || len(a.Traffic) != len(q.Targets) {
		return // no answer to this question
	}
	h := &heard{
		at: r.now(), applied: map[splitOf]release.Applied{},
		traffic: map[release.Target]map[string]map[string]release.Counts{}, routes: map[release.Target]map[string]map[string]release.Counts{},
	}
	for i, s := range q.Splits {
		h.applied[s] = a.Applied[i]
	}
	for i, t := range q.Targets {
		h.traffic[t] = a.Traffic[i]
		if len(a.Routes) == len(q.Targets) {
			h.routes[t] = a.Routes[i]
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard[who] = h
}

// registerFacts has a mesh port answer other servers of the mesh, and nobody else.
func registerFacts(server grpc.ServiceRegistrar, own facts, heard *shared, counted *limits) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: replicaService, HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{StreamName: reportsMethod, Handler: heard.stream, ServerStreams: true}},
		Methods: []grpc.MethodDesc{{MethodName: factsMethod, Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			if !isServer(ctx) {
				return nil, status.Error(codes.PermissionDenied, "only servers of the mesh ask each other this")
			}
			var q question
			if err := decode(&q); err != nil {
				return nil, status.Error(codes.InvalidArgument, "the message is not the JSON that this call takes")
			}
			return own.answer(q), nil
		}}, {MethodName: limitsMethod, Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			if !isServer(ctx) {
				return nil, status.Error(codes.PermissionDenied, "only servers of the mesh count for each other")
			}
			var q limitsQuestion
			if err := decode(&q); err != nil {
				return nil, status.Error(codes.InvalidArgument, "the message is not the JSON that this call takes")
			}
			return counted.taken(ctx, q)
		}}},
	}, nil)
}

// isServer says whether the caller has the certificate of a server of the mesh.
func isServer(ctx context.Context) bool {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return false
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return false
	}
	name, err := identity.NameOf(info.State.PeerCertificates[0])
	return err == nil && name.IsServer()
}

// newReplicas is part of the wiring.
func (m *mesh) newReplicas(own facts) *replicas {
	return newReplicas(own, ownPod(), m.others, m.authority.CA.PeerTLS())
}

// ownPod is the name of this one: the election has failed without it.
func ownPod() string {
	self, _ := os.Hostname()
	return self
}

// newOthers is part of the wiring: the others are the pods of servers beside this one.
func (m *mesh) newOthers() func() map[string]other {
	namespace, self := ownNamespace(), ownPod()
	servers := flow.NewIndex(m.front.pods, func(p model.Pod) []string {
		if p.Namespace == namespace && p.Labels["app"] == serverApp {
			return []string{serverApp}
		}
		return nil
	})
	return func() map[string]other {
		all := map[string]other{}
		m.graph.View(func(x *flow.Ctx) {
			for _, p := range flow.Lookup(x, servers, serverApp) {
				all[p.Name()] = other{net.JoinHostPort(p.Address, meshPort), p.Health == model.Healthy}
			}
		})
		delete(all, self)
		return all
	}
}
