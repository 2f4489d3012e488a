package compile

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"weft.dev/model"
)

// Words are few, so that calls meet what policies ask for.
var (
	callers    = []string{"", "mesh.test/ns/shop/sa/web", "mesh.test/ns/shop/sa/web2", "mesh.test/ns/shop2/sa/web", "mesh.test/ns/pay/sa/web", "other.test/ns/shop/sa/web"}
	spaces     = []string{"shop", "shop2", "pay", "op"}
	authzHosts = []string{"shop", "shop.test", "a.shop.test", "b.shop.test", "[::1]"}
	oddHosts   = []string{"SHOP.test", "Shop.Test:80", "shop.test.evil", "evil.shop:.shop.test:", "shop.test:80.evil", "evil:80a.shop.test:", "shop.test@evil", "shop.test:80@evil", "x[::1]", ":80", "shop.test:", "[::1]x"}
	methods    = []string{"GET", "PUT", "POST", "PATCH", "PROPFIND"}
	authzPaths = []string{"/", "/a", "/a/b", "/a/b/c", "/b/b", "/A", "/a.x", "/a/", "/ab", "/%C3%A4", "/a%20b"}
	oddPaths   = []string{"/a/..%3Bx/b", "/a/%252E%252e", "/a/%25252e.%252f", "/a/..%3b", "/a/...%3b/b", "/a/..b", "/a/%252e/b", "/..%255ca", "/a/b..%3b/c"}
	headerText = []string{"1", "2", "12", "21", "1,2", "a b", "ä", "\xff", "1\xff", "\xff2"}
	headerKeys = []string{"x-a", "x-b", "X-C"}
	authzIPs   = []string{"127.0.0.1", "127.0.0.2", "127.0.1.1", "127.1.0.1"}
	farIPs     = []string{"10.1.2.3", "10.2.3.4", "192.168.1.1", "2001:db8::1"}
	blocks     = []string{"127.0.0.0/24", "127.0.0.1", "127.0.0.2/31", "127.0.0.0/8", "10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "::/0", "0.0.0.0/0"}
	serverHost = []string{"", "in.test", "x.in.test", "in"}
)

const (
	authzPort  = 80
	otherPort  = 81
	trialEvery = 4
)

func oneOf[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

func once(r *rand.Rand, in int) bool { return r.IntN(in) == 0 }

// form is a value that a policy may have for one of the texts: itself, or a part
// of it with a wildcard.
func form(r *rand.Rand, pool []string) string {
	s := oneOf(r, pool)
	if s == "" {
		return "*"
	}
	switch cut := r.IntN(len(s)); r.IntN(6) {
	case 0:
		return "*"
	case 1:
		return s[:max(cut, 1)] + "*"
	case 2:
		return "*" + s[cut:]
	}
	return s
}

// forms are some values; mostly none.
func forms(r *rand.Rand, of func() string) (all []string) {
	for range max(0, r.IntN(8)-5) {
		all = append(all, of())
	}
	return all
}

func ofPool(r *rand.Rand, pool []string) func() string {
	return func() string { return strings.ToValidUTF8(form(r, pool), "") }
}

func randomPolicies(r *rand.Rand) (all []model.Authorization) {
	for i := range 1 + r.IntN(3) {
		a := model.Authorization{
			Object: model.Key{Kind: "AuthorizationPolicy", Namespace: "shop", Name: fmt.Sprint(i)},
			Action: oneOf(r, []model.AuthzAction{model.Allow, model.Deny, model.Allow, model.Deny, model.Audit}), DryRun: once(r, trialEvery),
		}
		for range r.IntN(4) {
			a.Rules = append(a.Rules, randomAuthzRule(r))
		}
		all = append(all, a)
	}
	return all
}

func randomAuthzRule(r *rand.Rand) (rule model.AuthzRule) {
	for range max(0, r.IntN(4)-1) {
		rule.From = append(rule.From, randomSource(r))
	}
	for range max(0, r.IntN(4)-1) {
		rule.To = append(rule.To, randomOperation(r))
	}
	for range max(0, r.IntN(4)-1) {
		rule.When = append(rule.When, randomCondition(r))
	}
	return rule
}

func randomSource(r *rand.Rand) model.AuthzSource {
	principals, namespaces, block := ofPool(r, callers), ofPool(r, spaces), func() string { return oneOf(r, blocks) }
	if once(r, 3) {
		principals = func() string { return "*/ns/" + oneOf(r, spaces) + "/sa/web" } // what a service account becomes
	}
	s := model.AuthzSource{
		Principals: forms(r, principals), NotPrincipals: forms(r, principals), Namespaces: forms(r, namespaces), NotNamespaces: forms(r, namespaces),
		IPBlocks: forms(r, block), NotIPBlocks: forms(r, block), RemoteBlocks: forms(r, block), NotRemote: forms(r, block),
	}
	if once(r, 10) {
		s.RequestPrincipals = []string{"*"}
	}
	if once(r, 10) {
		s.NotReqPr = []string{"*"}
	}
	return s
}

func randomOperation(r *rand.Rand) model.AuthzOperation {
	hosts, methods, ports := ofPool(r, append(authzHosts, "Shop.TEST", "shop.test:80")), ofPool(r, methods), func() string { return fmt.Sprint(oneOf(r, []int{authzPort, otherPort})) }
	path := func() string {
		p := form(r, authzPaths)
		if once(r, 3) {
			p = oneOf(r, []string{"/{*}", "/{*}/b", "/a/{**}", "/{**}", "/a/{*}/c", "{**}/c", "/{*}.x", "/a{*}", "/{**}/b/{*}"})
		}
		return p
	}
	return model.AuthzOperation{
		Hosts: forms(r, hosts), NotHosts: forms(r, hosts), Ports: forms(r, ports), NotPorts: forms(r, ports),
		Methods: forms(r, methods), NotMethods: forms(r, methods), Paths: forms(r, path), NotPaths: forms(r, path),
	}
}

func randomCondition(r *rand.Rand) model.AuthzCondition {
	c := model.AuthzCondition{Key: oneOf(r, []string{
		"request.headers", "request.headers", "request.headers", "source.principal", "source.namespace", "source.ip", "remote.ip", "destination.ip", "destination.port", "connection.sni",
	})}
	values := func() string { return oneOf(r, blocks) }
	switch c.Key {
	case "request.headers":
		name, pool := oneOf(r, headerKeys), headerText
		if once(r, 6) {
			name, pool = "Host", authzHosts
		}
		c.Key += "[" + name + "]"
		values = ofPool(r, pool)
	case "source.principal":
		values = ofPool(r, callers)
	case "source.namespace":
		values = ofPool(r, spaces)
	case "destination.port":
		values = func() string { return fmt.Sprint(oneOf(r, []int{authzPort, otherPort})) }
	case "connection.sni":
		values = ofPool(r, serverHost)
	}
	for len(c.Values)+len(c.NotValues) == 0 { // translate lets none through
		c.Values, c.NotValues = forms(r, values), forms(r, values)
	}
	return c
}

func randomCall(r *rand.Rand) question {
	ip := func(pool []string) netip.Addr { return netip.MustParseAddr(oneOf(r, pool)) }
	c := question{
		http: !once(r, 5), method: oneOf(r, methods), path: oneOf(r, authzPaths), authority: oneOf(r, authzHosts) + oneOf(r, []string{"", "", ":80", ":8080"}),
		headers: map[string][]string{}, direct: ip(authzIPs), at: ip(authzIPs), port: authzPort,
	}
	if once(r, 4) {
		c.authority = oneOf(r, oddHosts)
	}
	if once(r, 4) {
		c.path = oneOf(r, oddPaths)
	}
	if once(r, 4) {
		c.path += oneOf(r, []string{"?", "?q=/a", "?/../a"})
	}
	for range r.IntN(4) {
		name := strings.ToLower(oneOf(r, headerKeys))
		c.headers[name] = append(c.headers[name], oneOf(r, append(headerText, "")))
	}
	if caller := oneOf(r, callers); caller != "" {
		c.identity, c.sni = "spiffe://"+caller, oneOf(r, serverHost)
	}
	c.remote = c.direct
	if c.http && once(r, 2) {
		c.remote = ip(farIPs)
	}
	return c
}
