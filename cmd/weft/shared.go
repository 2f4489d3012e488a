package main

import (
	"context"
	"crypto/tls"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"weft.dev/metrics"
	"weft.dev/model"
)

// A proxy reports to the replica that it is connected to, and people ask any of them.
// So each replica follows what the others hear, and has all edges. Releases do not judge by
// that: a report is told once, and one that a replica missed is missed.

const (
	reportsMethod = "Reports"
	// earSize is how many reports wait for a replica that follows; it misses what comes while they do.
	earSize  = 1 << 12
	peerPing = 10 * time.Second // of a connection on which nothing comes
)

// heardReport is a report, and whose it is.
type heardReport struct {
	Source   metrics.End         `json:"source"`
	Workload string              `json:"workload,omitempty"`
	Report   model.TrafficReport `json:"report"`
}

// shared is what this replica hears, for the others that follow.
type shared struct {
	mu   sync.Mutex
	ears map[chan heardReport]bool
}

func (s *shared) tell(r heardReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ear := range s.ears {
		select {
		case ear <- r:
		default:
		}
	}
}

// listen has reports come from now on, until stop.
func (s *shared) listen() (ear chan heardReport, stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ears == nil {
		s.ears = map[chan heardReport]bool{}
	}
	ear = make(chan heardReport, earSize)
	s.ears[ear] = true
	return ear, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.ears, ear)
	}
}

// stream is the mesh port's side: it tells another server of the mesh, and nobody else.
func (s *shared) stream(_ any, to grpc.ServerStream) error {
	if !isServer(to.Context()) {
		return status.Error(codes.PermissionDenied, "only servers of the mesh follow each other")
	}
	ear, stop := s.listen()
	defer stop()
	if err := to.SendHeader(nil); err != nil { // from here on it hears all
		return err
	}
	for {
		select {
		case <-to.Context().Done():
			return to.Context().Err()
		case r := <-ear:
			if err := to.SendMsg(r); err != nil {
				return err
			}
		}
	}
}

// follower hears what other replicas hear.
type follower struct {
	others func() map[string]other
	tls    *tls.Config
	record func(heardReport)
}

// run follows whoever is there until ctx ends.
func (f follower) run(ctx context.Context) error {
	var following sync.WaitGroup
	defer following.Wait()
	ends := map[string]context.CancelFunc{} // by address
	for {
		now := map[string]bool{}
		for _, o := range f.others() {
			now[o.address] = true
			if ends[o.address] == nil {
				var each context.Context
				each, ends[o.address] = context.WithCancel(ctx)
				following.Go(func() { f.keep(each, o.address) })
			}
		}
		for address, end := range ends {
			if !now[address] {
				end()
				delete(ends, address)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(askInterval):
		}
	}
}

// keep follows one until ctx ends, however often that breaks off.
func (f follower) keep(ctx context.Context, address string) {
	for ctx.Err() == nil {
		_ = f.follow(ctx, address) // it is away, or begins, or ends: it is there again, or is soon none of the others
		select {
		case <-ctx.Done():
		case <-time.After(askInterval):
		}
	}
}

func (f follower) follow(ctx context.Context, address string) error {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(f.tls)), grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: peerPing, Timeout: model.LeaseInterval}))
	if err != nil {
		return err
	}
	defer conn.Close()
	from, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/"+replicaService+"/"+reportsMethod, grpc.CallContentSubtype(model.AgentCodec{}.Name()))
	if err != nil {
		return err
	}
	if err := from.CloseSend(); err != nil {
		return err
	}
	for {
		var r heardReport
		if err := from.RecvMsg(&r); err != nil {
			return err
		}
		f.record(r)
	}
}

// shareReports is part of the wiring where several servers serve one mesh.
func (m *mesh) shareReports() {
	m.edges, m.seen = metrics.NewTotals(m.hidden), metrics.NewEdges(m.hidden)
	m.shared, m.others = &shared{}, m.newOthers()
	f := follower{m.others, m.authority.CA.PeerTLS(), m.heard}
	m.served = append(m.served, f.run)
}

// reported takes in what a proxy said that is connected here.
func (m *mesh) reported(r heardReport) {
	if m.shared != nil {
		m.edges.Record(r.Source, r.Report, time.Now())
		m.shared.tell(r)
	}
	m.heard(r)
}

// heard takes in what people see, whichever server a proxy said it to.
func (m *mesh) heard(r heardReport) {
	now := time.Now()
	m.seen.Record(r.Source, r.Report, now)
	m.strangers.Record(r.Workload, r.Source, r.Report, now)
	m.limits.record(r.Report.Limits)
	m.verdicts.Record(r.Source, r.Report.Verdicts)
}
