// Package mtls says who still calls which service in plain text, and which services can do without: those can be
// made strict, in the order in which a mistake hurts least.
//
// Input: services, workloads, what decides their mode, and what proxies counted. Output: a plan. It is pure; who
// writes the policies reads their acknowledgements from the next plan.
package mtls

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"weft.dev/metrics"
	"weft.dev/model"
)

// Policy is the name of the PeerAuthentication that makes a service strict, where weft wrote it.
func Policy(service string) string { return "weft-mtls-" + service }

// State of a service.
type State string

const (
	Strict  State = "strict"  // plain text is refused
	Ready   State = "ready"   // it can be strict: nobody has called in plain text for long enough
	Plain   State = "plain"   // somebody calls in plain text, or is told to
	Unknown State = "unknown" // too little was seen to say
	Decided State = "decided" // somebody else's policy selects its workloads
	Without State = "without" // no instance has a proxy, so none can be strict
)

// Transport of an edge.
type Transport string

const (
	Mutual  Transport = "mTLS"
	InPlain Transport = "plain"
	Refused Transport = "refused" // it was in plain text, or showed no good certificate
)

// Facts are what a plan follows from.
type Facts struct {
	Now      time.Time
	Quiet    time.Duration // how long nobody must have called in plain text
	Idle     bool          // that a service was not called at all is enough to know
	Services []model.Service
	Replicas []model.Replicas
	// Mode is what holds of a port of a workload, and the objects that say so.
	Mode      func(w model.Workload, port uint32) (model.MTLSMode, []model.Key)
	PeerAuths []model.PeerAuth
	// Told are the objects by which callers are told to call a cluster without mTLS.
	Told      func(cluster string) []model.Key
	Used      []metrics.Used
	Strangers []metrics.StrangerCalls
	Watched   func(workload string) (since time.Time, ok bool)
	// Current says whether a workload's proxy is connected and holds the newest configuration.
	Current func(workload string) bool
}

// Plan is what is known of all services of the mesh: those that are ready first, in their order.
type Plan struct {
	Quiet    string    `json:"quiet"` // a duration
	Services []Service `json:"services"`
}

// Service is one of a plan.
type Service struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	State     State             `json:"state"`
	Why       []string          `json:"why,omitempty"`
	Edges     []Edge            `json:"edges,omitempty"`
	Instances int               `json:"instances"`         // with a proxy
	Current   int               `json:"current"`           // of them, those that acknowledged the newest configuration
	Lagging   []string          `json:"lagging,omitempty"` // callers that did not
	By        []string          `json:"by,omitempty"`      // objects that decide its mode
	Selector  map[string]string `json:"selector,omitempty"`
	Refused   uint64            `json:"refused,omitempty"` // connections, since the server's start
}

// Edge is who calls a service, and how.
type Edge struct {
	From      string    `json:"from"` // an application as namespace/app, or an address
	Port      uint32    `json:"port,omitempty"`
	Transport Transport `json:"transport"`
	Last      time.Time `json:"last,omitzero"`
	Calls     uint64    `json:"calls,omitempty"` // in plain text, or refused
	Who       string    `json:"who,omitempty"`   // whose address it is, and what helps
}

// New makes a plan.
func New(f Facts) Plan {
	p := Plan{Quiet: f.Quiet.String(), Services: []Service{}}
	seen := view{f, addressesOf(f.Replicas)}
	for _, s := range f.Services {
		if s.External || s.Resolution != model.ByWorkload || len(s.Selector) == 0 {
			continue
		}
		if one, ok := seen.service(s); ok {
			p.Services = append(p.Services, one)
		}
	}
	rank := []State{Ready, Plain, Unknown, Decided, Without, Strict}
	slices.SortStableFunc(p.Services, func(a, b Service) int {
		return cmp.Or(
			cmp.Compare(slices.Index(rank, a.State), slices.Index(rank, b.State)), cmp.Compare(a.callers(), b.callers()),
			strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return p
}

// callers are how many would notice a mistake.
func (s Service) callers() (n int) {
	for _, e := range s.Edges {
		if e.Transport == Mutual {
			n++
		}
	}
	return n
}

// view is the facts, and what is found again and again in them.
type view struct {
	Facts
	at map[string][]model.Workload // by address
}

func addressesOf(all []model.Replicas) map[string][]model.Workload {
	at := map[string][]model.Workload{}
	for _, r := range all {
		for _, w := range r.All() {
			at[w.Address] = append(at[w.Address], w)
		}
	}
	return at
}

// service is false for one that no workload serves.
func (v view) service(s model.Service) (Service, bool) {
	one := Service{Namespace: s.Namespace, Name: s.Name, Selector: s.Selector}
	var proxied []model.Workload
	bare := len(s.Addresses)
	for _, r := range v.Replicas {
		if r.Namespace != s.Namespace || r.Gateway != "" || !model.Matches(s.Selector, r.Labels) {
			continue
		}
		if r.Interception == model.NoProxy {
			bare += len(r.Instances)
			continue
		}
		proxied = append(proxied, r.All()...)
	}
	if len(proxied)+bare == 0 {
		return one, false
	}
	one.Instances = len(proxied)
	for _, w := range proxied {
		if v.Current(w.Key()) {
			one.Current++
		}
	}
	one.Edges = append(v.mutual(s, &one), v.strangers(proxied, &one)...)
	one.State, one.Why = v.state(s, &one, proxied)
	if bare > 0 && len(proxied) > 0 {
		one.Why = append(one.Why, fmt.Sprintf("%d instances have no proxy: they take plain text whatever a policy says", bare))
	}
	return one, true
}

// mutual are the callers whose proxies speak mTLS to the service, or are told not to.
func (v view) mutual(s model.Service, one *Service) (all []Edge) {
	for _, u := range v.Used {
		host, port, _, _ := model.ParseClusterName(u.Cluster)
		if host != s.Host {
			continue
		}
		e := Edge{From: u.Source.Namespace + "/" + u.Source.App, Port: port, Transport: Mutual, Last: u.Last}
		if told := v.Told(u.Cluster); len(told) > 0 {
			e.Transport, e.Who = InPlain, "told by "+keys(told)
		}
		same := func(o Edge) bool { return o.From == e.From && o.Port == e.Port && o.Transport == e.Transport }
		if i := slices.IndexFunc(all, same); i < 0 {
			all = append(all, e)
		} else if all[i].Last.Before(e.Last) {
			all[i].Last = e.Last
		}
		for _, w := range v.workloads(u.Source) {
			if !v.Current(w.Key()) && !slices.Contains(one.Lagging, w.Key()) {
				one.Lagging = append(one.Lagging, w.Key())
			}
		}
	}
	return all
}

// workloads are those with a proxy that call as a source.
func (v view) workloads(source metrics.End) (all []model.Workload) {
	for _, r := range v.Replicas {
		if r.Namespace == source.Namespace && r.Interception != model.NoProxy && app(r.Workload) == source.App {
			all = append(all, r.All()...)
		}
	}
	return all
}

// app is what a workload's proxy counts calls under.
func app(w model.Workload) string { return cmp.Or(w.Gateway, w.App, w.ServiceAccount) }

// strangers are the callers of these workloads that show no certificate: a policy is for all of their ports.
func (v view) strangers(called []model.Workload, one *Service) (all []Edge) {
	mine := func(to metrics.End) bool {
		return slices.ContainsFunc(called, func(w model.Workload) bool { return w.Namespace == to.Namespace && app(w) == to.App })
	}
	told := map[string]bool{}
	for _, c := range v.Strangers {
		if !mine(c.To) {
			continue
		}
		if c.Refused && c.Address == "" {
			one.Refused += c.Calls
		}
		if c.Address != "" {
			told[fmt.Sprint(c.Port, c.Refused)] = true
			all = append(all, v.edge(c))
		}
	}
	for _, c := range v.Strangers { // more than there was room to tell apart
		if mine(c.To) && c.Address == "" && !told[fmt.Sprint(c.Port, c.Refused)] {
			all = append(all, v.edge(c))
		}
	}
	return all
}

func (v view) edge(c metrics.StrangerCalls) Edge {
	e := Edge{From: cmp.Or(c.Address, "somebody"), Port: c.Port, Transport: InPlain, Last: c.Last, Calls: c.Calls, Who: v.who(c.Address)}
	if c.Refused {
		e.Transport = Refused
	}
	return e
}

const maxNamed = 3

// who has an address.
func (v view) who(address string) string {
	var bare, proxied []string
	for _, w := range v.at[address] {
		if w.Interception == model.NoProxy {
			bare = append(bare, w.Key())
		} else {
			proxied = append(proxied, w.Key())
		}
	}
	switch {
	case address == "":
		return "more callers than a proxy tells apart"
	case len(bare) > 0:
		return named(bare) + ", without a proxy: give it one"
	case len(proxied) > 0:
		return named(proxied) + ", past its proxy, or what runs beside it without one: have it call the service's name by its proxy"
	}
	return "no workload of the mesh: give it a proxy, or have it come by a gateway"
}

func named(all []string) string {
	slices.Sort(all)
	text := strings.Join(all[:min(len(all), maxNamed)], ", ")
	if len(all) > maxNamed {
		return fmt.Sprintf("one of %s and %d more", text, len(all)-maxNamed)
	}
	if len(all) > 1 {
		return "one of " + text
	}
	return text
}

func keys(all []model.Key) string {
	texts := make([]string, len(all))
	for i, k := range all {
		texts[i] = k.String()
	}
	return strings.Join(texts, ", ")
}
