package compile

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"weft.dev/model"
)

// scope is everything about a workload that can change what its proxy is told,
// and nothing else: a label that nobody selects on must not split scopes.
type scope struct {
	Namespace, Account string
	Gateway            string
	Interception       model.Interception
	Address            string // where its listeners for others are
	Outbound           uint32
	DualStack          bool // it listens at addresses of both versions of IP, where traffic is redirected
	Ports              []servedPort
	Rest               model.MTLSMode // of all other ports, where traffic is redirected
	Guards             []string       // keys of the authorizations that select it
	Concurrency        string         // key of the one that selects it; "": none
	Limits             []servedLimits // that select it
	Pool               model.Pool     `json:",omitzero"`  // towards the application
	PoolFrom           []model.Key    `json:",omitempty"` // the object that says so
	Tokens             []string       // keys of the request authentications that do
	Callers            []condition    // of mesh routes, that hold of it
	Gateways           []string       // keys of the gateways that its proxy is
	Inline             bool           // its proxy cannot have routes in pieces
	All                bool           // it knows every service
	Closed             bool           // it calls nothing that no service has
	Hosts              []string       // else: those that it knows
	Calls, Served      model.Tracing  // what is told of requests that it sends, and that it takes
	Asked              []string       // authorities that go where they were going, unless a service has them
	Plugins            []string       `json:",omitempty"` // keys of those that are about it, in their order
	Patches            []string       `json:",omitempty"` // keys of the EnvoyFilters that select it, in their order
	Shared             []string       `json:",omitempty"` // of them, those about what it has in common with others
	Place              place          `json:",omitzero"`  // as far as services ask for it

	// Names of layers; "": it has none.
	own     string // what its address and ports are in
	tunnels string // the listener for redirected calls
	inbound string // that all share who are guarded alike
	gate    string // that all share who are the same gateways
	shelf   string // of everything that is called, shared by all who call alike
	table   string // the same in one piece
	variant string // before the names of layers that others have, too; "": it has those as they are

	key string // tells people whose scope it is, and scopes of one account apart
}

type servedPort struct {
	model.WorkloadPort
	Mode     model.MTLSMode
	ModeFrom []model.Key // the object that says so
}

// servedLimits hold at some ports of a workload.
type servedLimits struct {
	Key   string // of the RateLimit at its target
	Ports []uint32
}

func (s scope) Key() string        { return s.key }
func (s scope) Equal(o scope) bool { return reflect.DeepEqual(s, o) }

// learns says whether what it calls and does not know is found out for it.
func (s scope) learns() bool { return !s.All && !s.Inline }

// transparent says whether what the application beside it calls is led into it.
func (s scope) transparent() bool { return s.Interception.Transparent() && s.Gateway == "" }

// redirected says whether all traffic of the application beside it is led into it.
func (s scope) redirected() bool { return s.Interception == model.Redirected && s.Gateway == "" }

// changed says whether its listeners are not as the compiler makes them by itself.
func (s scope) changed() bool { return len(s.Plugins)+len(s.Patches) > 0 }

// untold is what nobody says anything else of.
var untold = digest(model.Tracing{})

// base is the layer that all share who know services in one way.
func (s scope) base() string {
	way := "learn" + string(s.Interception)
	switch {
	case s.Outbound == 0:
		return ""
	case s.Inline:
		way = "inline"
	case s.All:
		way = "all" + string(s.Interception)
	}
	if s.Closed && s.transparent() {
		way += "-closed"
	}
	if told := digest(s.Calls); told != untold {
		way += "#" + told
	}
	return "base/" + way
}

// named sets the keys, once all else is known.
func (s scope) named() scope {
	whose := s.Namespace + "/" + s.Account
	s.key = whose + "#" + digest(s)
	patches := ""
	if s.changed() {
		patches = "#" + digest([][]string{s.Plugins, s.Patches})
	}
	if len(s.PoolFrom) > 0 {
		patches += "#" + digest(s.Pool) + digest(s.PoolFrom)
	}
	s.own = "own/" + whose + "#" + digest([]any{s.Gateway, s.Address, s.Outbound, s.Ports, s.Guards, s.Tokens, s.Concurrency, s.Gateways, s.learns(), s.Interception, s.DualStack, s.Rest, s.Calls, s.Served}) + patches
	if s.transparent() {
		s.tunnels = "tunnels/" + whose + "#" + digest([]any{loopbackOf(s.Address), s.Outbound, s.Interception, s.DualStack, s.All, s.Hosts, s.Calls, s.Closed}) + patches
	}
	s.variant = variantOf(s)
	if s.Gateway != "" {
		s.gate = digest([]any{s.Namespace, s.Gateways})
	} else {
		s.inbound = "inbound/" + whose + "#" + digest([]any{s.httpPorts(), s.Guards, s.Tokens, s.Limits})
	}
	if s.Outbound == 0 {
		return s
	}
	alike := s.Namespace
	if len(s.Callers) > 0 {
		alike += "#" + digest(s.Callers)
	}
	switch {
	case s.Inline:
		s.table = "table/" + alike
	case s.All:
		s.shelf = "hosts/" + alike
	}
	return s
}

func (s scope) httpPorts() (numbers []uint32) {
	for _, p := range s.Ports {
		if p.Protocol.IsHTTP() {
			numbers = append(numbers, p.Number)
		}
	}
	return numbers
}

func digest(v any) string {
	body, err := json.Marshal(v)
	if err != nil {
		panic("compile: scope: " + err.Error())
	}
	return fmt.Sprintf("%016x", model.HashBody(body))
}

// placement is the scope of one cohort. Key: the cohort's.
type placement struct {
	Cohort string
	Scope  scope
}

func (p placement) Key() string            { return p.Cohort }
func (p placement) Equal(o placement) bool { return p.Cohort == o.Cohort && p.Scope.Equal(o.Scope) }

// selectors are the objects that select workloads.
type selectors struct {
	trust         string
	alone         bool
	tracing       model.Tracing
	guards        []model.Authorization
	tokens        []model.RequestAuth
	telemetries   []model.Telemetry
	service       func(host string) (model.Service, bool)
	peers         []model.PeerAuth
	concurrencies []model.Concurrency
	inbounds      []model.Inbound
	limits        []model.RateLimit // of services of the namespace
	plugins       []model.Plugin
	filters       []model.EnvoyFilter
	callers       []condition
	interests     []string // labels that services ask of callers
	gateways      []model.Gateway
}

// place finds the scope of a cohort.
func (s selectors) place(w model.Cohort, known model.Known) placement {
	out := scope{
		Namespace: w.Namespace, Account: w.Account(), Gateway: w.Gateway, Address: w.Address,
		Inline: w.InlineRoutes, All: known.All, Closed: known.Closed, Hosts: known.Hosts, Interception: w.Interception, DualStack: w.DualStack,
	}
	if w.Gateway == "" { // beside a gateway is no application that calls
		out.Outbound = w.Outbound
	}
	out.Calls, out.Served = s.tells(w.Workload)
	if out.redirected() {
		out.Rest, _ = mtlsMode(s.peers, w.Workload, 0)
	}
	for _, p := range w.Ports {
		if w.Gateway == "" && p.ProxyPort != 0 && p.AppPort != 0 {
			mode, from := s.mtls(w.Workload, p.Number)
			out.Ports = append(out.Ports, servedPort{WorkloadPort: p, Mode: mode, ModeFrom: from})
		} else if w.Gateway != "" {
			out.Ports = append(out.Ports, servedPort{WorkloadPort: p})
		}
	}
	out.Guards = selecting(s, s.guards, w.Workload, func(a model.Authorization) model.Reach { return a.Reach })
	out.Tokens = selecting(s, s.tokens, w.Workload, func(a model.RequestAuth) model.Reach { return a.Reach })
	if w.Gateway == "" {
		out.Concurrency = concurrencyOf(s.concurrencies, w.Workload)
		out.Pool, out.PoolFrom = poolOf(s.inbounds, w.Workload)
	}
	out.Limits = limitsOf(s.limits, w.Workload)
	out.Place = seenFrom(w.Labels, s.interests)
	for _, c := range s.callers {
		if c.holds(s.trust, w.Workload) {
			out.Callers = append(out.Callers, c)
		}
	}
	for _, g := range s.gateways {
		if gatewayOf(g, w.Workload) {
			out.Gateways = append(out.Gateways, g.Key())
		}
	}
	out.Plugins = s.pluginsOf(w.Workload)
	filters := s.filtersOf(w.Workload)
	out.Patches = patchKeys(filters)
	out.Shared = patchKeys(slices.DeleteFunc(filters, func(f model.EnvoyFilter) bool { return !f.Shared() }))
	return placement{Cohort: w.ID, Scope: out.named()}
}

// mtlsNone is the mode where proxies have no identity.
const mtlsNone model.MTLSMode = "none"

func (s selectors) mtls(w model.Workload, port uint32) (model.MTLSMode, []model.Key) {
	if s.alone {
		return mtlsNone, nil
	}
	return mtlsMode(s.peers, w, port)
}

// mtlsMode is what the closest PeerAuthentication says of a port: that of the
// workload, of its namespace, of the mesh; with none, plain text is accepted.
func mtlsMode(all []model.PeerAuth, w model.Workload, port uint32) (model.MTLSMode, []model.Key) {
	all = slices.Clone(all)
	at := func(p model.PeerAuth) int {
		return closeness(model.Reach{Namespace: p.Namespace, Selector: p.Selector})
	}
	slices.SortStableFunc(all, func(a, b model.PeerAuth) int { return at(b) - at(a) })
	for _, p := range all {
		if p.Namespace != "" && p.Namespace != w.Namespace || !model.Matches(p.Selector, w.Labels) {
			continue
		}
		if mode := p.PortMode[port]; mode != model.MTLSUnset && len(p.Selector) > 0 {
			return mode, keysOf(p.From)
		}
		if p.Mode != model.MTLSUnset {
			return p.Mode, keysOf(p.From)
		}
	}
	return model.MTLSPermissive, nil
}

// closeness of a policy to the workloads that it is about.
func closeness(r model.Reach) int {
	switch {
	case len(r.Selector)+len(r.Targets) > 0:
		return 2
	case r.Namespace != "":
		return 1
	}
	return 0
}
