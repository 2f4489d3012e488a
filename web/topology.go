package web

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"weft.dev/metrics"
	"weft.dev/model"
)

const (
	mostNodes = 5_000  // of the map, those that need attention first
	mostWays  = 20_000 // between them, the busiest first
)

// Topology is who calls whom.
type Topology struct {
	Time  time.Time `json:"time"`  // that it shows
	Nodes []Node    `json:"nodes"` // what needs attention first
	Ways  []Way     `json:"ways"`  // the busiest first
	Left  int       `json:"left"`  // nodes and ways that found no room
}

// Node is one that calls or is called.
type Node struct {
	Namespace string        `json:"namespace"` // "": of none
	Name      string        `json:"name"`
	Kind      NodeKind      `json:"kind"`
	State     State         `json:"state"`
	Why       string        `json:"why,omitempty"`
	Rate      float64       `json:"rate"`                // requests a second that it gets
	Failing   float64       `json:"failing"`             // share of them whose callers see a failure
	Fallbacks float64       `json:"fallbacks,omitempty"` // share that a fallback answered
	P99       float64       `json:"p99"`                 // milliseconds
	Versions  []NodeVersion `json:"versions,omitempty"`
	Releasing string        `json:"releasing,omitempty"` // the version that a release brings in
}

// NodeKind is what a node is.
type NodeKind string

const (
	InMesh  NodeKind = "service"
	Outside NodeKind = "outside" // of the mesh
	Entry   NodeKind = "gateway"
	Caller  NodeKind = "caller" // that nobody can call
)

// NodeVersion is one version of a node.
type NodeVersion struct {
	Version string   `json:"version"`
	Healthy int      `json:"healthy"`
	All     int      `json:"all"`
	Weight  *float64 `json:"weight,omitempty"` // share of the requests that a split gives it, 0 to 1
}

// Way is the calls of one node to another.
type Way struct {
	From      int     `json:"from"` // index of Nodes
	To        int     `json:"to"`
	Rate      float64 `json:"rate"`
	Failing   float64 `json:"failing"` // share of them whose caller sees a failure
	Fallbacks float64 `json:"fallbacks,omitempty"`
	P99       float64 `json:"p99"`
	State     State   `json:"state"` // idle: there were calls lately, and none during the time range
	Plain     bool    `json:"plain"` // in plain text, if only to some of the instances
}

func showTopology(seen *glances) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		window, err := windowOf(r)
		at, wrong := timeOf(r)
		if err = cmp.Or(err, wrong); err != nil || !at.IsZero() {
			reply(w, r, func(*http.Request) (any, error) {
				if err != nil {
					return nil, err
				}
				return topologyAt(seen.mesh, at)
			})
			return
		}
		seen.at(window, time.Now()).topology().send(w, r)
	}
}

// atlas is a Topology that is being drawn.
type atlas struct {
	Topology
	land   land
	node   map[place]int // by where edges have it
	listed int           // of the nodes, those that are services
	way    map[[2]int]*way
}

type way struct {
	tally
	clusters []string
}

func (l land) topology(services []Service, now time.Time) Topology {
	a := &atlas{Topology: Topology{Time: now.UTC().Truncate(time.Second), Nodes: []Node{}, Ways: []Way{}}, land: l, node: map[place]int{}, way: map[[2]int]*way{}}
	for _, s := range services {
		a.service(s)
	}
	a.listed = len(a.Nodes)
	for _, e := range l.edges {
		w := a.between(place{e.Source.Namespace, e.Source.App}, place{e.Destination.Namespace, e.Destination.App})
		if w == nil {
			continue
		}
		w.add(e)
		w.clusters = append(w.clusters, clusterOf(e))
	}
	for _, c := range l.mesh.Calls(now.Add(-metrics.Forget)) {
		a.between(place{c.Namespace, c.App}, destination(c.Host))
	}
	a.measure()
	return a.Topology
}

// clusterOf is what its proxy calls.
func clusterOf(e metrics.Edge) string {
	return model.ClusterName(hostOf(e.Destination), e.Port, e.Destination.Version)
}

// hostOf is the inverse of destination.
func hostOf(e metrics.End) string {
	if e.Namespace == "" {
		return e.App
	}
	return model.HostOf(e.Namespace, e.App)
}

func (a *atlas) service(s Service) {
	n := Node{Namespace: s.Namespace, Name: s.Name, Kind: InMesh, State: s.State, Why: s.Why, Rate: s.Calls.Rate, Failing: s.Calls.seen(), Fallbacks: s.Calls.Fallbacks, P99: s.Calls.P99}
	if s.External {
		n.Kind = Outside
	}
	if s.Release != nil {
		n.Releasing = s.Release.Version
	}
	for _, v := range s.Versions {
		if v.Version != "" {
			n.Versions = append(n.Versions, NodeVersion{v.Version, v.Healthy, v.Instances, v.Weight})
		}
	}
	a.put(destination(s.Host), n)
}

func (a *atlas) put(at place, n Node) (int, bool) {
	if len(a.Nodes) >= mostNodes {
		a.Left++
		return 0, false
	}
	a.node[at] = len(a.Nodes)
	a.Nodes = append(a.Nodes, n)
	return a.node[at], true
}

// at is the node of a place, of which there is a new one if it was not known.
func (a *atlas) at(p place) (int, bool) {
	if i, ok := a.node[p]; ok {
		return i, true
	}
	n := Node{Namespace: p.namespace, Name: p.name, Kind: Caller, State: Idle}
	if slices.ContainsFunc(a.land.replicas[p.namespace], func(r model.Replicas) bool { return r.Gateway == p.name }) {
		n.Kind = Entry
	}
	return a.put(p, n)
}

// between is the way of calls; nil: there is no room.
func (a *atlas) between(from, to place) *way {
	i, ok := a.at(from)
	if !ok {
		return nil
	}
	j, ok := a.at(to)
	if !ok {
		return nil
	}
	if a.Nodes[j].Kind == Caller {
		a.Nodes[j].Kind = Outside // it is called, and no service any more
	}
	key := [2]int{i, j}
	if a.way[key] == nil {
		a.way[key] = &way{}
	}
	return a.way[key]
}

// measure makes ways of what was counted.
func (a *atlas) measure() {
	var clusters []string
	for _, w := range a.way {
		clusters = append(clusters, w.clusters...)
	}
	plain := a.land.mesh.Plain(clusters)
	for key, w := range a.way {
		c := w.calls()
		if from := &a.Nodes[key[0]]; c.Requests > 0 && from.State == Idle {
			from.State = OK // it calls, if nobody calls it
		}
		if to := &a.Nodes[key[1]]; key[1] >= a.listed && c.Requests > 0 {
			to.Rate, to.Failing, to.P99 = to.Rate+c.Rate, max(to.Failing, c.seen()), max(to.P99, c.P99)
			to.State = slices.MinFunc([]State{to.State, c.state()}, func(x, y State) int { return ranks[x] - ranks[y] })
		}
		a.Ways = append(a.Ways, Way{
			From: key[0], To: key[1], Rate: c.Rate, Failing: c.seen(), Fallbacks: c.Fallbacks, P99: c.P99, State: c.state(),
			Plain: slices.ContainsFunc(w.clusters, func(name string) bool { return plain[name] }),
		})
	}
	slices.SortFunc(a.Ways, func(x, y Way) int {
		return cmp.Or(cmp.Compare(size(y.Rate), size(x.Rate)), cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To))
	})
	a.Left += max(0, len(a.Ways)-mostWays)
	a.Ways = first(a.Ways, mostWays)
}
