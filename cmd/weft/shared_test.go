package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"weft.dev/identity"
	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/test/process"
	"weft.dev/xds"
)

// sharing serves what a server hears, and returns where and how to stop it.
func sharing(t *testing.T, a identity.Authority, heard *shared) (address string, stop func()) {
	t.Helper()
	server := grpc.NewServer(append(xds.ServerOptions(), grpc.Creds(credentials.NewTLS(a.CA.ServerTLS())))...)
	registerFacts(server, facts{}, heard, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l) //nolint:errcheck // it ends with the test
	t.Cleanup(server.Stop)
	return l.Addr().String(), server.Stop
}

// A replica has the reports that the others hear, each once, of those that come and go, too.
func TestReportsAreShared(t *testing.T) {
	authority := openTestAuthority(t)
	var b, c shared
	atB, stopB := sharing(t, authority, &b)
	atC, _ := sharing(t, authority, &c)
	var mu sync.Mutex
	others := map[string]other{"b": {atB, true}}
	counted := map[string]uint64{}
	f := follower{
		others: func() map[string]other {
			mu.Lock()
			defer mu.Unlock()
			return maps.Clone(others)
		},
		tls: authority.CA.PeerTLS(),
		record: func(r heardReport) {
			mu.Lock()
			defer mu.Unlock()
			counted[r.Source.App] += r.Report.Edges[0].Requests
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- f.run(ctx) }()
	tells := func(from *shared, app string, want uint64) {
		t.Helper()
		followers(t, from, 1)
		for range 10 {
			from.tell(heardReport{metrics.End{App: app}, "default/" + app, model.TrafficReport{Edges: []model.EdgeCounters{{Cluster: "x", Requests: 7}}}})
		}
		if err := process.Until(time.Minute, func() error {
			mu.Lock()
			defer mu.Unlock()
			if counted[app] != want {
				return fmt.Errorf("%s: %d requests, want %d", app, counted[app], want)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	set := func(all map[string]other) {
		mu.Lock()
		defer mu.Unlock()
		others = all
	}
	tells(&b, "of b", 70)
	set(map[string]other{"b": {atB, true}, "c": {atC, true}})
	tells(&c, "of c", 70)
	tells(&b, "of b", 140)
	stopB()
	tells(&c, "of c", 140)
	set(nil)
	followers(t, &c, 0) // it is none of the others
	cancel()
	<-ended
}

// followers waits for so many.
func followers(t *testing.T, of *shared, want int) {
	t.Helper()
	if err := process.Until(time.Minute, func() error {
		of.mu.Lock()
		defer of.mu.Unlock()
		if len(of.ears) != want {
			return fmt.Errorf("%d follow, want %d", len(of.ears), want)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Who does not read holds nobody up, and takes no memory beyond a bound.
func TestDeafFollower(t *testing.T) {
	var s shared
	ear, stop := s.listen()
	for range 3 * earSize {
		s.tell(heardReport{})
	}
	if len(ear) != earSize {
		t.Errorf("%d reports wait, want %d", len(ear), earSize)
	}
	stop()
	s.tell(heardReport{})
	if len(s.ears) != 0 {
		t.Errorf("%d ears after all stopped", len(s.ears))
	}
}

// Reports name everything that calls: nobody but another server hears them.
func TestOnlyServersFollow(t *testing.T) {
	authority := openTestAuthority(t)
	address, _ := sharing(t, authority, &shared{})
	stranger := authority.CA.PeerTLS()
	stranger.GetClientCertificate = nil
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(stranger)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	from, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/"+replicaService+"/"+reportsMethod, grpc.CallContentSubtype(model.AgentCodec{}.Name()))
	if err == nil {
		err = from.RecvMsg(&heardReport{})
	}
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("a stranger follows: %v", err)
	}
}
