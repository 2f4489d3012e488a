package scope

import (
	"cmp"
	"slices"
	"time"

	"weft.dev/flow"
	"weft.dev/model"
)

// Answer is what a workload's proxy knows, and why.
type Answer struct {
	Workload string    `json:"workload"`
	Account  string    `json:"account"`
	Gateway  bool      `json:"gateway,omitempty"` // it knows what its routes need, and nothing is listed
	All      bool      `json:"all,omitempty"`     // it knows every service, and none is listed
	Bound    string    `json:"bound,omitempty"`   // what says that it knows nothing else; its place, where known
	Services []Service `json:"services"`          // by host
	Unknown  []Unknown `json:"unknown"`           // what was asked for and is not known
}

// Service is one that is known.
type Service struct {
	Host   string   `json:"host"`
	Exists bool     `json:"exists"`
	Why    []Reason `json:"why"`
}

// Cause is why a service is known.
type Cause string

const (
	ByDeclaration Cause = "declared"
	ByCalls       Cause = "observed"
	ByAsking      Cause = "on demand"
	ByRoute       Cause = "route"    // a known service's route sends requests to it
	ByWildcard    Cause = "wildcard" // it is one of the namespace, or below one that is known
)

// Reason is one cause, with who did it.
type Reason struct {
	Cause Cause      `json:"cause"`
	By    string     `json:"by,omitempty"` // an object with its place, or the proxies that ask now
	Since *time.Time `json:"since,omitempty"`
	Last  *time.Time `json:"last,omitempty"`
}

// Unknown is an authority that proxies of the account wait for.
type Unknown struct {
	Authority string `json:"authority"`
	Host      string `json:"host,omitempty"` // of the service that it means; "": there is none
}

// Explain says what a workload's proxy knows; false: there is no such workload.
func (s *Scopes) Explain(graph *flow.Graph, workload string) (a Answer, ok bool) {
	graph.View(func(x *flow.Ctx) {
		var b bound
		var known model.Known
		if b, ok = s.boundOf(x, workload); !ok {
			return
		}
		known, _ = flow.Get(x, s.Known, b.Cohort)
		a = Answer{
			Workload: workload, Account: b.Account.String(), Gateway: b.Gateway, All: known.All,
			Services: []Service{}, Unknown: []Unknown{},
		}
		if !b.Gateway && !b.Inline {
			a.Bound = s.boundBy(x, b)
		}
		found := s.reasons(x, b, known)
		for _, host := range model.SortedKeys(found) {
			_, exists := flow.Get(x, s.names.services, host)
			a.Services = append(a.Services, Service{host, exists, found[host]})
		}
		s.unknown(x, known, b, &a)
	})
	return a, ok
}

// boundBy is the object that keeps a workload from knowing more.
func (s *Scopes) boundBy(x *flow.Ctx, b bound) string {
	if b.Egress != "" {
		e, _ := flow.Get(x, s.in.Egresses, b.Egress)
		return e.From[0].String()
	}
	for _, d := range lookup(x, s.declaredOf, b.Account.String()) {
		if d.Only {
			return d.From[0].String()
		}
	}
	return ""
}

// reasons are why each host is known; those of an Egress are its patterns.
func (s *Scopes) reasons(x *flow.Ctx, b bound, known model.Known) map[string][]Reason {
	found := map[string][]Reason{}
	for _, host := range known.Hosts {
		found[host] = nil
	}
	add := func(host string, r Reason) {
		if why, isKnown := found[host]; isKnown && !slices.Contains(why, r) {
			found[host] = append(why, r)
		}
	}
	if b.Egress != "" {
		e, _ := flow.Get(x, s.in.Egresses, b.Egress)
		for _, p := range e.Hosts {
			for _, host := range s.names.matching(x, within(p, b)) {
				add(host, Reason{Cause: ByDeclaration, By: p.Origin.String()})
			}
		}
	} else {
		s.reasonsOf(x, b.Account.String(), add)
		for _, host := range s.names.wild(x, b.Account.Namespace) {
			add(host, Reason{Cause: ByWildcard, By: "namespace " + b.Account.Namespace})
		}
		for _, host := range known.Hosts {
			for _, below := range s.names.below(x, []string{host}) {
				if below != host {
					add(below, Reason{Cause: ByWildcard, By: host})
				}
			}
		}
	}
	s.needed(x, known, found)
	return found
}

func (s *Scopes) reasonsOf(x *flow.Ctx, account string, add func(string, Reason)) {
	for _, d := range lookup(x, s.declaredOf, account) {
		for _, h := range d.Hosts {
			add(h.Host, Reason{Cause: ByDeclaration, By: h.Origin.String()})
		}
	}
	for _, l := range lookup(x, s.learnedOf, account) {
		cause := ByCalls
		if l.How == model.OnDemand {
			cause = ByAsking
		}
		add(l.Host, Reason{Cause: cause, Since: &l.First, Last: &l.Last})
	}
	for _, a := range lookup(x, s.askedOf, account) {
		if a.Learn {
			add(a.Host, Reason{Cause: ByAsking, By: a.Proxy + " asks for " + a.Authority})
		}
	}
}

// hostsOfMesh are the hosts whose callers a table concerns.
func hostsOfMesh(t model.RouteTable) []string {
	if !slices.Contains(t.Gateways, model.Mesh) {
		return nil
	}
	return t.Hosts
}

// needed are the services that the routes of known ones send requests to.
func (s *Scopes) needed(x *flow.Ctx, known model.Known, found map[string][]Reason) {
	for _, host := range known.Hosts {
		for _, t := range lookup(x, s.routesOf, host) {
			for _, rule := range t.Rules {
				for _, b := range backends(rule) {
					if _, isKnown := slices.BinarySearch(known.Hosts, b.Host); isKnown || b.Invalid != "" {
						continue
					}
					why := Reason{Cause: ByRoute, By: rule.Origin.String()}
					if !slices.Contains(found[b.Host], why) {
						found[b.Host] = append(found[b.Host], why)
					}
				}
			}
		}
	}
}

func backends(r model.Rule) []model.Backend {
	all := slices.Clone(r.Backends)
	for _, b := range r.Backends {
		if b.Fallback != nil && b.Fallback.Instead != nil {
			all = append(all, *b.Fallback.Instead)
		}
	}
	for _, m := range r.Mirrors {
		all = append(all, m.Backend)
	}
	return all
}

// unknown are the names that proxies of the account wait for in vain.
func (s *Scopes) unknown(x *flow.Ctx, known model.Known, b bound, a *Answer) {
	for _, asked := range lookup(x, s.askedOf, b.Account.String()) {
		if _, isKnown := slices.BinarySearch(known.Hosts, asked.Host); !isKnown && !known.All {
			a.Unknown = append(a.Unknown, Unknown{asked.Authority, asked.Host})
		}
	}
	slices.SortFunc(a.Unknown, func(p, q Unknown) int { return cmp.Compare(p.Authority, q.Authority) })
	a.Unknown = slices.Compact(a.Unknown)
}
