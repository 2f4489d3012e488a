package agent_test

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"weft.dev/agent"
	"weft.dev/agent/poll"
	"weft.dev/identity"
	"weft.dev/model"
	"weft.dev/snapshot"
	"weft.dev/snapshot/store"
	"weft.dev/test/envoytest"
	"weft.dev/test/process"
)

// shelf is a folder in which somebody publishes, for a workload without a server.
type shelf struct {
	*testing.T
	dir       string
	key       ed25519.PrivateKey
	sequence  uint64
	port, app int // of Envoy, of the application
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{T: t, dir: t.TempDir(), key: key}
	for _, port := range []*int{&s.port, &s.app} {
		if *port, err = process.FreePort(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// view sends calls to the application, but answers /version itself.
func (s *shelf) view(version, cluster string) []*model.Resource {
	const listener = `{"name": "outbound", "address": {"socket_address": {"address": "127.0.0.1", "port_value": %d}}, "filter_chains": [{"filters": [{
		"name": "http", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
			"stat_prefix": "outbound", "route_config": {"name": "r", "virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [
				{"match": {"path": "/version"}, "direct_response": {"status": 200, "body": {"inline_string": %q}}},
				{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]}]},
			"http_filters": [{"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}}]}]}`
	return []*model.Resource{
		encoded(s.T, model.TypeCluster, "app", &clusterv3.Cluster{}, cluster, s.app),
		encoded(s.T, model.TypeListener, "outbound", &listenerv3.Listener{}, listener, s.port, version),
	}
}

const (
	goodCluster = `{"name": "app", "connect_timeout": "1s", "type": "STATIC", "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [
		{"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": %d}}}}]}]}}`
	badCluster = `{"name": "app", "connect_timeout": "1s", "type": "STATIC", "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [
		{"endpoint": {"address": {"socket_address": {"address": "no address", "port_value": %d}}}}]}]}}`
)

func (s *shelf) publish(version, cluster string) {
	s.Helper()
	view := snapshot.EncodeView(s.view(version, cluster))
	s.sequence++
	index := snapshot.Index{Sequence: s.sequence, Revision: version, Views: map[string]snapshot.Digest{"shop/app": snapshot.DigestOf(view), "shop/gateway-front": snapshot.DigestOf(view)}}
	files := identity.Dir(s.dir)
	for name, data := range map[string][]byte{snapshot.DigestOf(view).Path(): view, snapshot.IndexFile: index.Sign(s.key)} {
		if err := identity.Dir(filepath.Join(string(files), filepath.Dir(name))).Write(filepath.Base(name), data); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *shelf) options(dir string) agent.Options {
	s.Helper()
	reader, err := store.OpenReader(s.dir, "")
	if err != nil {
		s.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		s.Fatal(err)
	}
	return agent.Options{
		Dir: dir, Envoy: envoytest.Binary(s.T), Drain: 100 * time.Millisecond,
		Published: &poll.Options{
			Store: reader, Target: reader.String(), Trusted: []ed25519.PublicKey{s.key.Public().(ed25519.PublicKey)}, Interval: 50 * time.Millisecond,
		},
		Registration: model.Registration{
			Namespace: "shop", Name: "app-1", App: "app", OutboundPort: uint32(s.port),
			Ports: []model.WorkloadPort{{Number: 80, Protocol: model.HTTP, AppPort: uint32(s.app)}},
		},
		Command: []string{"env", asApp + "=1", self}, Stdout: io.Discard, Stderr: io.Discard,
	}
}

// get calls through Envoy; every error is "".
func (s *shelf) get(client *http.Client, path string) string {
	return bodyOf(client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", s.port, path)))
}

func published(dir string) agent.Published {
	s, err := agent.ReadStatus(dir)
	if err != nil || s.Published == nil {
		return agent.Published{}
	}
	return *s.Published
}

// The life of a workload without a server: it waits for what is published, follows
// it, keeps what it has while Envoy refuses something, and starts from disk.
func TestWithoutServer(t *testing.T) {
	s := newShelf(t)
	dir := filepath.Join(t.TempDir(), "app-1")
	first := start(t, s.options(dir))
	until(t, "it says that nothing is published", func() bool { return first.logged("index cannot be read") == 1 })
	s.publish("one", goodCluster)
	until(t, "it serves", func() bool { return strings.HasSuffix(s.get(fresh(), "/"), "proxy ready") })
	until(t, "its status says so", func() bool { p := published(dir); return p.InUse && p.Revision == "one" && p.Trouble == "" })
	if n := first.logged("the published view is in use"); n != 1 {
		t.Errorf("it says %d times that the view is in use", n)
	}

	stop := load(t, func(client *http.Client) bool { return strings.HasSuffix(s.get(client, "/"), "proxy ready") })
	s.publish("two", badCluster)
	until(t, "it says that Envoy refuses it", func() bool { return first.logged("Envoy refused configuration") > 0 })
	until(t, "its status says so", func() bool { p := published(dir); return !p.InUse && p.Revision == "two" })
	s.publish("three", goodCluster)
	until(t, "it follows", func() bool { return s.get(fresh(), "/version") == "three" })
	until(t, "its status says so", func() bool { p := published(dir); return p.InUse && p.Revision == "three" })
	stop()
	until(t, "it is on disk", func() bool { return written(dir, "three") })
	first.stop()

	if err := os.Rename(s.dir, s.dir+".away"); err != nil {
		t.Fatal(err)
	}
	second := start(t, s.options(dir))
	until(t, "it serves from disk", func() bool { return strings.HasSuffix(s.get(fresh(), "/"), "proxy ready") })
	if got := s.get(fresh(), "/version"); got != "three" {
		t.Errorf("from disk comes version %q", got)
	}
	second.stop()
}

// written says whether a text is part of the configuration on disk.
func written(dir, text string) bool {
	data, err := os.ReadFile(filepath.Join(dir, "config"))
	return err == nil && strings.Contains(string(data), text)
}

// A gateway that no Workload names has the view that the repository made for it.
func TestGatewayWithoutServer(t *testing.T) {
	s := newShelf(t)
	s.publish("one", goodCluster)
	o := s.options(filepath.Join(t.TempDir(), "front-1"))
	o.Registration, o.Command = model.Registration{Namespace: "shop", Name: "front-1", Gateway: "front"}, nil
	r := start(t, o)
	until(t, "it serves", func() bool { return s.get(fresh(), "/version") == "one" })
	r.stop()
}

// A view that was made for other ports is not waited for in silence.
func TestOtherPort(t *testing.T) {
	t.Parallel() // it waits, for the most part
	s := newShelf(t)
	s.publish("one", goodCluster)
	o := s.options(filepath.Join(t.TempDir(), "app-1"))
	o.Registration.OutboundPort = 15
	r := start(t, o)
	until(t, "it says which ports there are", func() bool { return r.logged("needs=[15] listens=["+strconv.Itoa(s.port)+"]") > 0 })
	r.stop()
	o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	o.Registration.OutboundPort = 0
	o.Dir = t.TempDir()
	if _, err := agent.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "no outbound port") {
		t.Errorf("without a port: %v", err)
	}
}

// Without a server the agent stays below its budget, too.
func TestMemoryWithoutServer(t *testing.T) {
	s := newShelf(t)
	s.publish("one", goodCluster)
	_, public, err := snapshot.EncodeKey(s.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "trusted.pem"), public, 0o600); err != nil {
		t.Fatal(err)
	}
	o := s.options(filepath.Join(t.TempDir(), "app-1"))
	args := []string{"run", "--app", "app", "--namespace", "shop", "--name", "app-1", "--outbound", strconv.Itoa(s.port), "--port", "80:" + strconv.Itoa(s.app),
		"--snapshots", s.dir, "--snapshot-key", filepath.Join(s.dir, "trusted.pem"), "--dir", o.Dir, "--envoy", o.Envoy, "--drain", "100ms", "--"}
	memory(t, exec.Command(shipped(t), append(args, o.Command...)...), func() bool { return s.get(fresh(), "/") != "" })
}
