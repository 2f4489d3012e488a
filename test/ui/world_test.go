package ui

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/store"
	"weft.dev/test/peer"
	"weft.dev/test/process"
)

const (
	namespace   = "shop"
	servicePort = 9080
)

// objects are what is written in the shop: a route of which one rule leads nowhere.
const objects = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
  - name: beta
    match: [{headers: {end-user: {exact: beta}}}]
    timeout: 2s
    route: [{destination: {host: reviews, subset: v2}}]
  - name: everybody
    route:
    - {destination: {host: reviews, subset: v1}, weight: 90}
    - {destination: {host: reviews, subset: v2}, weight: 10}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart]
  http:
  - route: [{destination: {host: basket}}]
`

// ratings is released by a canary, and told what its callers may do.
const ratings = `
apiVersion: weft.dev/v1alpha1
kind: Application
metadata: {name: ratings, namespace: shop}
spec:
  strategy: {type: canary, steps: [5, 50, 100]}
  roles: {release: [dev], approve: [lead]}
`

// calls are what the frontend's proxy counts in a second: one of ten goes to v2 of reviews, which answers half badly.
var calls = []model.EdgeCounters{
	counted("reviews", "v1", 90, 0, 5),
	counted("reviews", "v2", 10, 5, 80),
	counted("cart", "", 40, 0, 3),
	counted("ratings", "v1", 40, 0, 3),
	counted("ratings", "v2", 6, 3, 3),
}

func counted(name, version string, requests, errors uint64, ms float64) model.EdgeCounters {
	latency := make([]uint64, len(model.LatencyBounds)+1)
	for i, bound := range model.LatencyBounds {
		if ms <= bound {
			latency[i] = requests
			break
		}
	}
	return model.EdgeCounters{
		Cluster:  model.ClusterName(model.HostOf(namespace, name), servicePort, version),
		Requests: requests, Errors: errors, Statuses: map[uint32]uint64{500: errors}, Classes: model.Classes{1: requests - errors, 4: errors}, Latency: latency,
	}
}

// workloads are those of the shop.
var workloads = []struct{ app, version string }{
	{"frontend", "v1"}, {"reviews", "v1"}, {"reviews", "v2"}, {"cart", "v1"}, {"ratings", "v1"},
}

// shop is where its workloads run.
type shop struct {
	t       *testing.T
	machine *peer.Host
	running sync.WaitGroup
	started int
}

// openShop writes the objects, registers the workloads, and has the frontend call until the test ends.
func openShop(t *testing.T) *shop {
	t.Helper()
	token, err := server.Token("", namespace) // which makes the namespace
	check(t, err)
	apply(t, objects+"---"+ratings)
	s := &shop{t: t}
	t.Cleanup(s.running.Wait)
	s.machine, err = peer.Join(t.Context(), server.Mesh, token, "ui-host")
	check(t, err)
	for _, w := range workloads {
		s.start(w.app, w.version)
	}
	return s
}

func apply(t *testing.T, text string) {
	t.Helper()
	cmd := server.Command("apply", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("weft apply: %v\n%s", err, out)
	}
}

// start runs a workload until the test ends.
func (s *shop) start(app, version string) {
	s.t.Helper()
	ctx := s.t.Context()
	as, err := s.machine.Workload(ctx, namespace, app)
	check(s.t, err)
	s.started++
	proxy, err := peer.NewProxy(server.Mesh, as, model.Registration{
		Namespace: namespace, Name: app + "-" + version, App: app, Version: version, Address: fmt.Sprintf("127.0.1.%d", s.started),
		Labels: map[string]string{"app": app, "version": version}, OutboundPort: 15001,
		Ports: []model.WorkloadPort{{Number: servicePort, Protocol: model.HTTP, ProxyPort: 20000, AppPort: 8080}},
	})
	check(s.t, err)
	s.running.Go(func() { proxy.Run(ctx) })
	if app == "frontend" {
		s.running.Go(func() { report(ctx, proxy) })
	}
}

// release brings a bad version of ratings to its end.
func (s *shop) release() {
	s.t.Helper()
	config, err := server.Config()
	check(s.t, err)
	client, err := store.NewClient(config)
	check(s.t, err)
	applications := store.For[v1alpha1.Application](client, api.Application)
	check(s.t, process.Until(time.Minute, func() error {
		app, err := applications.Get(s.t.Context(), namespace, "ratings")
		if err == nil && app.Status.Version != "v1" {
			err = fmt.Errorf("ratings %q is in service, want v1", app.Status.Version)
		}
		return err
	}))
	s.start("ratings", "v2")
	out, err := server.Command("release", "start", "ratings", "v2", "-n", namespace, "--wait").CombinedOutput()
	if !strings.Contains(string(out), "RolledBack") {
		s.t.Fatalf("release: %v\n%s", err, out)
	}
}

// entrance has people outside reach ratings.
const entrance = `
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: ingress-1, namespace: shop}
spec: {gateway: ingress, address: 127.0.0.1, ports: [{number: 80, protocol: http, proxyPort: 8080, appPort: 8081}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ingress, namespace: shop}
spec: {gatewayClassName: weft, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ratings, namespace: shop}
spec: {parentRefs: [{name: ingress}], hostnames: [shop.example], rules: [{backendRefs: [{name: ratings, port: 9080}]}]}
`

// bob is a developer, who may release ratings and take back, but not promote. There is an undo to v2 that is
// done, and a release of v9 that waits for a workload. The link is bob's.
func (s *shop) bob() (link string) {
	s.t.Helper()
	apply(s.t, entrance)
	kubeconfig := person(s.t, "bob", "dev")
	for _, args := range [][]string{{"undo", "ratings", "--to", "v2", "--wait"}, {"release", "start", "ratings", "v9"}} {
		out, err := server.Command(append(args, "-n", namespace, "--kubeconfig", kubeconfig)...).CombinedOutput()
		if err != nil {
			s.t.Fatalf("%s: %v\n%s", args, err, out)
		}
	}
	return leadAs(s.t, kubeconfig)
}

// report has a proxy count the same calls each second.
func report(ctx context.Context, proxy *peer.Proxy) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		proxy.Report(ctx, model.TrafficReport{Period: time.Second, Edges: calls})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
