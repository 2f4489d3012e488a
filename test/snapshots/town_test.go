package snapshots

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

const (
	greeterHost = "greeter.example.com"
	fromHeader  = "from" // which greeter answered
)

// town is where the services are: each answers with its address, all at one port.
type town struct {
	t              *testing.T
	port, grpcPort int
	services       []place
	greeters       map[string]*grpc.Server // by address
}

// place is a service of the table.
type place struct {
	host, address string
	dns           bool // found by a name, not by its address
}

var row = regexp.MustCompile(`team: '(\w+)', name: '(\w+)', (address|dns): '([\w.-]+)'`)

func newTown(t *testing.T, table string) *town {
	t.Helper()
	v := &town{t: t, port: free(t), grpcPort: free(t), greeters: map[string]*grpc.Server{}}
	served := map[string]bool{}
	for _, found := range row.FindAllStringSubmatch(table, -1) {
		p := place{fmt.Sprintf("%s-%s.example.com", found[1], found[2]), found[4], found[3] == "dns"}
		if p.dns {
			p.address = "127.0.0.1"
		}
		v.services = append(v.services, p)
		if !served[p.address] {
			served[p.address] = true
			v.serve(p.address)
		}
	}
	if len(v.services) != 100 {
		t.Fatalf("the table has %d services, want 100", len(v.services))
	}
	for _, address := range greeters {
		v.greet(address)
	}
	return v
}

func (v *town) listen(address string, port int) net.Listener {
	v.t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	check(v.t, err)
	return listener
}

func (v *town) serve(address string) {
	v.t.Helper()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if delay, err := time.ParseDuration(r.URL.Query().Get("delay")); err == nil {
			select {
			case <-time.After(delay):
			case <-r.Context().Done():
			}
		}
		fmt.Fprint(w, address)
	})}
	listener := v.listen(address, v.port)
	go server.Serve(listener)
	v.t.Cleanup(func() { server.Close() })
}

// find is the service of a host.
func (v *town) find(host string) place {
	v.t.Helper()
	for _, p := range v.services {
		if p.host == host {
			return p
		}
	}
	v.t.Fatalf("no service %s in the table", host)
	return place{}
}

// greeter says in a header where it is.
type greeter struct {
	grpc_health_v1.UnimplementedHealthServer
	address string
}

func (g greeter) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, grpc.SetHeader(ctx, metadata.Pairs(fromHeader, g.address))
}

func (v *town) greet(address string) {
	v.t.Helper()
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, greeter{address: address})
	listener := v.listen(address, v.grpcPort)
	go server.Serve(listener)
	v.greeters[address] = server
	v.t.Cleanup(server.Stop)
}
