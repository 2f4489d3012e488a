package compile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"weft.dev/flow"
	"weft.dev/model"
	scopes "weft.dev/scope"
)

// rows are the inputs of a test, as YAML with the names of the model's fields.
type rows struct {
	Services       []model.Service
	Workloads      []model.Workload
	RouteTables    []model.RouteTable
	Policies       []model.Policy
	Splits         []model.Split
	Concurrencies  []model.Concurrency
	Inbounds       []model.Inbound
	Gateways       []model.Gateway
	Certificates   []model.Certificate
	PeerAuths      []model.PeerAuth
	RateLimits     []model.RateLimit
	EnvoyFilters   []model.EnvoyFilter
	Authorizations []model.Authorization
	RequestAuths   []model.RequestAuth
	Telemetries    []model.Telemetry
	Plugins        []model.Plugin
	Modules        []model.Module
	Authorizers    []model.Authorizer
	KeySets        []model.KeySet
	Previews       []model.PreviewKey
	Known          []model.Known // nil: everybody knows everything
}

// durations are the fields that tests write as "2s".
var durations = []string{"timeout", "pertry", "backoff", "delay", "interval", "baseejection", "connecttimeout", "idletimeout", "for", "idle", "pingevery", "pingtimeout", "cookiettl", "maxage", "hedgeafter", "every", "measureevery", "per"}

func parseRows(t testing.TB, text []byte) rows {
	t.Helper()
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatalf("rows: %v", err)
	}
	body, err := json.Marshal(readDurations(t, "", tree))
	if err != nil {
		t.Fatal(err)
	}
	var r rows
	if err := yaml.UnmarshalStrict(body, &r); err != nil {
		t.Fatalf("rows: %v", err)
	}
	r.fill()
	return r
}

func readDurations(t testing.TB, key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			v[k] = readDurations(t, strings.ToLower(k), child)
		}
	case []any:
		for i, child := range v {
			v[i] = readDurations(t, "", child)
		}
	case string:
		if slices.Contains(durations, key) {
			d, err := time.ParseDuration(v)
			if err != nil {
				t.Fatalf("rows: %s: %v", key, err)
			}
			return int64(d)
		}
	}
	return v
}

// fill adds what the translators always give: hosts, labels, origins.
func (r *rows) fill() {
	for i := range r.Services {
		s := &r.Services[i]
		if s.Host == "" {
			s.Host = model.HostOf(s.Namespace, s.Name)
		}
		if s.Resolution == "" {
			s.Resolution = model.ByWorkload
		}
		if s.Resolution == model.ByWorkload && s.Selector == nil {
			s.Selector = map[string]string{"app": s.Name}
		}
		s.From = origins(s.From, model.Key{Kind: "Service", Namespace: s.Namespace, Name: s.Name})
	}
	for i := range r.Workloads {
		w := &r.Workloads[i]
		if w.Labels == nil {
			w.Labels = map[string]string{"app": w.App, "version": w.Version}
		}
		if w.Health == "" {
			w.Health = model.Healthy
		}
	}
	for i := range r.Known { // a file names a workload in place of its cohort
		for _, w := range r.Workloads {
			if r.Known[i].Cohort == w.Key() {
				r.Known[i].Cohort = w.Cohort()
			}
		}
	}
	r.fillTables()
	for i := range r.Policies {
		r.Policies[i].From = origins(r.Policies[i].From, r.Policies[i].Object)
	}
	for i := range r.Splits {
		r.Splits[i].From = origins(r.Splits[i].From, model.Key{Kind: "TrafficSplit", Namespace: "shop", Name: r.Splits[i].Service})
	}
	for i := range r.Concurrencies {
		r.Concurrencies[i].From = origins(r.Concurrencies[i].From, model.Key{Kind: "Resilience", Namespace: "shop", Name: r.Concurrencies[i].Host})
	}
	for i := range r.Inbounds {
		r.Inbounds[i].From = origins(r.Inbounds[i].From, r.Inbounds[i].Object)
	}
	for i := range r.Gateways {
		r.Gateways[i].From = origins(r.Gateways[i].From, r.Gateways[i].Object)
	}
	for i := range r.PeerAuths {
		r.PeerAuths[i].From = origins(r.PeerAuths[i].From, r.PeerAuths[i].Object)
	}
	r.fillLimits()
	for i := range r.Authorizations {
		a := &r.Authorizations[i]
		a.From = origins(a.From, a.Object)
		for j := range a.Rules {
			a.Rules[j].Origin = model.Origin{Key: a.Object, Path: fmt.Sprintf("spec.rules[%d]", j), File: "guards.yaml", Line: 10 * (j + 1)}
		}
	}
}

func (r *rows) fillTables() {
	for i := range r.RouteTables {
		t := &r.RouteTables[i]
		if t.Gateways == nil {
			t.Gateways = []string{model.Mesh}
		}
		t.From = origins(t.From, t.Object)
		for j := range t.Rules {
			rule := &t.Rules[j]
			rule.Origin = model.Origin{Key: t.Object, Path: fmt.Sprintf("spec.http[%d]", j), File: "routes.yaml", Line: 10 * (j + 1)}
			for k := range rule.Backends {
				rule.Backends[k].Origin = rule.Origin
				rule.Backends[k].Origin.Path += fmt.Sprintf(".route[%d]", k)
				if f := rule.Backends[k].Fallback; f != nil {
					f.From = origins(f.From, model.Key{Kind: "Resilience", Namespace: "shop", Name: f.Service})
				}
			}
		}
	}
}

func (r *rows) fillLimits() {
	for i := range r.RateLimits {
		l := &r.RateLimits[i]
		l.From = origins(l.From, l.Object)
		for j := range l.Limits {
			l.Limits[j].Origin = model.Origin{Key: l.Object, Path: fmt.Sprintf("spec.limits[%d]", j), File: "limits.yaml", Line: 10 * (j + 1)}
		}
	}
	r.fillAccess()
}

func (r *rows) fillAccess() {
	for i := range r.EnvoyFilters {
		r.EnvoyFilters[i].From = origins(r.EnvoyFilters[i].From, r.EnvoyFilters[i].Object)
	}
	for i := range r.RequestAuths {
		a := &r.RequestAuths[i]
		a.From = origins(a.From, a.Object)
		for j := range a.Rules {
			a.Rules[j].Origin = model.Origin{Key: a.Object, Path: fmt.Sprintf("spec.jwtRules[%d]", j)}
		}
	}
	for i := range r.Authorizers {
		r.Authorizers[i].From = origins(r.Authorizers[i].From, r.Authorizers[i].Object)
	}
}

func origins(given []model.Origin, key model.Key) []model.Origin {
	if len(given) > 0 {
		return given
	}
	return []model.Origin{{Key: key}}
}

// mesh is a graph with its sources.
type mesh struct {
	g              *flow.Graph
	services       *flow.Source[model.Service]
	workloads      *flow.Source[model.Workload]
	routeTables    *flow.Source[model.RouteTable]
	policies       *flow.Source[model.Policy]
	splits         *flow.Source[model.Split]
	concurrencies  *flow.Source[model.Concurrency]
	inbounds       *flow.Source[model.Inbound]
	gateways       *flow.Source[model.Gateway]
	certificates   *flow.Source[model.Certificate]
	peerAuths      *flow.Source[model.PeerAuth]
	rateLimits     *flow.Source[model.RateLimit]
	envoyFilters   *flow.Source[model.EnvoyFilter]
	authorizations *flow.Source[model.Authorization]
	requestAuths   *flow.Source[model.RequestAuth]
	telemetries    *flow.Source[model.Telemetry]
	plugins        *flow.Source[model.Plugin]
	modules        *flow.Source[model.Module]
	authorizers    *flow.Source[model.Authorizer]
	keySets        *flow.Source[model.KeySet]
	previews       *flow.Source[model.PreviewKey]
	known          *flow.Source[model.Known]
	*Compiled
}

const testTrust = "mesh.test"

func newMesh() *mesh { return newMeshWith(Options{TrustDomain: testTrust}) }

func newMeshWith(o Options) *mesh {
	g := flow.New(flow.Options{})
	m := &mesh{
		g:              g,
		services:       flow.NewSource[model.Service](g, "services"),
		workloads:      flow.NewSource[model.Workload](g, "workloads"),
		routeTables:    flow.NewSource[model.RouteTable](g, "tables"),
		policies:       flow.NewSource[model.Policy](g, "policies"),
		splits:         flow.NewSource[model.Split](g, "splits"),
		concurrencies:  flow.NewSource[model.Concurrency](g, "concurrencies"),
		inbounds:       flow.NewSource[model.Inbound](g, "inbounds"),
		gateways:       flow.NewSource[model.Gateway](g, "gateways"),
		certificates:   flow.NewSource[model.Certificate](g, "certificates"),
		peerAuths:      flow.NewSource[model.PeerAuth](g, "peers"),
		rateLimits:     flow.NewSource[model.RateLimit](g, "rate limits"),
		envoyFilters:   flow.NewSource[model.EnvoyFilter](g, "envoy filters"),
		authorizations: flow.NewSource[model.Authorization](g, "authorizations"),
		requestAuths:   flow.NewSource[model.RequestAuth](g, "request authentications"),
		telemetries:    flow.NewSource[model.Telemetry](g, "telemetries"),
		plugins:        flow.NewSource[model.Plugin](g, "plugins"),
		modules:        flow.NewSource[model.Module](g, "modules"),
		authorizers:    flow.NewSource[model.Authorizer](g, "authorizers"),
		keySets:        flow.NewSource[model.KeySet](g, "key sets"),
		previews:       flow.NewSource[model.PreviewKey](g, "previews"),
		known:          flow.NewSource[model.Known](g, "known"),
	}
	replicas := scopes.Singles(m.workloads.Collection)
	m.Compiled = New(g, Inputs{
		Services: m.services.Collection, Replicas: replicas, Cohorts: scopes.Cohorts(replicas), RouteTables: m.routeTables.Collection,
		Policies: m.policies.Collection, Splits: m.splits.Collection, Concurrencies: m.concurrencies.Collection, Inbounds: m.inbounds.Collection,
		Gateways: m.gateways.Collection, Certificates: m.certificates.Collection, PeerAuths: m.peerAuths.Collection, RateLimits: m.rateLimits.Collection, EnvoyFilters: m.envoyFilters.Collection, Authorizations: m.authorizations.Collection,
		RequestAuths: m.requestAuths.Collection, Telemetries: m.telemetries.Collection, Plugins: m.plugins.Collection, Modules: m.modules.Collection, Authorizers: m.authorizers.Collection, KeySets: m.keySets.Collection,
		Known: m.known.Collection, Previews: m.previews.Collection,
	}, o)
	return m
}

// set makes the rows all that there are.
func (m *mesh) set(r rows) {
	m.g.Commit(func(tx *flow.Tx) {
		m.services.Replace(tx, "", r.Services)
		m.workloads.Replace(tx, "", r.Workloads)
		m.routeTables.Replace(tx, "", r.RouteTables)
		m.policies.Replace(tx, "", r.Policies)
		m.splits.Replace(tx, "", r.Splits)
		m.concurrencies.Replace(tx, "", r.Concurrencies)
		m.inbounds.Replace(tx, "", r.Inbounds)
		m.gateways.Replace(tx, "", r.Gateways)
		m.certificates.Replace(tx, "", r.Certificates)
		m.peerAuths.Replace(tx, "", r.PeerAuths)
		m.rateLimits.Replace(tx, "", r.RateLimits)
		m.envoyFilters.Replace(tx, "", r.EnvoyFilters)
		m.authorizations.Replace(tx, "", r.Authorizations)
		m.requestAuths.Replace(tx, "", r.RequestAuths)
		m.telemetries.Replace(tx, "", r.Telemetries)
		m.plugins.Replace(tx, "", r.Plugins)
		m.modules.Replace(tx, "", r.Modules)
		m.authorizers.Replace(tx, "", r.Authorizers)
		m.keySets.Replace(tx, "", r.KeySets)
		m.previews.Replace(tx, "", r.Previews)
		m.known.Replace(tx, "", r.Known)
	})
}

func (m *mesh) viewOf(t testing.TB, proxy string) *model.View {
	t.Helper()
	v := m.View(proxy, "")
	if v == nil {
		t.Fatalf("no workload %s", proxy)
	}
	return v
}

// views are those of all scopes.
func (m *mesh) views() (all []*model.View) {
	for _, o := range m.Outlines.All() {
		all = append(all, o.View(func(name string) *model.Layer {
			l, _ := m.Layers.Get(name)
			return l
		}))
	}
	return all
}
