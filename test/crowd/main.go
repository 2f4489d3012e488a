// Command crowd serves the web UI of a mesh that there is not: of as many services as a test of the
// pages wants, each with callers, some of them in trouble. It prints the link.
//
// The mesh is made up; all that answers for it is the real thing, from web.Handler on.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/scope"
	"weft.dev/topology"
	"weft.dev/web"
)

func main() {
	services := flag.Int("services", 2000, "how many")
	failing := flag.Int("failing", 3, "of them, those that fail")
	address := flag.String("listen", "127.0.0.1:0", "where")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s/weft/ui/\n", listener.Addr())
	log.Fatal(http.Serve(listener, web.Handler(newCrowd(*services, *failing).mesh())))
}

const (
	perNamespace = 40
	failingFor   = 30 * time.Minute
)

// crowd is a mesh in which the i-th service calls some of those after it.
type crowd struct {
	past     topology.History
	since    time.Time // they fail
	services []model.Service
	replicas []model.Replicas
	calls    []call
	failing  map[int]bool
}

type call struct {
	from, to int
	rate     uint64
}

func newCrowd(services, failing int) *crowd {
	c := &crowd{failing: map[int]bool{}, since: time.Now().Add(-failingFor)}
	for i := range failing {
		c.failing[(i+1)*services/(failing+1)] = true
	}
	for i := range services {
		c.add(i)
		for k := range 1 + i%4 {
			if to := 2*i + 1 + k*perNamespace/3; to < services {
				c.calls = append(c.calls, call{i, to, uint64(1+(i*7919+k*104729)%900) / uint64(1+k)})
			}
		}
	}
	for at := time.Now().Add(-topology.Kept); at.Before(time.Now()); at = at.Add(topology.Pace) {
		c.past.Record(c.edges(topology.Pace, at), at)
	}
	return c
}

func (c *crowd) end(i int) metrics.End {
	return metrics.End{Namespace: fmt.Sprintf("team-%02d", i/perNamespace), App: fmt.Sprintf("service-%04d", i)}
}

// versions are those of the i-th service, and the percent of the requests that each gets.
func versions(i int) map[string]uint64 {
	if i%10 == 3 {
		return map[string]uint64{"v1": 90, "v2": 10}
	}
	return map[string]uint64{"v1": 100}
}

func (c *crowd) add(i int) {
	at := c.end(i)
	c.services = append(c.services, model.Service{
		Host: model.HostOf(at.Namespace, at.App), Namespace: at.Namespace, Name: at.App,
		Resolution: model.ByWorkload, Selector: map[string]string{"app": at.App}, Ports: []model.Port{{Number: 80, Protocol: model.HTTP}},
	})
	for v := range versions(i) {
		c.replicas = append(c.replicas, model.Replicas{
			ID:        at.App + v,
			Workload:  model.Workload{Namespace: at.Namespace, App: at.App, Version: v, Labels: map[string]string{"app": at.App}},
			Instances: []*model.Instance{{Workload: at.Namespace + "/" + at.App + "-" + v, Health: model.Healthy}},
		})
	}
}

// edges are the calls of a window: each second somewhat others. The newest version is the one that fails.
func (c *crowd) edges(window time.Duration, at time.Time) (all []metrics.Edge) {
	now := uint64(at.Unix())
	for i, one := range c.calls {
		n := (one.rate*100 + (now*31+uint64(i)*17)%100) * uint64(window/time.Second) / 100
		split := versions(one.to)
		for v, part := range split {
			e := edge(c.end(one.from), c.end(one.to), n*part/100, window)
			e.Latency[i%20] = e.Requests
			if len(split) > 1 {
				e.Destination.Version = v
			}
			if c.failing[one.to] && at.After(c.since) && (v == "v2" || len(split) == 1) {
				e.Errors = e.Requests / 8
				e.Success = 1 - float64(e.Errors)/float64(max(e.Requests, 1))
			}
			all = append(all, e)
		}
	}
	return all
}

func edge(from, to metrics.End, requests uint64, window time.Duration) metrics.Edge {
	e := metrics.Edge{Source: from, Destination: to, Port: 80, Rate: float64(requests) / window.Seconds(), Success: 1, P50: 2, P99: 9}
	e.Requests, e.Latency = requests, make([]uint64, len(model.LatencyBounds)+1)
	return e
}

func (c *crowd) mesh() web.Mesh {
	serving := make(chan struct{})
	close(serving)
	return web.Mesh{
		Serving:   serving,
		Status:    func() web.Status { return web.Status{Workloads: len(c.replicas), Healthy: len(c.replicas)} },
		Edges:     func(window time.Duration) []metrics.Edge { return c.edges(window, time.Now()) },
		Past:      &c.past,
		Series:    waves{c},
		Calls:     func(time.Time) []metrics.Call { return nil },
		Plain:     func([]string) map[string]bool { return nil },
		Services:  func() []model.Service { return c.services },
		Replicas:  func() []model.Replicas { return c.replicas },
		Problems:  func() []model.Problem { return nil },
		Splits:    func() []model.Split { return nil },
		Routes:    func() []model.RouteTable { return nil },
		Proxies:   func() []model.Proxy { return nil },
		Behind:    func() []string { return nil },
		Workloads: func() []model.Workload { return model.Workloads(c.replicas) },
		Me:        func(context.Context) (web.Me, error) { return web.Me{}, nil },
		Budgets:   func() []web.Budget { return nil },
		Scope:     func(string, string) (scope.Answer, error) { return scope.Answer{}, web.ErrNotFound },

		Releases:        func() []web.Release { return nil },
		ReleasesChanged: func() uint64 { return 0 },
		Pipelines:       func() []web.Pipeline { return nil },
		Runs:            func() []web.Run { return nil },
		Freezes:         func() []v1alpha1.Freeze { return nil },
	}
}
