package snapshots

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weft.dev/test/gitserver"
	"weft.dev/test/objectstore"
	"weft.dev/test/process"
)

const (
	example     = "../../examples/repository"
	releaseHost = "release.example.com" // its route is what tests change
	target      = "s3://" + objectstore.Bucket + "/mesh"
)

// greeters are the endpoints of a gRPC service.
var greeters = []string{"127.21.0.1", "127.21.0.2", "127.21.0.3"}

// world is a repository with a hundred services, all of which answer, and where
// it is published.
type world struct {
	t        *testing.T
	git      *gitserver.Server
	ci       string // a clone
	town     *town
	s3       string         // endpoint
	front    *front         // before it, for agents
	key      string         // file of the key that signs; .pub is what agents trust
	ports    map[string]int // of proxies, by NAMESPACE/APP
	released int            // how often releaseHost became another service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	for _, setting := range objectstore.Environment() { // of all processes, and of this one
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	w := &world{t: t, git: gitserver.New(t), s3: objectstore.Start(t), ci: filepath.Join(dir, "ci"), ports: map[string]int{}}
	w.front = newFront(t, w.s3)
	w.found()
	w.git.Push()
	run(t, exec.Command("git", "clone", "--quiet", w.git.URL, w.ci))
	w.key = filepath.Join(dir, "publish.pem")
	w.weft("snapshot-key", w.key)
	w.publish()
	return w
}

// found commits the example, with addresses of loopback, and what tests need beside it.
func (w *world) found() {
	w.t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(example, name))
		check(w.t, err)
		return string(text)
	}
	table := strings.NewReplacer("'10.20.", "'127.20.", ".elb.example.com", ".localhost").Replace(read("services.libsonnet"))
	w.town = newTown(w.t, table)
	w.git.Write("services.libsonnet", table)
	w.git.Write("lib/weft.libsonnet", read("lib/weft.libsonnet"))
	w.git.Write("mesh.jsonnet", strings.ReplaceAll(read("mesh.jsonnet"), "host, 80,", fmt.Sprintf("host, %d,", w.town.port)))
	w.writeRelease("catalog-web.example.com", "5s")
	w.writeGreeters(greeters)
	w.writeWorkloads("shop/frontend", "orders/api", "media/web")
}

// writeRelease has calls of releaseHost go to another host, for at most so long.
func (w *world) writeRelease(to, timeout string) {
	w.git.Write("release.yaml", fmt.Sprintf(`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: release, namespace: shop}
spec:
  hosts: [%[1]s]
  location: MESH_EXTERNAL
  ports: [{number: %[2]d, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: release, namespace: shop}
spec:
  hosts: [%[1]s]
  http:
  - timeout: %[3]s
    headers: {response: {set: {x-released: %[5]q}}}
    route: [{destination: {host: %[4]s}}]
`, releaseHost, w.town.port, timeout, to, releasedTo(to)))
}

// releasedTo is a text that is in the configuration while releaseHost is another host.
func releasedTo(host string) string { return "released-to-" + host }

// writeGreeters registers the endpoints of the gRPC service.
func (w *world) writeGreeters(addresses []string) {
	text := fmt.Sprintf(`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: greeter, namespace: greet}
spec:
  hosts: [%s]
  location: MESH_EXTERNAL
  ports: [{number: %d, name: grpc, protocol: GRPC}]
  resolution: STATIC
  workloadSelector: {labels: {app: greeter}}
`, greeterHost, w.town.grpcPort)
	for i, address := range addresses {
		text += fmt.Sprintf(`---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: greeter-%d, namespace: greet}
spec: {address: %s, labels: {app: greeter}}
`, i, address)
	}
	w.git.Write("greeter.yaml", text)
}

// writeWorkloads names instances, NAMESPACE/APP-1, that share this machine: each has a port of its own.
func (w *world) writeWorkloads(apps ...string) {
	var text strings.Builder
	for _, one := range apps {
		namespace, app, _ := strings.Cut(one, "/")
		w.ports[one] = free(w.t)
		fmt.Fprintf(&text, "---\napiVersion: weft.dev/v1alpha1\nkind: Workload\nmetadata: {name: %s-1, namespace: %s}\nspec: {app: %s, address: 127.0.0.1, outboundPort: %d}\n",
			app, namespace, app, w.ports[one])
	}
	w.git.Write("workloads.yaml", text.String())
}

func free(t *testing.T) int {
	t.Helper()
	port, err := process.FreePort()
	check(t, err)
	return port
}

// weft runs a command as CI does, which must succeed.
func (w *world) weft(args ...string) (stdout string) {
	w.t.Helper()
	return run(w.t, exec.Command(weft, args...))
}

// commit pushes what was written, and has CI fetch it. It returns what CI had before.
func (w *world) commit() (before string) {
	w.t.Helper()
	before = filepath.Join(w.t.TempDir(), "before")
	check(w.t, os.CopyFS(before, os.DirFS(w.ci)))
	w.git.Push()
	run(w.t, exec.Command("git", "-C", w.ci, "pull", "--quiet", "--ff-only"))
	return before
}

// publish publishes what CI has.
func (w *world) publish() {
	w.t.Helper()
	w.weft("publish", w.ci, target, "--endpoint", w.s3, "--key", w.key)
}

// release publishes that releaseHost is another service.
func (w *world) release() (to place) {
	w.t.Helper()
	w.released++
	to = w.town.services[w.released]
	w.writeRelease(to.host, "5s")
	w.commit()
	w.publish()
	return to
}
