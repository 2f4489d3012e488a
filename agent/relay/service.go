package relay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
)

const (
	saveInterval = 200 * time.Millisecond // changes within it are written together
	saveRest     = 20                     // times as long as writing took, nothing is written again
	settleTime   = 2 * time.Second        // without change, after which a configuration is a good one
	minBackoff   = 200 * time.Millisecond
	maxBackoff   = 5 * time.Second

	// AskBound is how long a request waits at Envoy for a host that nobody told it of.
	AskBound = 2 * time.Second
)

var errStale = errors.New("Envoy refused what was remembered for it, and the server is to know")

// Service runs a Relay: a gRPC server for one Envoy, and a client of the server.
type Service struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	cache Cache
	log   *slog.Logger

	mu     sync.Mutex
	relay  *Relay
	envoys int // number of Envoy's newest stream
	full   bool
	saved  int // changes of relay that are on disk

	envoy, server, disk chan struct{} // something may be to do for it
}

// Open reads the cache and makes a service of it.
func Open(cache Cache, log *slog.Logger) *Service {
	held, err := cache.Load()
	if err != nil {
		log.Error("the configuration on disk is damaged; the last settled one is used", "why", err)
	}
	return &Service{
		cache: cache, log: log, relay: New(held),
		envoy: make(chan struct{}, 1), server: make(chan struct{}, 1), disk: make(chan struct{}, 1),
	}
}

// with changes the relay and wakes whoever may have something to do.
func (s *Service) with(change func(*Relay)) {
	s.mu.Lock()
	change(s.relay)
	refusals := s.relay.Refusals()
	dirty := s.relay.changes != s.saved
	s.mu.Unlock()
	for _, r := range refusals {
		s.log.Error("Envoy refused configuration; it keeps what it had", "type", r.TypeURL, "fromMemory", r.FromMemory, "why", r.Detail)
	}
	wake(s.envoy)
	wake(s.server)
	if dirty {
		wake(s.disk)
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// SetLocal gives a resource that is ours, such as a secret.
func (s *Service) SetLocal(url string, one *discoveryv3.Resource) {
	s.with(func(r *Relay) { r.SetLocal(url, one) })
}

// Names are the resources of a type that Envoy has accepted.
func (s *Service) Names(url string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.relay.Names(url)
}

// AskedFor are the names of a type that Envoy asks for.
func (s *Service) AskedFor(url string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.relay.AskedFor(url)
}

// DeltaAggregatedResources serves Envoy. A newer stream ends an older one.
func (s *Service) DeltaAggregatedResources(stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	var mine int
	var full bool
	s.with(func(r *Relay) {
		s.envoys++
		mine, full = s.envoys, s.full
		r.EnvoyConnected()
	})
	ended := make(chan error, 1)
	go func() {
		for {
			q, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			s.with(func(r *Relay) {
				if mine == s.envoys {
					r.FromEnvoy(told(q, full))
				}
			})
		}
	}()
	for {
		select {
		case err := <-ended:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-s.envoy:
		}
		for {
			var p *response
			s.mu.Lock()
			newest := mine == s.envoys
			if newest {
				p = s.relay.ToEnvoy()
			}
			s.mu.Unlock()
			if !newest {
				wake(s.envoy) // that was for the other one
				return errors.New("a newer stream took over")
			}
			if p == nil {
				break
			}
			if err := stream.Send(shown(p, full)); err != nil {
				return err
			}
		}
	}
}

// RunTicks lets requests that wait be answered in time, until ctx ends. The
// ticks are half of AskBound apart.
func (s *Service) RunTicks(ctx context.Context, ticks <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
			s.mu.Lock()
			s.relay.Tick()
			s.mu.Unlock()
			wake(s.envoy)
		}
	}
}

// RunUpstream keeps a stream to the server for as long as ctx lives.
func (s *Service) RunUpstream(ctx context.Context, conn grpc.ClientConnInterface) {
	client := discoveryv3.NewAggregatedDiscoveryServiceClient(conn)
	backoff := minBackoff
	for ctx.Err() == nil {
		began := time.Now()
		err := s.upstream(ctx, client)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > maxBackoff {
			backoff = minBackoff
		}
		wait := backoff/2 + rand.N(backoff) // a thousand agents must not come back together
		s.log.Info("no configuration stream to the server; Envoy keeps what it has", "why", err, "again", wait.Round(time.Millisecond))
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

func (s *Service) upstream(ctx context.Context, client discoveryv3.AggregatedDiscoveryServiceClient) error {
	for asked := false; !asked; {
		s.mu.Lock()
		asked = s.relay.Asked()
		s.mu.Unlock()
		if !asked {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.server:
			}
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.DeltaAggregatedResources(ctx, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	s.with((*Relay).ServerConnected)
	defer s.with((*Relay).ServerGone)
	ended := make(chan error, 1)
	go func() { ended <- s.receive(stream) }()
	for {
		select {
		case err := <-ended:
			return err
		case <-s.server:
		}
		for q, stale := s.toServer(); q != nil || stale; q, stale = s.toServer() {
			if stale {
				cancel()
				<-ended // nothing of this stream is to be taken for the next one's
				return errStale
			}
			if err := stream.Send(q); err != nil {
				return <-ended
			}
		}
	}
}

func (s *Service) toServer() (q *request, stale bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.relay.ToServer(), s.relay.Stale()
}

func (s *Service) receive(stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient) error {
	for {
		p, err := stream.Recv()
		if err != nil {
			return err
		}
		within := true
		s.with(func(r *Relay) { within = r.FromServer(p) })
		if !within {
			return errors.New("the server sends without waiting for answers")
		}
	}
}

// RunCache writes what Envoy accepts to disk until ctx ends, and once more then.
func (s *Service) RunCache(ctx context.Context) {
	var data []byte // written, and not settled yet
	for ctx.Err() == nil {
		rest := saveInterval
		var settled <-chan time.Time
		if data != nil {
			settled = time.After(settleTime)
		}
		select {
		case <-ctx.Done():
		case <-s.disk:
			began := time.Now()
			data = s.save(data)
			rest = max(rest, saveRest*time.Since(began))
		case <-settled:
			if err := s.cache.Settle(data); err != nil {
				s.log.Error("the configuration has no second copy on disk", "why", err)
			}
			data = nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
	}
	s.save(data)
}

// save writes what changed and returns it; old if nothing did.
func (s *Service) save(old []byte) []byte {
	s.mu.Lock()
	changes := s.relay.changes
	dirty := changes != s.saved
	var data []byte
	var err error
	if dirty {
		data, err = s.relay.encode()
	}
	s.mu.Unlock()
	if !dirty {
		return old
	}
	if err == nil {
		err = s.cache.Save(data)
	}
	if err != nil {
		s.log.Error("the configuration is not on disk: Envoy could not start without the server", "why", err)
		wake(s.disk)
		return old
	}
	s.mu.Lock()
	s.saved = changes
	s.mu.Unlock()
	return data
}
