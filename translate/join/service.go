package join

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/kube"
	"weft.dev/translate/object"
	"weft.dev/translate/weft"
)

// claim is one object's wish to be a service.
type claim struct {
	model.Service
	Implied bool // by workloads: any other of the host comes first
}

func (c claim) Equal(o claim) bool { return c.Implied == o.Implied && c.Service.Equal(o.Service) }

// wireWorkloads finds those that registered, and pods. It returns the services
// that somebody wrote, which say what pods serve.
func (m *Mesh) wireWorkloads(pods *flow.Collection[model.Pod]) *flow.Collection[item[claim]] {
	written := items(m.parts, "written services", func(_ *flow.Ctx, p Part) []claim {
		var all []claim
		for _, s := range Of[model.Service](p) {
			all = append(all, claim{Service: s})
		}
		for _, app := range Of[weft.App](p) {
			if app.Service != nil {
				all = append(all, claim{Service: *app.Service})
			}
		}
		return all
	}, func(c claim) string { return c.Host })
	registered := rows(m.parts, "registered workloads", Of[model.Workload])
	m.registered = flow.Derive(registered, "registered replicas", func(_ *flow.Ctx, w model.Workload) []model.Replicas {
		return []model.Replicas{model.Single(w)}
	})
	m.Replicas = m.registered
	if pods != nil {
		m.Replicas = flow.Union("replicas", m.registered, replicasOf(pods, written))
	}
	return written
}

// byApp finds workloads by the host of their application.
func byApp(all *flow.Collection[model.Replicas]) *flow.Index[model.Replicas] {
	return flow.NewIndex(all, func(w model.Replicas) []string {
		if w.App == "" {
			return nil // a gateway
		}
		return []string{model.HostOf(w.Namespace, w.App)}
	})
}

// byGateway finds the proxies of gateways.
func byGateway(all *flow.Collection[model.Replicas]) *flow.Index[model.Replicas] {
	return flow.NewIndex(all, func(w model.Replicas) []string {
		if w.Gateway == "" {
			return nil
		}
		return []string{w.Namespace + "/" + w.Gateway}
	})
}

func (m *Mesh) wireServices(written *flow.Collection[item[claim]]) {
	m.instances, m.proxiesOf = byApp(m.Replicas), byGateway(m.Replicas)
	claims := flow.Union("service claims", written, flow.Group(byApp(m.registered), "implied services", implied))
	byHost := flow.NewIndex(claims, func(i item[claim]) []string { return []string{i.Value.Host} })
	given := newGiven(m.parts)
	m.Services = flow.Group(byHost, "services", func(x *flow.Ctx, host string, all []item[claim]) *model.Service {
		s, ok := serviceOf(host, all)
		if !ok {
			return nil
		}
		s.Addresses, s.Ports = slices.Concat(s.Addresses, given.to(x, s)), m.portsWithTLS(x, s)
		return &s
	})
}

// given are endpoints that objects of their own give to services.
type given struct {
	entries *flow.Index[item[model.Address]] // by label
	slices  *flow.Index[item[kube.Slice]]    // by host
}

func newGiven(parts *flow.Collection[Part]) given {
	entries := said(parts, "workload entries", func(model.Address) string { return "" })
	slices := said(parts, "endpoint slices", func(s kube.Slice) string { return s.Host })
	return given{
		entries: flow.NewIndex(entries, func(i item[model.Address]) []string {
			var all []string
			for label, value := range i.Value.Labels {
				all = append(all, labelKey(i.Object.Namespace, label, value))
			}
			return all
		}),
		slices: flow.NewIndex(slices, func(i item[kube.Slice]) []string { return []string{i.Value.Host} }),
	}
}

// to are those of a service.
func (g given) to(x *flow.Ctx, s model.Service) (all []model.Address) {
	switch {
	case s.Resolution == model.ByWorkload && len(s.Selector) > 0:
		label := selectorLabel(s.Selector)
		for _, e := range flow.Lookup(x, g.entries, labelKey(s.Namespace, label, s.Selector[label])) {
			if model.Matches(s.Selector, e.Value.Labels) {
				all = append(all, e.Value)
			}
		}
	case s.Resolution == model.Static:
		for _, slice := range flow.Lookup(x, g.slices, s.Host) {
			all = append(all, slice.Value.Addresses...)
		}
	}
	return all
}

// selectorLabel is the label of a selector by which its candidates are found:
// the one that tells applications apart, where it is there.
func selectorLabel(selector map[string]string) string {
	if _, ok := selector[appLabel]; ok {
		return appLabel
	}
	return model.SortedKeys(selector)[0]
}

func labelKey(namespace, label, value string) string {
	return namespace + "/" + label + "=" + value
}

// serviceOf is the service that a host is, of those that claim it. A host of
// the mesh is its namespace's alone.
func serviceOf(host string, all []item[claim]) (model.Service, bool) {
	if _, namespace, ok := model.SplitHost(host); ok {
		all = slices.DeleteFunc(all, func(i item[claim]) bool { return i.Object.Namespace != namespace })
	}
	if len(all) == 0 {
		return model.Service{}, false
	}
	first := slices.MinFunc(all, func(a, b item[claim]) int {
		return cmp.Or(cmp.Compare(precedence(a), precedence(b)), a.older(b))
	})
	return first.Value.Service, true
}

func precedence(i item[claim]) int {
	switch {
	case i.Object.Kind == string(api.Service):
		return 0
	case i.Value.Implied:
		return 3
	case byApplication(i):
		return 2
	}
	return 1
}

// implied is the service that all workloads of an application imply if nobody
// wrote one: it has the ports of all, and does not change when one of them comes
// or goes.
func implied(_ *flow.Ctx, host string, all []model.Replicas) *item[claim] {
	s := model.Service{
		Host: host, Namespace: all[0].Namespace, Name: all[0].App,
		Resolution: model.ByWorkload, Selector: map[string]string{appLabel: all[0].App},
	}
	for _, w := range all {
		s.Ports, s.Datagrams = impliedPorts(s.Ports, w.Ports), impliedPorts(s.Datagrams, w.Datagrams)
	}
	if len(s.Ports)+len(s.Datagrams) == 0 || !object.IsHost(host) {
		return nil
	}
	by := model.Key{Kind: string(api.Workload), Namespace: s.Namespace, Name: s.Name}
	s.From = []model.Origin{{Key: by, Path: "spec.app"}}
	return &item[claim]{ID: host + "|", Object: by, Value: claim{Service: s, Implied: true}}
}

// impliedPorts adds those of a workload that are new, in the order of their numbers.
func impliedPorts(all []model.Port, of []model.WorkloadPort) []model.Port {
	for _, p := range of {
		i, have := slices.BinarySearchFunc(all, p.Number, func(a model.Port, number uint32) int { return cmp.Compare(a.Number, number) })
		if !have {
			all = slices.Insert(all, i, model.Port{Number: p.Number, Name: string(p.Protocol), Protocol: p.Protocol})
		}
	}
	return all
}

// host is the canonical form of a host: "reviews.shop" is the service's, if
// there is one, whoever else has a host of that name.
func (m *Mesh) host(x *flow.Ctx, host string) string {
	if strings.HasPrefix(host, "*") || strings.HasSuffix(host, "."+model.Domain) {
		return host
	}
	name, namespace, ok := strings.Cut(strings.TrimSuffix(host, ".svc"), ".")
	if !ok || strings.Contains(namespace, ".") {
		return host
	}
	if full := model.HostOf(namespace, name); m.has(x, full) {
		return full
	}
	return host
}

func (m *Mesh) has(x *flow.Ctx, host string) bool {
	_, ok := flow.Get(x, m.Services, host)
	return ok
}

func (m *Mesh) checkServices(x *flow.Ctx, p *problems) {
	for _, s := range Of[model.Service](p.part) {
		path := "spec.hosts"
		if p.part.Object.Kind == string(api.Service) {
			path = "metadata.name"
		}
		winner, ok := flow.Get(x, m.Services, s.Host)
		switch _, namespace, _ := model.SplitHost(s.Host); {
		case ok && winner.From[0].Key == p.part.Object:
		case ok:
			p.add(model.ProblemHostConflict, path, fmt.Sprintf("%s gives the host %s already; choose another host, or change that object", winner.From[0].Key, s.Host))
		default:
			p.add(model.ProblemHostConflict, path, fmt.Sprintf("the host %s belongs to the namespace %s; choose another host, or move the object there", s.Host, namespace))
		}
	}
}

// missing says that a host is no service, and what would help.
func missing(host string) string {
	name, namespace, ok := model.SplitHost(host)
	if !ok {
		return fmt.Sprintf("no service has the host %s; write a ServiceEntry for it, or correct the host", host)
	}
	return fmt.Sprintf("there is no service %q in namespace %s; start a workload of app %s, create a Service, or correct the name", name, namespace, name)
}
