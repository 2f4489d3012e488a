package web

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"weft.dev/metrics"
	"weft.dev/model"
)

const (
	mostInstances = 200 // of a service on its page, those that need attention first
	mostEnded     = 10  // releases of it
)

// ServicePage is all of one service.
type ServicePage struct {
	Service
	Ports     []string       `json:"ports"`   // 9080 http
	Callers   []metrics.Edge `json:"callers"` // the most requests first
	Callees   []metrics.Edge `json:"callees"`
	Routes    []Route        `json:"routes"`
	Instances []Workload     `json:"instances"` // those that take no calls first
	Known     int            `json:"known"`     // instances, of which Instances are the first
	Found     []Problem      `json:"found"`     // problems of objects of its name
	Releases  []Release      `json:"releases"`  // of the application of its name, the newest first
	From      []Origin       `json:"from"`      // that make it a service
	Addresses []Address      `json:"addresses"` // private ones of its versions
}

// Address leads requests inside of the mesh to a version, whatever its share is: a header of theirs.
type Address struct {
	Version string `json:"version"`
	Header  string `json:"header"` // NAME: VALUE
}

func servicePage(seen *glances, r *http.Request) (any, error) {
	window, err := windowOf(r)
	if err != nil {
		return nil, err
	}
	l, mesh := seen.at(window, time.Now()).land(), seen.mesh
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	i := slices.IndexFunc(l.rows, func(s model.Service) bool { return s.Namespace == namespace && s.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("service %s/%s: %w: nothing names it, and no workload serves it", namespace, name, ErrNotFound)
	}
	row := l.rows[i]
	p := ServicePage{Service: l.service(row), Routes: routesOf(row.Host, mesh.Routes()), Ports: []string{}, Found: []Problem{}, Releases: []Release{}, From: []Origin{}, Addresses: addresses(l.splits[row.Host])}
	for _, port := range row.Ports {
		p.Ports = append(p.Ports, fmt.Sprintf("%d %s", port.Number, port.Protocol))
	}
	for _, o := range row.From {
		p.From = append(p.From, originOf(o))
	}
	p.Callers, p.Callees = around(destination(row.Host), l.edges)
	secured(mesh, p.Callers)
	secured(mesh, p.Callees)
	p.Instances, p.Known = l.workloads(row)
	for _, one := range Problems(mesh.Problems()) {
		if one.Namespace == namespace && one.Name == name {
			p.Found = append(p.Found, one)
		}
	}
	for _, one := range newestFirst(mesh.Releases()) {
		if one.Namespace == namespace && one.Application == name && len(p.Releases) < mostEnded {
			p.Releases = append(p.Releases, one)
		}
	}
	return p, nil
}

// addresses are those of the versions that are told apart.
func addresses(s model.Split) []Address {
	all := []Address{}
	for _, v := range s.Versions {
		all = append(all, Address{v.Version, model.VersionHeader + ": " + s.Address(v.Version)})
	}
	return all
}

// around are the calls to a place and from it, the most requests first.
func around(at place, edges []metrics.Edge) (callers, callees []metrics.Edge) {
	callers, callees = []metrics.Edge{}, []metrics.Edge{}
	for _, e := range edges {
		if at == (place{e.Destination.Namespace, e.Destination.App}) {
			callers = append(callers, e)
		}
		if at == (place{e.Source.Namespace, e.Source.App}) {
			callees = append(callees, e)
		}
	}
	for _, list := range [][]metrics.Edge{callers, callees} {
		slices.SortStableFunc(list, func(a, b metrics.Edge) int { return size(b.Rate) - size(a.Rate) })
	}
	return callers, callees
}

// workloads are the instances of a service, those that take no calls first.
func (l land) workloads(row model.Service) (list []Workload, all int) {
	rows := model.Workloads(l.instances(row))
	slices.SortStableFunc(rows, func(a, b model.Workload) int {
		return model.CompareBool(a.Health == model.Healthy, b.Health == model.Healthy)
	})
	return workloads(rows[:min(len(rows), mostInstances)]), len(rows)
}
