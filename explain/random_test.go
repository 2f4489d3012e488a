package explain_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"weft.dev/compile"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/scope"
)

// Words are few, so that requests meet what routes ask for.
var (
	segments  = []string{"a", "b", "A", "shop", "a.b", ""}
	regexes   = []string{"/a.*", "/[ab]", "/.*b", "(?i)/SHOP", "/a|/b", "/(a|b)/?", "[^.]*", "/\\w+", ".*", "/[^/]+", "(/a)+", "/a/?.*", "^/a$", "/a$|^/b", "/.", ".", "(?s)/(.*)"}
	values    = []string{"1", "2", "on", "1on"}
	names     = []string{"x-a", "X-B", "x_c"} // no gateway takes the last one
	origins   = []string{"https://a.test", "http://b.test:81", "null", "https://A.test"}
	gateHosts = []string{"a.test", "b.a.test", "*.a.test", "*.test", "Shop.Example.com", "*.b.a.test"}
)

const (
	services = 12 // s0 ... s11, outside services with two versions; nobody is behind the last one
	emptyOne = services - 1
	spent    = 1 // of a limit
)

// randomRows are a mesh of a sidecar, gateways, and services that are all one backend.
type randomRows struct {
	sidecar, front, back model.Workload
	frontPorts           []string // schemes and ports, as often as they are called
	backPorts            []string
	services             []model.Service
	tables               []model.RouteTable
	policies             []model.Policy
	splits               []model.Split
	gateways             []model.Gateway
	keys                 []model.PreviewKey
	certificates         []model.Certificate
	limits               []model.RateLimit
	guards               []model.Authorization
	tokens               []model.RequestAuth
}

func serviceHost(i int) string { return fmt.Sprintf("s%d.test", i) }

func randomMesh(r *rand.Rand, backend int, port func() int) *randomRows {
	all := &randomRows{
		sidecar: model.Workload{Namespace: "shop", Name: "sidecar", App: "web", Address: "127.0.0.1", Outbound: uint32(port()), Health: model.Healthy, Labels: map[string]string{"app": "web"}},
		front:   model.Workload{Namespace: "shop", Name: "front", Gateway: "gw", Address: "127.0.0.1", Health: model.Healthy},
		back:    model.Workload{Namespace: "shop", Name: "back", Address: "127.0.0.1", Gateway: "back", Health: model.Healthy, Labels: map[string]string{"gate": "back"}},
	}
	all.randomGateways(r, port)
	for i := range services {
		all.addService(i, backend)
		all.tables = append(all.tables, randomTable(r, fmt.Sprintf("mesh-%d", i), serviceHost(i), model.Mesh))
	}
	for i, host := range gateHosts {
		all.tables = append(all.tables, randomTable(r, fmt.Sprintf("gw-%d", i), host, "shop/gw"), randomTable(r, fmt.Sprintf("back-%d", i), host, "istio:shop/back"))
	}
	all.limits = randomLimits(r)
	if chance(r, 2) {
		all.guards = randomGuards(r)
	}
	return all
}

func (all *randomRows) addService(i, backend int) {
	host := serviceHost(i)
	s := model.Service{
		Host: host, Namespace: "shop", Name: host, External: true, Resolution: model.Static,
		Ports: []model.Port{{Number: 80, Target: uint32(backend), Name: "http", Protocol: model.HTTP}, {Number: 81, Target: uint32(backend), Name: "more", Protocol: model.HTTP}},
	}
	if i != emptyOne {
		s.Addresses = []model.Address{{Host: "127.0.0.1", Labels: map[string]string{"version": "v1"}}, {Host: "127.0.0.1", Labels: map[string]string{"version": "v2"}}}
	}
	all.services = append(all.services, s)
	all.policies = append(all.policies, model.Policy{Object: model.Key{Kind: "DestinationRule", Namespace: "shop", Name: host}, Host: host,
		Subsets: []model.Subset{{Name: "first", Labels: map[string]string{"version": "v1"}}}})
	if i%3 == 0 {
		all.splits = append(all.splits, model.Split{Host: host, Service: fmt.Sprintf("s%d", i), From: []model.Origin{{Key: model.Key{Kind: "TrafficSplit", Name: host}}},
			Versions: []model.VersionShare{{Version: "v1", Weight: 100}, {Version: "v2", Weight: 0}}})
	}
}

// randomGateways are one of several ports, of which one leads to HTTPS, and one of Istio's.
func (all *randomRows) randomGateways(r *rand.Rand, port func() int) {
	listener := func(name, scheme string, l model.GatewayListener) model.GatewayListener {
		l.Name, l.Port, l.Protocol = name, uint32(port()), model.GatewayHTTP
		if scheme == "https" {
			l.Protocol, l.TLS = model.GatewayHTTPS, model.ServerTLS{Secret: "shop/tls"}
		}
		return l
	}
	everything := []string{"*"}
	all.gateways = []model.Gateway{
		{Object: model.Key{Kind: "Gateway", Namespace: "shop", Name: "gw"}, Name: "shop/gw", Proxy: "gw", Listeners: []model.GatewayListener{
			listener("http", "http", model.GatewayListener{Hosts: everything}),
			listener("some", "http", model.GatewayListener{Hosts: []string{one(r, "*.test", "*.a.test", "a.test")}}),
			listener("redirect", "http", model.GatewayListener{Hosts: everything, ToHTTPS: true}),
			listener("https", "https", model.GatewayListener{Hosts: everything}),
		}},
		{Object: model.Key{Kind: "Gateway", Namespace: "shop", Name: "back"}, Name: "istio:shop/back", Selector: map[string]string{"gate": "back"}, Listeners: []model.GatewayListener{
			listener("http", "http", model.GatewayListener{Hosts: everything}),
		}},
	}
	front := &all.gateways[0]
	some := front.Listeners[3] // whose connections know another certificate, and other routes
	some.Name, some.Hosts, some.TLS.Secret = "https-some", []string{one(r, "*.a.test", "a.test", "shop.example.com")}, "shop/tls-some"
	front.Listeners = append(front.Listeners, some)
	at := func(gateway, i int, scheme string) string {
		return fmt.Sprintf("%s %d", scheme, all.gateways[gateway].Listeners[i].Port)
	}
	all.frontPorts = []string{at(0, 0, "http"), at(0, 0, "http"), at(0, 0, "http"), at(0, 1, "http"), at(0, 1, "http"), at(0, 2, "http"), at(0, 3, "https"), at(0, 3, "https"), at(0, 3, "https")}
	all.backPorts = []string{at(1, 0, "http")}
}

// compile makes views of the rows.
func (all *randomRows) compile() *compile.Compiled {
	g := flow.New(flow.Options{})
	tables, policies := flow.NewSource[model.RouteTable](g, "tables"), flow.NewSource[model.Policy](g, "policies")
	services, workloads := flow.NewSource[model.Service](g, "services"), flow.NewSource[model.Workload](g, "workloads")
	keys, certificates := flow.NewSource[model.PreviewKey](g, "keys"), flow.NewSource[model.Certificate](g, "certificates")
	splits, gateways := flow.NewSource[model.Split](g, "splits"), flow.NewSource[model.Gateway](g, "gateways")
	limits, guards := flow.NewSource[model.RateLimit](g, "limits"), flow.NewSource[model.Authorization](g, "authorizations")
	tokens := flow.NewSource[model.RequestAuth](g, "request authentications")
	replicas := scope.Singles(workloads.Collection)
	c := compile.New(g, compile.Inputs{
		Services: services.Collection, Replicas: replicas, Cohorts: scope.Cohorts(replicas), RouteTables: tables.Collection, Policies: policies.Collection,
		Splits: splits.Collection, Gateways: gateways.Collection, Certificates: certificates.Collection,
		Previews: keys.Collection, RateLimits: limits.Collection, Authorizations: guards.Collection, RequestAuths: tokens.Collection,
	}, compile.Options{TrustDomain: "mesh.test"})
	g.Commit(func(tx *flow.Tx) {
		services.Replace(tx, "", all.services)
		workloads.Replace(tx, "", []model.Workload{all.sidecar, all.front, all.back})
		tables.Replace(tx, "", all.tables)
		policies.Replace(tx, "", all.policies)
		splits.Replace(tx, "", all.splits)
		gateways.Replace(tx, "", all.gateways)
		keys.Replace(tx, "", all.keys)
		certificates.Replace(tx, "", all.certificates)
		limits.Replace(tx, "", all.limits)
		guards.Replace(tx, "", all.guards)
		tokens.Replace(tx, "", all.tokens)
	})
	return c
}

func one[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

func chance(r *rand.Rand, in int) bool { return r.IntN(in) == 0 }

func randomTable(r *rand.Rand, name, host, gateway string) model.RouteTable {
	t := model.RouteTable{Object: model.Key{Kind: "VirtualService", Namespace: "shop", Name: name}, Hosts: []string{host}, Gateways: []string{gateway},
		Order: one(r, model.AsWritten, model.BySpecific)}
	if gateway == "shop/gw" && chance(r, 4) {
		t.Sections = []string{one(r, "http", "some", "https", "https-some")}
	}
	for i := range 1 + r.IntN(6) {
		rule := randomRule(r)
		rule.Name, rule.Origin = fmt.Sprintf("rule-%d", i), model.Origin{Key: t.Object}
		t.Rules = append(t.Rules, rule)
	}
	if chance(r, 2) {
		rule := model.Rule{Name: "rest", Origin: model.Origin{Key: t.Object}}
		route(r, &rule)
		t.Rules = append(t.Rules, rule)
	}
	return t
}

func randomRule(r *rand.Rand) model.Rule {
	rule := model.Rule{}
	if !chance(r, 8) {
		rule.Matches = []model.Match{randomMatch(r), randomMatch(r)}[:1+r.IntN(2)]
	}
	if chance(r, 4) {
		rule.CORS = randomCORS(r)
	}
	if chance(r, 5) {
		rule.Fault = randomFault(r)
	}
	switch r.IntN(7) {
	case 0:
		rule.Direct = &model.DirectResponse{Status: one(r, uint32(200), 403, 418, 503, 0), Body: "-"}
		return rule
	case 1:
		rule.Redirect = randomRedirect(r)
		return rule
	}
	route(r, &rule)
	return rule
}

// route sends the requests of a rule somewhere.
func route(r *rand.Rand, rule *model.Rule) {
	for range 1 + r.IntN(2) {
		b := model.Backend{
			Host: serviceHost(r.IntN(services)), Port: one(r, uint32(80), 81), Subset: one(r, "", "", "", "first"), Weight: one(r, uint32(1), 1, 1, 0, 99),
		}
		switch r.IntN(30) {
		case 0:
			b.Host = serviceHost(services) // there is none
		case 1:
			b.Port = 99
		case 2:
			b.Subset = "none"
		}
		if chance(r, 4) {
			b.Fallback = randomFallback(r)
		}
		if chance(r, 8) {
			b.Rewrite = randomRewrite(r)
		}
		if chance(r, 8) {
			b.RequestHeaders.Set = []model.Header{{Name: one(r, "x-new", "x-a", "host"), Value: one(r, "v", "backend.test")}}
		}
		rule.Backends = append(rule.Backends, b)
	}
	if chance(r, 2) {
		rule.Rewrite = randomRewrite(r)
	}
	if chance(r, 3) {
		rule.RequestHeaders.Set = []model.Header{{Name: one(r, "x-new", "x-a", "host"), Value: one(r, "v", "other.test")}}
	}
	if chance(r, 8) {
		rule.Retry = &model.Retry{Attempts: one(r, uint32(0), 1), HedgeAfter: one(r, time.Duration(0), time.Second), NotMethods: chance(r, 2)}
	}
}

func randomCORS(r *rand.Rand) *model.CORS {
	c := &model.CORS{Methods: []string{"GET"}, Headers: []string{"x-a"}, Credentials: chance(r, 3), Stops: chance(r, 2), MaxAge: one(r, 0, time.Hour)}
	for range r.IntN(3) {
		c.Origins = append(c.Origins, one(r, model.StringMatch{Exact: one(r, origins...)}, model.StringMatch{Prefix: "https://a"}, model.StringMatch{Prefix: "http"},
			model.StringMatch{Regex: one(r, "https?://[ab].*", ".*", "(?i)https://a.test", "http", "(")}, model.StringMatch{Exact: "*"}))
	}
	return c
}

func randomFault(r *rand.Rand) *model.Fault {
	f := &model.Fault{DelayPercent: one(r, 0.0, 0, 50, 100), Delay: one(r, time.Duration(0), 3*time.Millisecond), AbortPercent: one(r, 0.0, 100, 100, 50), AbortStatus: one(r, uint32(503), 418, 200, 500, 99)}
	if chance(r, 4) {
		code := one(r, uint32(14), 0, 7, 99)
		f.AbortGRPC = &code
	}
	return f
}

func randomFallback(r *rand.Rand) *model.Fallback {
	service := r.IntN(services)
	f := &model.Fallback{
		Host: serviceHost(service), Service: fmt.Sprintf("f%d", service), Status: one(r, uint32(200), 200, 299, 404), Body: "instead", From: []model.Origin{{Key: model.Key{Kind: "Resilience", Name: "f"}}},
		On: one(r, nil, []uint32{503}, []uint32{500, 418}, []uint32{403, 429}, []uint32{401, 404, 503}),
	}
	if f.On == nil || chance(r, 3) {
		f.Failures = []model.Failure{one(r, model.FailedConnect, model.FailedTimeout, model.FailedBreaker)}
	}
	if chance(r, 3) {
		f.Status, f.Instead = 200, &model.Backend{Host: serviceHost(r.IntN(services + 1)), Port: 80, Weight: 1}
	}
	return f
}

func randomRedirect(r *rand.Rand) *model.Redirect {
	to := &model.Redirect{Host: one(r, "", "elsewhere.test"), Scheme: one(r, "", "", "http", "https"), Port: one(r, uint32(0), 0, 80, 443, 8080), Code: one(r, uint32(301), 302, 303, 307, 308, 0)}
	prefix := one(r, "/", "", "/new", "/new/")
	switch r.IntN(4) {
	case 0:
		to.Path = one(r, "/whole", "/w?x=1", "/w%20", `/\1`)
	case 1:
		to.PrefixPath = &prefix
	}
	return to
}

func randomRewrite(r *rand.Rand) *model.Rewrite {
	text := one(r, "/", "", "/new", "/new/")
	switch r.IntN(5) {
	case 0:
		return &model.Rewrite{Host: "rewritten.test"}
	case 1:
		return &model.Rewrite{Path: one(r, "/whole", `/w\1`, "/$1/${0}", "/w?x=1")}
	case 2:
		return &model.Rewrite{Regex: one(r, "/(a|b)", "a", "(.)b?", "^/(.*)$", `/(\w+)/(\w+)`, "(?i)(A)|(B)", "x*", "", `\b`, "/", "(?P<first>/[^/]*)(.*)", "/+", "$", "(a)?", "[^/]+", `(/\w*)(.*)`, "(((a)))"),
			RegexSubst: one(r, `/x\1`, `\0\0`, "$1", `\\1`, "", `${1}a`, `\2\1`, `/\1/\2`, "/-", `/\0`, `/\\`, `/\3`, `/\9`, `/\x`, `/\`, "/ä", "/%20", "/?", "/#")}
	}
	return &model.Rewrite{PrefixPath: &text}
}

func randomString(r *rand.Rand, pool []string) model.StringMatch {
	switch v := one(r, pool...); r.IntN(4) {
	case 0:
		return model.StringMatch{Prefix: v[:1+r.IntN(len(v))]}
	case 1:
		return model.StringMatch{Regex: one(r, v, v[:1]+".*", ".*", v+"?", "[0-9]+", ".", "")}
	case 2:
		return model.StringMatch{Present: true}
	default:
		return model.StringMatch{Exact: v}
	}
}

func randomMatch(r *rand.Rand) model.Match {
	m := model.Match{IgnoreCase: chance(r, 4)}
	path := plainPath(r)
	switch r.IntN(5) {
	case 0:
		m.Path.Exact = path
	case 1:
		m.Path.Prefix = path
	case 2:
		m.Path.PathPrefix = path
	case 3:
		m.Path.Regex = one(r, regexes...)
	}
	if chance(r, 3) {
		m.Headers = append(m.Headers, model.HeaderMatch{Name: one(r, names...), Value: randomString(r, values), Invert: chance(r, 3)})
	}
	if chance(r, 4) {
		m.Query = append(m.Query, model.HeaderMatch{Name: one(r, "q", "p", "a b"), Value: randomString(r, values)})
	}
	if chance(r, 6) {
		m.Method = model.StringMatch{Exact: one(r, "GET", "POST", "OPTIONS")}
	}
	if chance(r, 8) {
		m.Authority = one(r, model.StringMatch{Prefix: one(r, "s", "a", "S")}, model.StringMatch{Regex: `.*:\d+`}, model.StringMatch{Exact: "s1.test:80"}, model.StringMatch{Exact: "a.test"})
	}
	if chance(r, 10) {
		m.Scheme = model.StringMatch{Exact: one(r, "http", "https")}
	}
	if chance(r, 12) {
		m.Port = one(r, uint32(80), 81)
	}
	if chance(r, 12) {
		m.SourceLabels = map[string]string{"app": one(r, "web", "other")}
	}
	if chance(r, 8) {
		m.Within = model.Within{Methods: one(r, nil, []string{"GET"}, []string{"GET", "POST"}), Path: one(r, model.StringMatch{}, model.StringMatch{Exact: path}, model.StringMatch{PathPrefix: path})}
	}
	return m
}

func plainPath(r *rand.Rand) string {
	return "/" + strings.Join([]string{one(r, segments...), one(r, segments...)}[:1+r.IntN(2)], "/")
}

// randomLimits are for requests of the gateway and of some of its routes. The first request of a day passes.
func randomLimits(r *rand.Rand) (all []model.RateLimit) {
	targets := []model.LimitTarget{{Kind: "Gateway", Name: "gw"}, {Kind: "Gateway", Name: "gw", Section: "some"}, {Kind: "VirtualService", Name: "gw-0"}, {Kind: "VirtualService", Name: "gw-3", Section: "rule-0"}}
	for i, target := range targets {
		l := model.Limit{Name: target.Kind + fmt.Sprint(i), Requests: spent, Burst: spent, Per: 24 * time.Hour, Shadow: chance(r, 3)}
		if l.Shadow {
			l.Name = "Shadow" + l.Name
		}
		l.Match.Headers = []model.HeaderMatch{{Name: "x-limit", Value: model.StringMatch{Exact: fmt.Sprint(i)}}}
		if chance(r, 3) {
			l.Match.Paths = []model.StringMatch{{Exact: plainPath(r)}, {PathPrefix: plainPath(r)}}
		}
		if chance(r, 3) {
			l.Match.Methods = []string{"GET"}
		}
		key := model.Key{Kind: "RateLimit", Namespace: "shop", Name: fmt.Sprintf("limit-%d", i)}
		all = append(all, model.RateLimit{Object: key, Target: target, Limits: []model.Limit{l}, From: []model.Origin{{Key: key}}})
	}
	return all
}

// randomGuards let most through.
func randomGuards(r *rand.Rand) (all []model.Authorization) {
	for i := range 1 + r.IntN(3) {
		a := model.Authorization{Object: model.Key{Kind: "AuthorizationPolicy", Namespace: "shop", Name: fmt.Sprintf("guard-%d", i)}, Reach: model.Reach{Namespace: "shop"},
			Action: one(r, model.Deny, model.Deny, model.Allow), DryRun: chance(r, 5)}
		if chance(r, 3) {
			a.Targets = []model.Target{{Gateway: one(r, "shop/gw", "istio:shop/back")}}
		}
		for range 1 + r.IntN(2) {
			var rule model.AuthzRule
			rule.To = []model.AuthzOperation{{Paths: []string{one(r, "/a*", "/shop", "/b/*", "*b")}}, {Methods: []string{one(r, "POST", "OPTIONS")}}, {Hosts: []string{one(r, "b.a.test", "*.test:*", "A.test")}}}[r.IntN(3):][:1]
			if chance(r, 3) {
				rule.When = []model.AuthzCondition{{Key: one(r, "request.headers[x-a]", "request.auth.claims[group]"), Values: []string{one(r, "1", "on*", "*")}}}
			}
			if chance(r, 5) {
				rule.From = []model.AuthzSource{{RequestPrincipals: []string{one(r, "*", "issuer.test/*")}}}
			}
			a.Rules = append(a.Rules, rule)
		}
		if a.Action == model.Allow {
			a.Rules = append(a.Rules, model.AuthzRule{When: []model.AuthzCondition{{Key: "request.headers[x-a]", NotValues: []string{"1"}}}})
		}
		all = append(all, a)
	}
	return all
}
