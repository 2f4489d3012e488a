package explain

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"pgregory.net/rapid"

	"weft.dev/compile"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/scope"
)

// guarded is the virtual host of a workload that the policies select.
func guarded(t *rapid.T, all []model.Authorization) *routev3.VirtualHost {
	g := flow.New(flow.Options{})
	workloads := flow.NewSource[model.Workload](g, "workloads")
	replicas := scope.Singles(workloads.Collection)
	authorizations := flow.NewSource[model.Authorization](g, "authorizations")
	c := compile.New(g, compile.Inputs{Replicas: replicas, Cohorts: scope.Cohorts(replicas), Authorizations: authorizations.Collection}, compile.Options{TrustDomain: "t"})
	g.Commit(func(tx *flow.Tx) {
		workloads.Set(tx, model.Workload{Namespace: "a", Name: "w", App: "x", Labels: map[string]string{"app": "x"}, Ports: []model.WorkloadPort{{Number: 80, Protocol: model.HTTP, ProxyPort: 1, AppPort: 2}}})
		for _, a := range all {
			authorizations.Set(tx, a)
		}
	})
	v := c.View("a/w", "")
	config, err := decoded[routev3.RouteConfiguration](v.Find(model.TypeRoute, compile.InboundName(80)))
	if err != nil {
		t.Fatal(err)
	}
	return config.VirtualHosts[0]
}

// What is compiled decides as the few lines of reference below do.
func TestGuardsMeanWhatPoliciesSay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var all []model.Authorization
		for i := range rapid.IntRange(0, 3).Draw(rt, "policies") {
			all = append(all, randomPolicy(rt, string(rune('a'+i))))
		}
		host := guarded(rt, all)
		for range 10 {
			m := randomMessage(rt)
			if got, want := decide(host, m).Allowed, allows(all, m); got != want {
				rt.Fatalf("allowed: %v, want %v\nmessage %+v\npolicies %+v\ncompiled %v", got, want, m, all, host)
			}
		}
	})
}

func randomPolicy(t *rapid.T, name string) model.Authorization {
	a := model.Authorization{
		Object: model.Key{Kind: "AuthorizationPolicy", Namespace: "a", Name: name}, Reach: model.Reach{Namespace: rapid.SampledFrom([]string{"a", "", "b"}).Draw(t, "namespace")},
		Action: rapid.SampledFrom([]model.AuthzAction{model.Allow, model.Deny}).Draw(t, "action"), DryRun: rapid.IntRange(0, 5).Draw(t, "dry") == 0,
	}
	if rapid.Bool().Draw(t, "selector") {
		a.Selector = map[string]string{"app": rapid.SampledFrom([]string{"x", "y"}).Draw(t, "app")}
	}
	list := func(label string, values ...string) []string {
		return rapid.SliceOfN(rapid.SampledFrom(values), 0, 2).Draw(t, label)
	}
	for range rapid.IntRange(0, 2).Draw(t, "rules") {
		var r model.AuthzRule
		if rapid.Bool().Draw(t, "from") {
			r.From = []model.AuthzSource{{
				Principals: list("principals", "t/ns/a/sa/x", "t/ns/*", "*/sa/y", "*"), NotPrincipals: list("not principals", "t/ns/a/sa/x"),
				Namespaces: list("namespaces", "a", "b*", "*b"), NotNamespaces: list("not namespaces", "a", "bb"),
				IPBlocks: list("blocks", "10.0.0.0/8", "1.2.3.4"), RequestPrincipals: list("tokens", "*"),
			}}
		}
		if rapid.Bool().Draw(t, "to") {
			r.To = []model.AuthzOperation{{
				Hosts: list("hosts", "x", "*.y", "x*"), Ports: list("ports", "80", "81"), NotPorts: list("not ports", "80", "81"),
				Methods: list("methods", "GET", "P*"), NotMethods: list("not methods", "PUT"),
				Paths: list("paths", "/a", "/a/*", "*.x", "/{*}/b"), NotPaths: list("not paths", "/a/b"),
			}}
		}
		if rapid.Bool().Draw(t, "when") {
			r.When = []model.AuthzCondition{{Key: "request.headers[h]", Values: list("values", "1", "2*"), NotValues: list("not values", "1", "22")}}
		}
		a.Rules = append(a.Rules, r)
	}
	return a
}

func randomMessage(t *rapid.T) message {
	m := message{headers: map[string]string{
		":method":    rapid.SampledFrom([]string{"GET", "PUT", "POST"}).Draw(t, "method"),
		":authority": rapid.SampledFrom([]string{"x", "X:80", "a.y", "a.y:80", "xx", ".y"}).Draw(t, "authority"),
	}}
	m.path = rapid.SampledFrom([]string{"/", "/a", "/a/b", "/b/b", "/a.x", "/A"}).Draw(t, "path")
	m.caller = rapid.SampledFrom([]string{"", "spiffe://t/ns/a/sa/x", "spiffe://t/ns/b/sa/y", "spiffe://t/ns/bb/sa/x"}).Draw(t, "caller")
	m.sourceIP = rapid.SampledFrom([]string{"10.1.1.1", "1.2.3.4", "4.3.2.1"}).Draw(t, "ip")
	if rapid.Bool().Draw(t, "header") {
		m.headers["h"] = rapid.SampledFrom([]string{"1", "2", "22"}).Draw(t, "value")
	}
	return m
}

// allows is Istio's rule in the words of its documentation.
func allows(all []model.Authorization, m message) bool {
	anyAllow, allowed := false, false
	for _, a := range all {
		if a.DryRun || a.Namespace != "" && a.Namespace != "a" || a.Selector["app"] == "y" {
			continue
		}
		holds := slices.ContainsFunc(a.Rules, func(r model.AuthzRule) bool { return ruleHolds(r, m) })
		if a.Action == model.Deny && holds {
			return false
		}
		if a.Action == model.Allow {
			anyAllow, allowed = true, allowed || holds
		}
	}
	return allowed || !anyAllow
}

func ruleHolds(r model.AuthzRule, m message) bool {
	from := len(r.From) == 0 || slices.ContainsFunc(r.From, func(s model.AuthzSource) bool { return sourceHolds(s, m) })
	to := len(r.To) == 0 || slices.ContainsFunc(r.To, func(o model.AuthzOperation) bool { return operationHolds(o, m) })
	when := !slices.ContainsFunc(r.When, func(c model.AuthzCondition) bool {
		value, there := m.headers["h"]
		return !in(c.Values, c.NotValues, func(v string) bool { return there && form(v, value) })
	})
	return from && to && when
}

func sourceHolds(s model.AuthzSource, m message) bool {
	id, verified := strings.CutPrefix(m.caller, "spiffe://")
	var namespace string
	if verified {
		namespace = strings.Split(id, "/")[2]
	}
	return in(s.Principals, s.NotPrincipals, func(v string) bool { return verified && form(v, id) }) &&
		in(s.Namespaces, s.NotNamespaces, func(v string) bool { return verified && form(v, namespace) }) &&
		in(s.IPBlocks, s.NotIPBlocks, func(v string) bool {
			if p, err := netip.ParsePrefix(v); err == nil {
				return p.Contains(netip.MustParseAddr(m.sourceIP))
			}
			return v == m.sourceIP
		}) && in(s.RequestPrincipals, s.NotReqPr, func(string) bool { return false })
}

func operationHolds(o model.AuthzOperation, m message) bool {
	host, _, _ := strings.Cut(strings.ToLower(m.headers[":authority"]), ":")
	return in(o.Hosts, o.NotHosts, func(v string) bool { return form(v, host) }) &&
		in(o.Ports, o.NotPorts, func(v string) bool { return v == "80" }) &&
		in(o.Methods, o.NotMethods, func(v string) bool { return form(v, m.headers[":method"]) }) &&
		in(o.Paths, o.NotPaths, func(v string) bool {
			if v == "/{*}/b" {
				parts := strings.Split(m.path, "/")
				return len(parts) == 3 && parts[1] != "" && parts[2] == "b"
			}
			return form(v, m.path)
		})
}

func in(values, others []string, holds func(string) bool) bool {
	return (len(values) == 0 || slices.ContainsFunc(values, holds)) && !slices.ContainsFunc(others, holds)
}

// form compares with a value that is exact, "prefix*", "*suffix" or "*".
func form(v, s string) bool {
	switch {
	case v == "*":
		return s != ""
	case strings.HasPrefix(v, "*"):
		return strings.HasSuffix(s, v[1:])
	case strings.HasSuffix(v, "*"):
		return strings.HasPrefix(s, v[:len(v)-1])
	}
	return v == s
}
