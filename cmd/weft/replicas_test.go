package main

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"weft.dev/api"
	"weft.dev/identity"
	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/release"
)

// replicaOf is what one server knows: it took in a generation of the split, its proxies
// are behind or not, and they counted so many requests.
func replicaOf(generation int64, missing []string, requests uint64) facts {
	edges := metrics.NewEdges(func(string) []uint32 { return nil })
	edges.Record(metrics.End{Namespace: "shop", App: "web"}, model.TrafficReport{Period: time.Second, Edges: []model.EdgeCounters{
		{Cluster: "reviews.shop.svc.cluster.local:9080/v3", Requests: requests, Routes: map[string]model.RouteCounts{"/rare": {Requests: requests, Errors: 1}}},
	}}, time.Unix(1000, 0))
	key := api.Object{Kind: api.TrafficSplit, Namespace: "shop", Name: "reviews"}.Key()
	return facts{
		arrivals: &arrivals{since: map[string]arrival{key: {generation, 7}}}, edges: edges,
		applied: func(uint64) (int, int, []string) { return 2 - len(missing), 2, missing },
	}
}

// meshPortOf serves what a server knows, and returns where.
func meshPortOf(t *testing.T, a identity.Authority, f facts) string {
	t.Helper()
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(a.CA.ServerTLS())))
	registerFacts(server, f, &shared{}, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l) //nolint:errcheck // it ends with the test
	t.Cleanup(server.Stop)
	return l.Addr().String()
}

func openTestAuthority(t *testing.T) identity.Authority {
	t.Helper()
	a, err := openAuthority(t.TempDir(), "cluster.local")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A release is told what the proxies of all replicas acknowledged and counted. While
// one that serves proxies has not said it, or not of late, nothing is known.
func TestReplicas(t *testing.T) {
	authority := openTestAuthority(t)
	others := map[string]other{
		"b": {meshPortOf(t, authority, replicaOf(3, []string{"shop/web-1"}, 10)), true},
		"c": {"127.0.0.1:1", false}, // it has not begun
	}
	r := newReplicas(replicaOf(3, nil, 20), "a", func() map[string]other { return maps.Clone(others) }, authority.CA.PeerTLS())
	var late atomic.Int64
	r.now = func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	target := release.Target{Namespace: "shop", Application: "reviews", Service: "reviews"}
	if a := r.Applied("shop", "reviews", 3); a.Known {
		t.Errorf("before the other was asked: %+v", a)
	}
	r.Traffic(target)

	conns := map[string]*grpc.ClientConn{}
	t.Cleanup(func() {
		for _, conn := range conns {
			conn.Close()
		}
	})
	// hears waits for an answer to what is asked now: a busy machine gives some too late.
	hears := func(of splitOf) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; {
			if err := r.ask(t.Context(), conns); err != nil {
				t.Fatal(err)
			}
			r.mu.Lock()
			h := r.heard["b"]
			r.mu.Unlock()
			if h != nil {
				if _, said := h.applied[of]; said {
					return
				}
			}
			if time.Now().After(end) {
				t.Fatalf("never heard of %+v", of)
			}
		}
	}
	hears(splitOf{"shop", "reviews", 3})
	if a := r.Applied("shop", "reviews", 3); !a.Known || a.Proxies != 4 || !slices.Equal(a.Missing, []string{"shop/web-1"}) {
		t.Errorf("of both: %+v", a)
	}
	want := map[string]release.Counts{"shop/web@a": {Requests: 20}, "shop/web@b": {Requests: 10}}
	if got := r.Traffic(target)["v3"]; !maps.Equal(got, want) {
		t.Errorf("traffic %v, want %v", got, want)
	}
	want = map[string]release.Counts{"/rare@a": {Requests: 20, Errors: 1}, "/rare@b": {Requests: 10, Errors: 1}}
	if got := r.Routes(target)["v3"]; !maps.Equal(got, want) {
		t.Errorf("routes %v, want %v", got, want)
	}
	r.Applied("shop", "reviews", 4)
	hears(splitOf{"shop", "reviews", 4})
	if a := r.Applied("shop", "reviews", 4); a.Known {
		t.Errorf("of a generation that nobody has: %+v", a)
	}
	late.Store(int64(heardTime + time.Second))
	if a := r.Applied("shop", "reviews", 3); a.Known {
		t.Errorf("of one that is silent: %+v", a)
	}
	delete(others, "b")
	if a := r.Applied("shop", "reviews", 3); !a.Known || a.Proxies != 2 {
		t.Errorf("of one alone: %+v", a)
	}
}

// Another server of the same mesh is told, and nobody else.
func TestOnlyServersAsk(t *testing.T) {
	authority := openTestAuthority(t)
	address := meshPortOf(t, authority, replicaOf(3, nil, 1))
	withoutCertificate := authority.CA.PeerTLS()
	withoutCertificate.GetClientCertificate = nil
	for name, c := range map[string]struct {
		how  credentials.TransportCredentials
		want codes.Code
	}{
		"a server":            {credentials.NewTLS(authority.CA.PeerTLS()), codes.OK},
		"without certificate": {credentials.NewTLS(withoutCertificate), codes.PermissionDenied},
		"of another mesh":     {credentials.NewTLS(openTestAuthority(t).CA.PeerTLS()), codes.Unavailable},
	} {
		conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(c.how))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		var a answer
		err = conn.Invoke(ctx, "/"+replicaService+"/"+factsMethod, question{}, &a, grpc.CallContentSubtype(model.AgentCodec{}.Name()))
		if status.Code(err) != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		cancel()
		conn.Close()
	}
}
