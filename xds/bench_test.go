package xds

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"weft.dev/flow"
	"weft.dev/model"
)

// The server of a benchmark is this process, its clients are another one: what
// is measured is the server alone.
const (
	fleetAddr    = "WEFT_FLEET_ADDR"
	fleetProxies = "WEFT_FLEET_PROXIES"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(fleetAddr); addr != "" {
		n, _ := strconv.Atoi(os.Getenv(fleetProxies))
		runFleet(addr, n)
		return
	}
	os.Exit(m.Run())
}

// runFleet connects so many proxies, each with a connection of its own, that
// acknowledge everything.
func runFleet(addr string, n int) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithReadBufferSize(4<<10), grpc.WithSharedWriteBuffer(true))
			if err != nil {
				panic(err)
			}
			stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(context.Background())
			if err != nil {
				panic(err)
			}
			obey(stream, fmt.Sprintf("p%d", i))
		}()
	}
	wg.Wait()
}

func obey(stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient, node string) {
	send := func(t string, r *discoveryv3.DeltaDiscoveryRequest) {
		r.TypeUrl = t
		_ = stream.Send(r)
	}
	send(cluster.TypeURL(), &discoveryv3.DeltaDiscoveryRequest{Node: &corev3.Node{Id: node}})
	send(listener.TypeURL(), &discoveryv3.DeltaDiscoveryRequest{})
	send(host.TypeURL(), &discoveryv3.DeltaDiscoveryRequest{})
	for {
		m, err := stream.Recv()
		if err != nil {
			return
		}
		if m.GetTypeUrl() == cluster.TypeURL() {
			var names []string
			for _, r := range m.GetResources() {
				names = append(names, r.GetName())
			}
			if len(names) > 0 {
				send(endpoint.TypeURL(), &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: names})
			}
		}
		send(m.GetTypeUrl(), &discoveryv3.DeltaDiscoveryRequest{ResponseNonce: m.GetNonce()})
	}
}

// fleet is a server with many proxies of one scope.
type fleet struct {
	b *testing.B
	*lab
	server  *Server
	proxies int
	bytes   atomic.Int64
}

// meter counts what is written to the clients.
type meter struct {
	net.Listener
	n *atomic.Int64
}

type metered struct {
	net.Conn
	n *atomic.Int64
}

func (m meter) Accept() (net.Conn, error) {
	c, err := m.Listener.Accept()
	return metered{c, m.n}, err
}

func (m metered) Write(p []byte) (int, error) {
	m.n.Add(int64(len(p)))
	return m.Conn.Write(p)
}

func newFleet(b *testing.B, proxies, services int) *fleet {
	f := &fleet{b: b, lab: newLab(), proxies: proxies}
	f.server = NewServer(Options{Views: f.looks, Graph: f.g, Proxies: f.rows})
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	g := grpc.NewServer(ServerOptions()...)
	f.server.Register(g)
	go g.Serve(meter{lis, &f.bytes})
	b.Cleanup(g.Stop)
	f.g.Commit(func(tx *flow.Tx) {
		var names []string
		for i := range services {
			name := fmt.Sprintf("service/s%d", i)
			names = append(names, name)
			f.layers.Set(tx, f.service(i, "0"))
		}
		f.outlines.Set(tx, &model.Outline{Scope: "all", Layers: names})
		for i := range proxies {
			f.assigned.Set(tx, assignment(fmt.Sprintf("p%d", i), "all"))
		}
	})
	before := rss(b)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fleetAddr+"="+lis.Addr().String(), fleetProxies+"="+strconv.Itoa(proxies))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	f.settle(uint64(f.g.Revision()))
	time.Sleep(2 * time.Second) // what is freed goes back, and what is sampled is at rest
	per := func(n uint64) float64 { return float64(n) / float64(proxies) / 1024 }
	b.ReportMetric(per(rss(b)-before), "KB-rss/proxy")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(per(m.StackInuse), "KB-stack/proxy")
	b.ReportMetric(per(m.HeapInuse), "KB-heap/proxy")
	b.ReportMetric(float64(runtime.NumGoroutine())/float64(proxies), "goroutines/proxy")
	if path := os.Getenv("WEFT_HEAP"); path != "" {
		file, _ := os.Create(path)
		runtime.GC()
		pprof.WriteHeapProfile(file)
		file.Close()
	}
	return f
}

// service is a layer with a cluster, its endpoints and its virtual host.
func (f *fleet) service(i int, version string) *model.Layer {
	name := fmt.Sprintf("s%d.default.svc:80", i)
	return layer(fmt.Sprintf("service/s%d", i),
		res(cluster, name, strings.Repeat("c", 300)),
		res(endpoint, name, strings.Repeat("e", 300)+version),
		res(host, "outbound/"+name, strings.Repeat("h", 300), name))
}

func (f *fleet) settle(rev uint64) {
	for start := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		if applied, total, _ := f.server.Applied(rev); applied == f.proxies && total == f.proxies {
			return
		}
		if time.Since(start) > time.Minute {
			f.b.Fatalf("revision %d not applied: %d of %d", rev, f.proxies, f.proxies)
		}
	}
}

// BenchmarkEndpointChange is the cost of one changed endpoint for 500 streams
// that have it, in the server, with the reading of the acknowledgements.
func BenchmarkEndpointChange(b *testing.B) {
	const proxies = 500
	f := newFleet(b, proxies, 10)
	b.ResetTimer()
	cpu, bytes := cpuTime(b), f.bytes.Load()
	for i := range b.N {
		f.settle(uint64(f.g.Commit(func(tx *flow.Tx) { f.layers.Set(tx, f.service(3, strconv.Itoa(i+1))) })))
	}
	b.StopTimer()
	perStream := func(total float64) float64 { return total / float64(b.N) / proxies }
	b.ReportMetric(perStream(float64((cpuTime(b) - cpu).Microseconds())), "cpu-us/stream")
	b.ReportMetric(perStream(float64(b.Elapsed().Microseconds())), "us/stream")
	b.ReportMetric(perStream(float64(f.bytes.Load()-bytes)), "B/stream")
}

// BenchmarkConnected is the memory of connected proxies with 30 resources each.
func BenchmarkConnected(b *testing.B) {
	newFleet(b, 2000, 10)
	for range b.N {
	}
}

func rss(b *testing.B) uint64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.ParseUint(strings.Fields(string(data))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * uint64(os.Getpagesize())
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
