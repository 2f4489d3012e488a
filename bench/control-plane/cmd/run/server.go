package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"weft.dev/bench/control-plane/load"
	"weft.dev/bench/control-plane/mesh"
	"weft.dev/model"
	"weft.dev/test/process"
)

const (
	// startTime is how long a server may take until it takes connections.
	startTime = time.Minute
	pollTime  = 5 * time.Millisecond
)

// server is a control plane under measurement.
type server struct {
	name            string
	xds             string     // host:port of ADS without TLS
	files           mesh.Files // that it serves; the peer serves a dump
	node            []string   // flags of the load client that fit its proxies to the server
	endpoint, route string     // changes, as the load client takes them
	cmd             *exec.Cmd
	log             string
	ended           chan struct{}
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// start starts a server and waits until it takes connections. It ends with ctx at the latest.
func (s *server) start(ctx context.Context, dir string, env []string, binary string, args ...string) error {
	s.log = filepath.Join(dir, s.name+".log")
	out, err := os.Create(s.log)
	if err != nil {
		return err
	}
	defer out.Close() // the process has its own
	s.cmd = exec.CommandContext(ctx, binary, args...)
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = append(os.Environ(), env...), out, out
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.ended = make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // how it ended is in its log
		close(s.ended)
	}()
	if err := s.await(s.xds); err != nil {
		return err
	}
	return s.idle(ctx)
}

const (
	// idleTime without idleShare of a core is when a server has done what starting takes.
	idleTime  = 500 * time.Millisecond
	idleShare = 0.02
	// idleLimit is how often that is tried.
	idleLimit = 40
)

// idle waits until a server is done with starting: that is no proxy's cost.
func (s *server) idle(ctx context.Context) error {
	for range idleLimit {
		before := load.ProcStat(s.pid()).CPU
		select {
		case <-time.After(idleTime):
		case <-ctx.Done():
			return ctx.Err()
		}
		if load.ProcStat(s.pid()).CPU-before < idleShare*idleTime.Seconds() {
			return nil
		}
	}
	return fmt.Errorf("%s is not idle %v after its start, without any proxy", s.name, idleLimit*idleTime)
}

func (s *server) await(address string) error {
	for end := time.Now().Add(startTime); ; time.Sleep(pollTime) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-s.ended:
			err = errors.New("it ended")
		default:
			if time.Now().Before(end) {
				continue
			}
		}
		said, _ := os.ReadFile(s.log)
		return fmt.Errorf("%s does not serve at %s: %w; it said:\n%s", s.name, address, err, said)
	}
}

// stop kills the server: nothing of it is needed any more.
func (s *server) stop() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
}

// signal sends one to the process.
func (s *server) signal(sig syscall.Signal) error { return s.cmd.Process.Signal(sig) }

// serving is a server, not yet started, of a mesh that is written anew.
func serving(name string, write func() (mesh.Files, error)) (*server, error) {
	files, err := write()
	return &server{name: name, xds: freePort(), files: files, endpoint: changeEndpoint(files, mesh.Hot), route: changeRoute(files)}, err
}

// weft serves a folder. It starts with nothing learned and nobody registered.
func (b *bench) weft(write func() (mesh.Files, error)) (*server, error) {
	s, err := serving("weft", write)
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(b.dir, "weft-")
	if err != nil {
		return nil, err
	}
	if err := s.start(b.ctx, b.dir, nil, b.weftBinary, "serve", "--config", s.files.Config(),
		"--data", data, "--mesh", freePort(), "--listen", freePort(), "--xds-plaintext", s.xds); err != nil {
		return s, err
	}
	said, err := os.ReadFile(s.log)
	b.result.expect(float64(bytes.Count(said, []byte("msg=problem "))), 0, "objects of the mesh that weft does not take as they are")
	return s, err
}

// peer serves what one of weft's proxies got, with whole route tables.
func (b *bench) peer(dump string) (*server, error) { return b.fromDump("peer", dump) }

// bare sends the same and does nothing else: the least that a server costs that is made of gRPC-Go.
func (b *bench) bare(dump string) (*server, error) { return b.fromDump("bare", dump, "-bare") }

func (b *bench) fromDump(name, dump string, flags ...string) (*server, error) {
	s, ctl := &server{name: name, xds: freePort()}, freePort()
	cluster := model.ClusterName(mesh.Host(mesh.Hot), mesh.Port, "")
	s.endpoint = fmt.Sprintf("http=http://%s/eds?name=%s&addr=%s&port=%d,type=eds,name=%s,addr=%[3]s:%[4]d",
		ctl, url.QueryEscape(cluster), mesh.EndpointAddress, mesh.Port, mesh.Host(mesh.Hot))
	s.route = fmt.Sprintf("http=http://%s/rds?name=%s&marker=%s,type=rds,contains=%[3]s", ctl, outboundRoutes, mesh.RouteMarker)
	return s, s.start(b.ctx, b.dir, nil, b.bin("gcpserver"), append([]string{"-load", dump, "-addr", s.xds, "-ctl", ctl, "-whole-routes"}, flags...)...)
}

// outboundRoutes is the name of weft's RouteConfiguration of a workload's own calls.
const outboundRoutes = "outbound"

// istio serves the same folders as weft, without a cluster, and as fast as it can be told to be.
func (b *bench) istio(write func() (mesh.Files, error)) (*server, error) {
	s, err := serving("istiod", write)
	if err != nil {
		return nil, err
	}
	s.node = []string{"-node-id", "sidecar~{ip}~{name}.{ns}~{ns}.svc.cluster.local", "-node-cluster", "{name}.{ns}", "-metadata",
		`{"NAMESPACE":"{ns}","CLUSTER_ID":"Kubernetes","ISTIO_VERSION":"1.30.3","MESH_ID":"cluster.local","SERVICE_ACCOUNT":"default","LABELS":{"app":"{name}"},"INTERCEPTION_MODE":"REDIRECT","PROXY_CONFIG":{}}`}
	env := []string{"ENABLE_CA_SERVER=false", "PILOT_CERT_PROVIDER=none", "INJECT_ENABLED=false", "VALIDATION_ENABLED=false", "POD_NAMESPACE=istio-system",
		"PILOT_MAX_REQUESTS_PER_SECOND=100000", "PILOT_DEBOUNCE_AFTER=1ms", "PILOT_ENABLE_EDS_DEBOUNCE=false"}
	return s, s.start(b.ctx, b.dir, env, b.istiod, "discovery", "--registries=", "--meshConfig", s.files.IstioMesh(), "--grpcAddr", s.xds,
		"--httpAddr", freePort(), "--httpsAddr=", "--secureGRPCAddr=", "--monitoringAddr", freePort())
}

func changeEndpoint(files mesh.Files, service int) string {
	return fmt.Sprintf("file=%s,tmpl=%s,%s", files.Service(service), files.EndpointTemplate(service), seeEndpoint(service))
}

// seeEndpoint is how a proxy shows that it has a changed endpoint.
func seeEndpoint(service int) string {
	return fmt.Sprintf("type=eds,name=%s,addr=%s:%d", mesh.Host(service), mesh.EndpointAddress, mesh.Port)
}

func changeRoute(files mesh.Files) string {
	return fmt.Sprintf("file=%s,tmpl=%s,type=any,contains=%s", files.Route(), files.RouteTemplate(), mesh.RouteMarker)
}

// freePort is an address of loopback that nobody listens at.
func freePort() string {
	port, _ := process.FreePort() // without one the server will say what is wrong
	return process.Loopback(port)
}

// settled waits until a server's memory is steady, and returns it in MiB.
func (b *bench) settled(s *server) (float64, error) {
	return steady(b.ctx, b.steady, func() float64 { return rss(s.pid()) })
}
