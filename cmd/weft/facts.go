package main

import (
	"sync"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/release"
)

// arrivals remembers at which revision the mesh took in each generation of each
// TrafficSplit, so that a release can ask whether its own has reached the proxies.
type arrivals struct {
	mu    sync.Mutex
	since map[string]arrival // by key of the object
}

type arrival struct {
	generation int64
	revision   flow.Revision
}

func newArrivals(all *flow.Collection[api.Object]) *arrivals {
	a := &arrivals{since: map[string]arrival{}}
	all.Observe(func(revision flow.Revision, changes []flow.Change[api.Object]) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, change := range changes {
			switch {
			case change.New == nil:
				delete(a.since, change.Key)
			case change.New.Kind == api.TrafficSplit:
				a.since[change.Key] = arrival{change.New.Generation, revision}
			}
		}
	})
	return a
}

// at is the revision since which the mesh has this generation, or a later one.
func (a *arrivals) at(namespace, name string, generation int64) (flow.Revision, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found, ok := a.since[api.Object{Kind: api.TrafficSplit, Namespace: namespace, Name: name}.Key()]
	return found.revision, ok && found.generation >= generation
}

// facts is what releases are told of the mesh.
type facts struct {
	arrivals *arrivals
	running  running
	edges    *metrics.Edges
	applied  func(revision uint64) (applied, total int, laggards []string)
}

// running are the workloads of each application: those that registered, and pods.
type running struct {
	graph *flow.Graph
	of    *flow.Index[model.Replicas] // by namespace/application
}

func newRunning(graph *flow.Graph, all *flow.Collection[model.Replicas]) running {
	return running{graph, flow.NewIndex(all, func(r model.Replicas) []string { return []string{r.Namespace + "/" + r.App} })}
}

// Healthy implements the release provider's Mesh. A Lost one counts: too many were
// lost at once to believe that they are gone, and they still get traffic.
func (f facts) Healthy(t release.Target) map[string]int {
	byVersion := map[string]int{}
	f.running.graph.View(func(x *flow.Ctx) {
		for _, r := range flow.Lookup(x, f.running.of, t.Namespace+"/"+t.Application) {
			for _, i := range r.Instances {
				if i.Health == model.Healthy || i.Health == model.Lost {
					byVersion[r.Version]++
				}
			}
		}
	})
	return byVersion
}

// Applied implements the release provider's Mesh.
func (f facts) Applied(namespace, name string, generation int64) release.Applied {
	revision, known := f.arrivals.at(namespace, name, generation)
	if !known {
		return release.Applied{}
	}
	_, total, missing := f.applied(uint64(revision))
	return release.Applied{Proxies: total, Missing: missing, Known: true}
}

// Traffic implements the release provider's Mesh: versions are compared only by
// calls of the same caller.
func (f facts) Traffic(t release.Target) map[string]map[string]release.Counts {
	traffic := map[string]map[string]release.Counts{}
	for version, callers := range f.edges.Versions(model.HostOf(t.Namespace, t.Service)) {
		traffic[version] = map[string]release.Counts{}
		for caller, counts := range callers {
			answered := release.Counts{Requests: counts.Requests, Retries: counts.Retries, Errors: counts.Errors}
			if t.SlowerThan > 0 {
				answered.Timed, answered.Slow = metrics.Slower(counts.Latency, t.SlowerThan)
			}
			traffic[version][caller.Namespace+"/"+caller.App] = answered
		}
	}
	return traffic
}

// Routes implements the release provider's Mesh.
func (f facts) Routes(t release.Target) map[string]map[string]release.Counts {
	all := map[string]map[string]release.Counts{}
	for version, routes := range f.edges.Routes(model.HostOf(t.Namespace, t.Service)) {
		all[version] = map[string]release.Counts{}
		for route, counts := range routes {
			all[version][route] = release.Counts{Requests: counts.Requests, Errors: counts.Errors}
		}
	}
	return all
}
