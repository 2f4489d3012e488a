package web

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/release"
)

// State is how something is, for the eye. The order is that of a list: what needs attention comes first.
type State string

const (
	Bad      State = "bad"      // requests fail, or nothing can answer
	Warn     State = "warn"     // something is wrong, and callers do not see it yet
	Changing State = "changing" // a release is under way
	OK       State = "ok"
	Idle     State = "idle" // nobody calls it
)

var ranks = map[State]int{Bad: 0, Warn: 1, Changing: 2, OK: 3, Idle: 4}

// What the share of failures must reach to be shown as such, and of fewer requests nothing is said.
const (
	warnShare   = 0.001
	badShare    = 0.01
	saidAtLeast = 20
)

// Services is a list of them, what needs attention first.
type Services struct {
	Services []Service `json:"services"`
	Total    int       `json:"total"` // that match, of which Services are the first
	All      int       `json:"all"`
}

// Service is a name that is called, and how the calls went during the window.
type Service struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"` // short; of one outside of the mesh its host
	Host      string    `json:"host"`
	External  bool      `json:"external"`
	State     State     `json:"state"`
	Why       string    `json:"why,omitempty"` // one sentence, where State is not ok
	Calls     Calls     `json:"calls"`
	Versions  []Version `json:"versions"`
	Problems  int       `json:"problems"`          // of its own objects
	Release   *Release  `json:"release,omitempty"` // the one that is under way
}

// Calls are what callers' proxies counted of a service during the window.
type Calls struct {
	Rate      float64 `json:"rate"`      // requests a second
	Success   float64 `json:"success"`   // share of requests that did not fail, 0 to 1; 1 without requests
	Fallbacks float64 `json:"fallbacks"` // share of requests that a fallback answered; they count as failures
	P50       float64 `json:"p50"`       // milliseconds
	P99       float64 `json:"p99"`
	Requests  uint64  `json:"requests"`
}

// state is how calls are, for the eye.
func (c Calls) state() State {
	switch said := c.Requests >= saidAtLeast; {
	case c.Requests == 0:
		return Idle
	case said && c.seen() >= badShare:
		return Bad
	case said && (c.seen() >= warnShare || c.Fallbacks >= badShare):
		return Warn
	}
	return OK
}

// seen is the share of requests whose callers saw a failure.
func (c Calls) seen() float64 { return max(0, 1-c.Success-c.Fallbacks) }

// Version is the instances of one version of a service, and its part of the calls.
type Version struct {
	Version   string   `json:"version"`
	Instances int      `json:"instances"`
	Healthy   int      `json:"healthy"`
	Weight    *float64 `json:"weight,omitempty"` // share of the requests that a split gives it, 0 to 1
	Calls     Calls    `json:"calls"`            // those that were sent to this version by name
}

func services(seen *glances, r *http.Request) (any, error) {
	window, err := windowOf(r)
	if err != nil {
		return nil, err
	}
	s, err := spanOf(r)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(seen.at(window, time.Now()).services())
	list := Services{All: len(all)}
	all = slices.DeleteFunc(all, func(one Service) bool {
		return !s.has(one.Namespace+"/"+one.Name) && !s.has(one.Host)
	})
	list.Services, list.Total = first(all, s.limit), len(all)
	return list, nil
}

// land is the mesh at one moment, in the order in which services ask for it.
type land struct {
	mesh     Mesh
	rows     []model.Service
	edges    []metrics.Edge
	called   map[place]*sums
	replicas map[string][]model.Replicas // by namespace
	problems map[place]int
	splits   map[string]model.Split // by host
	releases map[place]Release      // under way, by application
}

// place is a namespace, "" outside of the mesh, and a name there.
type place struct{ namespace, name string }

// sums are the calls of a service, all and by version.
type sums struct {
	all      tally
	versions map[string]*tally
}

type tally struct {
	rate    float64
	counts  metrics.Counts
	slowest float64 // p99 of an edge, where its latencies were not kept
}

func (t *tally) add(e metrics.Edge) {
	t.rate += e.Rate
	t.counts.Merge(e.Counts)
	t.slowest = max(t.slowest, e.P99)
}

func (t *tally) calls() Calls {
	c := Calls{Rate: t.rate, Success: 1, Requests: t.counts.Requests}
	if n := float64(t.counts.Requests); n > 0 {
		c.Success = 1 - float64(t.counts.Errors)/n
		c.Fallbacks = float64(min(t.counts.Fallbacks, t.counts.Errors)) / n
	}
	c.P50, c.P99 = metrics.Quantile(t.counts.Latency, 0.50), metrics.Quantile(t.counts.Latency, 0.99)
	if t.counts.Latency == nil {
		c.P99 = t.slowest
	}
	return c
}

// survey reads the mesh; edges are the calls that count.
func survey(mesh Mesh, edges []metrics.Edge) land {
	l := land{
		mesh: mesh, rows: mesh.Services(), edges: edges, called: map[place]*sums{}, replicas: map[string][]model.Replicas{},
		problems: map[place]int{}, splits: map[string]model.Split{}, releases: map[place]Release{},
	}
	for _, e := range edges {
		at := place{e.Destination.Namespace, e.Destination.App}
		if l.called[at] == nil {
			l.called[at] = &sums{versions: map[string]*tally{}}
		}
		l.called[at].add(e)
	}
	for _, r := range mesh.Replicas() {
		l.replicas[r.Namespace] = append(l.replicas[r.Namespace], r)
	}
	for _, p := range mesh.Problems() {
		l.problems[place{p.Object.Namespace, p.Object.Name}]++
	}
	for _, s := range mesh.Splits() {
		l.splits[s.Host] = s
	}
	for _, r := range mesh.Releases() {
		if !release.Final(v1alpha1.ReleasePhase(r.Phase)) {
			l.releases[place{r.Namespace, r.Application}] = r
		}
	}
	return l
}

func (s *sums) add(e metrics.Edge) {
	s.all.add(e)
	if e.Destination.Version == "" {
		return
	}
	if s.versions[e.Destination.Version] == nil {
		s.versions[e.Destination.Version] = &tally{}
	}
	s.versions[e.Destination.Version].add(e)
}

// services are all of them, what needs attention first.
func (l land) services() []Service {
	all := make([]Service, 0, len(l.rows))
	for _, row := range l.rows {
		all = append(all, l.service(row))
	}
	suffers := l.blame(all)
	slices.SortStableFunc(all, func(a, b Service) int {
		return cmp.Or(
			cmp.Compare(ranks[a.State], ranks[b.State]),
			model.CompareBool(suffers[a.Host], suffers[b.Host]),
			cmp.Compare(size(b.Calls.seen()*b.Calls.Rate), size(a.Calls.seen()*a.Calls.Rate)),
			cmp.Compare(size(b.Calls.Rate), size(a.Calls.Rate)),
			cmp.Compare(a.Host, b.Host))
	})
	return all
}

// blame tells the services that fail of one that they call and that fails, too, and says which
// they are, by host: who looks for the cause begins elsewhere.
func (l land) blame(all []Service) map[string]bool {
	failing, suffers := map[place]*Service{}, map[string]bool{}
	for i := range all {
		if s := &all[i]; s.State == Bad {
			failing[destination(s.Host)] = s
		}
	}
	for _, e := range l.edges {
		caller := failing[place{e.Source.Namespace, e.Source.App}]
		called := failing[place{e.Destination.Namespace, e.Destination.App}]
		if caller == nil || called == nil || caller == called || e.Errors <= e.Fallbacks || suffers[caller.Host] {
			continue
		}
		suffers[caller.Host] = true
		caller.Why += fmt.Sprintf("; %s, which it calls, fails, too", called.Name)
	}
	return suffers
}

// size is how large a rate is, in steps of about three: what differs by chance stays where it is in a list.
func size(rate float64) int {
	if rate <= 0.01 {
		return -5
	}
	return int(math.Floor(2 * math.Log10(rate)))
}

// destination is where edges have the service of a host.
func destination(host string) place {
	if name, namespace, ok := model.SplitHost(host); ok {
		return place{namespace, name}
	}
	return place{"", host}
}

func (l land) service(row model.Service) Service {
	s := Service{Namespace: row.Namespace, Name: row.Name, Host: row.Host, External: row.External}
	called := l.called[destination(row.Host)]
	if called == nil {
		called = &sums{}
	}
	s.Calls = called.all.calls()
	s.Versions = l.versions(row, called)
	at := place{row.Namespace, row.Name}
	s.Problems = l.problems[at]
	if r, ok := l.releases[at]; ok {
		s.Release = &r
	}
	s.State, s.Why = stateOf(s, row)
	return s
}

// versions are those that run, that a split names, or that were called.
func (l land) versions(row model.Service, called *sums) []Version {
	found := map[string]*Version{}
	get := func(name string) *Version {
		if found[name] == nil {
			found[name] = &Version{Version: name, Calls: (&tally{}).calls()}
		}
		return found[name]
	}
	for _, r := range l.instances(row) {
		v := get(r.Version)
		v.Instances += len(r.Instances)
		for _, i := range r.Instances {
			if i.Health == model.Healthy {
				v.Healthy++
			}
		}
	}
	for name, t := range called.versions {
		get(name).Calls = t.calls()
	}
	for _, share := range l.splits[row.Host].Versions {
		weight := float64(share.Weight) / 100
		get(share.Version).Weight = &weight
	}
	list := []Version{}
	for _, name := range model.SortedKeys(found) {
		list = append(list, *found[name])
	}
	return list
}

// instances are the replicas that serve a service by its selector.
func (l land) instances(row model.Service) []model.Replicas {
	if row.Resolution != model.ByWorkload || len(row.Selector) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(l.replicas[row.Namespace]), func(r model.Replicas) bool {
		return r.Gateway != "" || !model.Matches(row.Selector, r.Labels)
	})
}

func stateOf(s Service, row model.Service) (State, string) {
	instances, healthy := 0, 0
	for _, v := range s.Versions {
		instances, healthy = instances+v.Instances, healthy+v.Healthy
	}
	served := row.Resolution == model.ByWorkload && len(row.Selector) > 0 && len(row.Addresses) == 0
	c := s.Calls
	state := c.state()
	switch {
	case state == Bad:
		why := fmt.Sprintf("%s of its requests fail%s", percent(c.seen()), worst(s))
		if served && healthy == 0 {
			why += ": " + nobody(instances)
		}
		return Bad, why
	case served && instances > 0 && healthy == 0:
		return Bad, nobody(instances)
	case state == Warn && c.Fallbacks >= badShare:
		return Warn, percent(c.Fallbacks) + " of its requests are answered by a fallback"
	case state == Warn:
		return Warn, fmt.Sprintf("%s of its requests fail%s", percent(c.seen()), worst(s))
	case served && healthy < instances:
		return Warn, fmt.Sprintf("%d of its %d instances are healthy", healthy, instances)
	case s.Problems > 0:
		return Warn, plural(s.Problems, "problem") + " with what is written for it"
	case s.Release != nil:
		return Changing, fmt.Sprintf("%s is at %d%%: %s", s.Release.Version, s.Release.Weight, strings.ToLower(s.Release.Phase))
	}
	return state, ""
}

// nobody is why nothing answers.
func nobody(instances int) string {
	if instances == 0 {
		return "no workload serves it"
	}
	return fmt.Sprintf("none of its %d instances is healthy", instances)
}

// worst says of which version's calls so many fail, if it is of one alone.
func worst(s Service) string {
	if len(s.Versions) < 2 {
		return ""
	}
	bad := slices.DeleteFunc(slices.Clone(s.Versions), func(v Version) bool {
		return v.Calls.Requests == 0 || v.Calls.seen() < warnShare
	})
	if len(bad) != 1 {
		return ""
	}
	return fmt.Sprintf(": %s of those to %s", percent(bad[0].Calls.seen()), bad[0].Version)
}

func percent(share float64) string {
	if share >= 0.1 {
		return fmt.Sprintf("%.0f%%", share*100)
	}
	return fmt.Sprintf("%.2g%%", share*100)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
