package join

import (
	"fmt"
	"slices"
	"strings"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
)

// hostClaim is one object's wish to route a host at one place: at a gateway of
// Istio's, or between services.
type hostClaim struct{ Place, Host string }

func (c hostClaim) id() string { return c.Place + "|" + c.Host }

// owner of a host at a place: the namespace whose routes count. Key: the claim's.
type owner struct {
	ID        string
	Namespace string
	Object    model.Key // the oldest
}

func (o owner) Key() string        { return o.ID }
func (o owner) Equal(p owner) bool { return o == p }

func (m *Mesh) wireRoutes() *flow.Collection[outcome] {
	claims := items(m.parts, "host claims", func(x *flow.Ctx, p Part) []hostClaim {
		var all []hostClaim
		for _, t := range Of[model.RouteTable](p) {
			for _, g := range slices.DeleteFunc(slices.Clone(t.Gateways), func(g string) bool { return !owned(t, g) }) {
				for _, host := range t.Hosts {
					if !m.visits(x, t, g, host) && m.admits(x, g, t, host) {
						all = append(all, m.claim(x, g, host, p.Object.Namespace))
					}
				}
			}
		}
		slices.SortFunc(all, func(a, b hostClaim) int { return strings.Compare(a.id(), b.id()) })
		return slices.Compact(all)
	}, hostClaim.id)
	byPlace := flow.NewIndex(claims, func(i item[hostClaim]) []string { return []string{i.Value.id()} })
	m.owners = flow.Group(byPlace, "host owners", func(x *flow.Ctx, id string, all []item[hostClaim]) *owner {
		first := oldest(all)
		o := owner{ID: id, Namespace: first.Object.Namespace, Object: first.Object}
		if place, host, _ := strings.Cut(id, "|"); place == model.Mesh {
			if namespace := m.namespace(x, host); namespace != "" && namespace != o.Namespace {
				o = owner{ID: id, Namespace: namespace}
			}
		}
		return &o
	})
	m.contests = m.wireContests()
	routed := flow.Derive(m.parts, "route outcomes", func(x *flow.Ctx, p Part) []outcome {
		tables := Of[model.RouteTable](p)
		if len(tables) == 0 {
			return nil
		}
		r := &resolver{Mesh: m, x: x, problems: &problems{part: p}, through: map[model.Key]string{}}
		out := outcome{Object: p.Object}
		for _, t := range tables {
			out.Tables = append(out.Tables, r.table(t)...)
		}
		out.Problems, out.Parents = r.all, r.parents
		return []outcome{out}
	})
	m.Routes = flow.Union("routes", rows(routed, "written routes", func(o outcome) []model.RouteTable { return o.Tables }), m.defaultTables(byPlace))
	return routed
}

// owned says whether a host of the table belongs to one namespace at a gateway, or
// in the mesh. Routes of the Gateway API merge at theirs, which says itself whose
// routes it takes.
func owned(t model.RouteTable, at string) bool {
	return at == model.Mesh || t.Object.Kind == string(api.VirtualService)
}

// admits says whether a gateway takes a host from the table's namespace: who is not
// let in takes none from those who are.
func (m *Mesh) admits(x *flow.Ctx, at string, t model.RouteTable, host string) bool {
	return at == model.Mesh || slices.ContainsFunc(flow.Lookup(x, m.gatewaysOf, at), func(g model.Gateway) bool {
		return len(sectionsFor(takers(g.Listeners, t), []string{host})) > 0
	})
}

// visits says whether a route of the Gateway API is for calls of its own namespace to a service of another one.
func (m *Mesh) visits(x *flow.Ctx, t model.RouteTable, at, host string) bool {
	if at != model.Mesh || t.Object.Kind == string(api.VirtualService) {
		return false
	}
	namespace := m.namespace(x, m.host(x, host))
	return namespace != "" && namespace != t.Object.Namespace
}

// claim is that of an object of the namespace. A pattern means the services of that
// namespace, so each has its own.
func (m *Mesh) claim(x *flow.Ctx, at, host, namespace string) hostClaim {
	if at == model.Mesh {
		host = m.host(x, host)
		if strings.HasPrefix(host, "*") {
			at += " of " + namespace
		}
	}
	return hostClaim{at, host}
}

// resolver looks up what the tables of one part name.
type resolver struct {
	*Mesh
	*problems
	x       *flow.Ctx
	parents []attachment
	through map[model.Key]string // where the part delegates to others
}

// placing is where a table applies: gateways that accept the same hosts by the
// same listeners.
type placing struct {
	gateways, hosts, sections []string
}

// table gives one table for all gateways that treat it alike.
func (r *resolver) table(t model.RouteTable) []model.RouteTable {
	var lent []model.Origin
	t.Rules, lent = r.delegated(t)
	t.From = slices.Concat(t.From, lent)
	rules, lent := r.rules(t)
	t.From = slices.Concat(t.From, lent)
	var all []placing
	for _, g := range t.Gateways {
		p := placing{hosts: r.hosts(t, g)}
		if g != model.Mesh {
			a := r.attach(t, g, p.hosts)
			r.parents = append(r.parents, a)
			if !a.attached() {
				continue
			}
			p.sections = a.narrowed
		}
		if len(p.hosts) == 0 {
			continue
		}
		i := slices.IndexFunc(all, func(o placing) bool { return slices.Equal(o.hosts, p.hosts) && slices.Equal(o.sections, p.sections) })
		if i < 0 {
			i, all = len(all), append(all, p)
		}
		all[i].gateways = append(all[i].gateways, g)
	}
	var out []model.RouteTable
	for i, p := range all {
		one := t
		one.Index += i * maxTables
		one.Hosts, one.Gateways, one.Sections, one.Rules = p.hosts, p.gateways, p.sections, rules
		if r.visits(r.x, t, p.gateways[0], p.hosts[0]) {
			one.Visiting, one.Rules = true, ofCallers(rules, t.Object.Namespace)
		}
		if !slices.Equal(p.gateways, []string{model.Mesh}) {
			one.Port = 0 // it was that of listeners
		}
		out = append(out, one)
	}
	return out
}

// ofCallers narrows rules to callers of a namespace.
func ofCallers(rules []model.Rule, namespace string) []model.Rule {
	narrowed := slices.Clone(rules)
	for i := range narrowed {
		matches := slices.Clone(narrowed[i].Matches)
		if len(matches) == 0 {
			matches = []model.Match{{}}
		}
		for j := range matches {
			matches[j].SourceNamespace = namespace
		}
		narrowed[i].Matches = matches
	}
	return narrowed
}

// maxTables is above the number of tables that one object gives by itself.
const maxTables = 1 << 16

// hosts of the table that its namespace may route at the gateway.
func (r *resolver) hosts(t model.RouteTable, at string) []string {
	if !owned(t, at) {
		return t.Hosts
	}
	var won []string
	for _, host := range t.Hosts {
		if !r.admits(r.x, at, t, host) {
			won = append(won, host) // attach says why it has no effect
			continue
		}
		claim := r.claim(r.x, at, host, t.Object.Namespace)
		o, _ := flow.Get(r.x, r.owners, claim.id())
		if o.Namespace != t.Object.Namespace && !r.visits(r.x, t, at, host) {
			r.conflict(t, claim, o)
			continue
		}
		if at == model.Mesh && !strings.HasPrefix(claim.Host, "*") && !r.has(r.x, claim.Host) {
			r.add(model.ProblemMissingService, hostsPath(t, at), missing(claim.Host))
		}
		if !slices.Contains(won, claim.Host) {
			won = append(won, claim.Host)
		}
	}
	return won
}

func (r *resolver) conflict(t model.RouteTable, c hostClaim, o owner) {
	message := fmt.Sprintf("the host %s belongs to the namespace %s; move the object there", c.Host, o.Namespace)
	if o.Object != (model.Key{}) {
		message = fmt.Sprintf("the older %s routes the host %s here, and another namespace may not; choose another host, or move the object to %s", o.Object, c.Host, o.Namespace)
	}
	r.add(model.ProblemHostConflict, hostsPath(t, c.Place), message)
}

// hostsPath is where the table's object names its hosts.
func hostsPath(t model.RouteTable, at string) string {
	switch {
	case t.Object.Kind == string(api.VirtualService):
		return "spec.hosts"
	case at == model.Mesh:
		return t.From[0].Path
	}
	return "spec.hostnames"
}

func describe(all []model.GatewayListener) string {
	var words []string
	for _, l := range all {
		words = append(words, fmt.Sprintf("%s: port %d, hosts %s", l.Name, l.Port, strings.Join(l.Hosts, " ")))
	}
	if len(words) == 0 {
		return "no listener"
	}
	return strings.Join(words, "; ")
}

// overlap says whether some host is meant by both.
func overlap(a, b string) bool { return within(a, b) || within(b, a) }

func within(host, pattern string) bool {
	suffix, wild := strings.CutPrefix(pattern, "*")
	return host == pattern || wild && strings.HasSuffix(host, suffix)
}
