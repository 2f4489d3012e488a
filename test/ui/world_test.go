package ui

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"weft.dev/model"
	"weft.dev/test/peer"
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

// calls are what the frontend's proxy counts in a second: one of ten goes to v2 of reviews, which answers half badly.
var calls = []model.EdgeCounters{
	counted("reviews", "v1", 90, 0, 5),
	counted("reviews", "v2", 10, 5, 80),
	counted("cart", "", 40, 0, 3),
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
		Requests: requests, Errors: errors, Statuses: map[uint32]uint64{500: errors}, Latency: latency,
	}
}

// workloads are those of the shop.
var workloads = []struct{ app, version string }{
	{"frontend", "v1"}, {"reviews", "v1"}, {"reviews", "v2"}, {"cart", "v1"},
}

// openShop writes the objects, registers the workloads, and has the frontend call until the test ends.
func openShop(t *testing.T) {
	t.Helper()
	token, err := server.Token("", namespace) // which makes the namespace
	check(t, err)
	apply := server.Command("apply", "-f", "-")
	apply.Stdin = strings.NewReader(objects)
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("weft apply: %v\n%s", err, out)
	}
	machine, err := peer.Join(t.Context(), server.Mesh, token, "ui-host")
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	t.Cleanup(cancel)
	for i, w := range workloads {
		as, err := machine.Workload(ctx, namespace, w.app)
		check(t, err)
		proxy, err := peer.NewProxy(server.Mesh, as, model.Registration{
			Namespace: namespace, Name: w.app + "-" + w.version, App: w.app, Version: w.version, Address: fmt.Sprintf("127.0.1.%d", i+1),
			Labels: map[string]string{"app": w.app, "version": w.version}, OutboundPort: 15001,
			Ports: []model.WorkloadPort{{Number: servicePort, Protocol: model.HTTP, ProxyPort: 20000, AppPort: 8080}},
		})
		check(t, err)
		running.Go(func() { proxy.Run(ctx) })
		if w.app == "frontend" {
			running.Go(func() { report(ctx, proxy) })
		}
	}
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
