package compile

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbaccfgv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"weft.dev/model"
)

const (
	spiffeScheme = "spiffe://"
	// visibleRun is any run of what may stand in a path, slashlessRun one without
	// a slash. ASCII only, because Envoy limits the size of a regex.
	visibleRun   = `[!-~]*`
	slashlessRun = `[!-.0-~]+`
)

// listed holds if one of the values does, and none of the others; empty lists
// always hold. One value that no proxy could check makes all of it unknown.
func (u unknownHolds) listed(values, others []string, holds func(string) expression) expression {
	one, ok := anyOf(values, holds)
	none, fine := anyOf(others, holds)
	switch {
	case !ok || !fine:
		return always(bool(u))
	case len(values) == 0:
		one = always(true)
	}
	return and(one, not(none))
}

// anyOf holds if one value does; ok says whether each can be checked.
func anyOf(values []string, holds func(string) expression) (out expression, ok bool) {
	all := make([]expression, len(values))
	for i, v := range values {
		if all[i] = holds(v); all[i].unknown {
			return expression{}, false
		}
	}
	return or(all...), true
}

func (at attributes) source(s model.AuthzSource, u unknownHolds) expression {
	return and(
		u.listed(s.Principals, s.NotPrincipals, at.named(principal)),
		u.listed(s.Namespaces, s.NotNamespaces, at.named(callerNamespace)),
		u.listed(s.IPBlocks, s.NotIPBlocks, directIP),
		u.listed(s.RemoteBlocks, s.NotRemote, remoteIP),
		u.listed(s.TrustDomains, s.NotTrust, at.named(callerTrust)),
		u.listed(s.RequestPrincipals, s.NotReqPr, at.seen(tokenPrincipal)),
	)
}

func (at attributes) operation(op model.AuthzOperation, u unknownHolds) expression {
	return and(
		u.listed(op.Ports, op.NotPorts, at.isPort),
		u.unless(oddHost, op.Hosts, op.NotHosts, u.listed(op.Hosts, op.NotHosts, at.seen(host))),
		u.listed(op.Methods, op.NotMethods, at.seen(method)),
		u.unless(oddPath, op.Paths, op.NotPaths, u.listed(op.Paths, op.NotPaths, at.seen(path))),
	)
}

// Two readers of these read different hosts, or paths: the proxy passes them on as they are.
var (
	oddHost = not(headerMatches(":authority", regexMatcher(plainAuthority)))
	oddPath = or(pathMatches(regexMatcher(climbing)), not(pathMatches(regexMatcher(visibleRun))))
)

const (
	// plainAuthority is one of which every reader reads the same host, as none is of evil:80.shop.
	plainAuthority = `([^][@:]*|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?`
	// climbing has an element that is .. for who decodes once more, or leaves out what follows a semicolon.
	climbing = `(?i).*(/|\\|%(25)*(2f|5c))(\.|%(25)*2e){2}((;|/|\\|%(25)*(3b|2f|5c)).*)?`
)

// unless makes unknown what asks for some values of a call that says them in an odd way.
func (u unknownHolds) unless(odd expression, values, others []string, e expression) expression {
	switch {
	case e.constant || !slices.ContainsFunc(slices.Concat(values, others), func(v string) bool { return v != "*" }):
		return e
	case bool(u):
		return or(e, odd)
	}
	return and(e, not(odd))
}

// seen makes unknown what only HTTP shows.
func (at attributes) seen(holds func(string) expression) func(string) expression {
	if at.http {
		return holds
	}
	return func(string) expression { return expression{unknown: true} }
}

// condition is one of Istio's keys.
func (at attributes) condition(c model.AuthzCondition, u unknownHolds) expression {
	name, argument, _ := strings.Cut(strings.TrimSuffix(c.Key, "]"), "[")
	var holds func(string) expression
	switch name {
	case "source.principal":
		holds = at.named(principal)
	case "source.namespace":
		holds = at.named(callerNamespace)
	case "source.ip":
		holds = directIP
	case "remote.ip":
		holds = remoteIP
	case "destination.port":
		holds = at.isPort
	case "destination.ip":
		holds = destinationIP
	case "connection.sni":
		holds = serverName
	case "request.auth.principal":
		holds = at.seen(tokenPrincipal)
	case "request.auth.audiences", "request.auth.presenter", "request.auth.claims":
		if path := claimPath(c.Key); path != nil {
			holds = at.seen(func(v string) expression { return claim(v, path...) })
		}
	case "request.headers":
		if validHeaderName(argument) {
			holds = at.seen(func(v string) expression { return header(strings.ToLower(argument), v, false) })
		}
	}
	if holds == nil {
		return always(bool(u))
	}
	return u.listed(c.Values, c.NotValues, holds)
}

func (at attributes) isPort(v string) expression {
	return always(v == strconv.Itoa(int(at.port)))
}

// principal is an identity, written without its scheme. Every identity of the
// mesh has that scheme, so a suffix alone is enough.
func principal(v string) expression {
	v = strings.TrimPrefix(v, spiffeScheme)
	if !strings.HasPrefix(v, "*") {
		v = spiffeScheme + v
	}
	if v == "*" {
		return authenticated(prefixMatcher(spiffeScheme, false))
	}
	return authenticated(valueMatcher(v, false))
}

// callerTrust is the trust domain of the caller's identity.
func callerTrust(v string) expression {
	switch {
	case v == "*":
		return principal("*")
	case strings.HasPrefix(v, "*"):
		return regexPrincipal(`[!-.0-~]*` + regexp.QuoteMeta(v[1:]) + `/` + visibleRun)
	case strings.HasSuffix(v, "*"):
		return regexPrincipal(regexp.QuoteMeta(v[:len(v)-1]) + visibleRun)
	}
	return authenticated(prefixMatcher(spiffeScheme+v+"/", false))
}

func regexPrincipal(pattern string) expression {
	if pattern = spiffeScheme + pattern; checkRegex(pattern) != nil {
		return expression{unknown: true}
	}
	return authenticated(regexMatcher(pattern))
}

func callerNamespace(v string) expression {
	name := regexp.QuoteMeta(v)
	switch {
	case v == "*":
		name = slashlessRun
	case strings.HasPrefix(v, "*"):
		name = `[!-.0-~]*` + regexp.QuoteMeta(v[1:])
	case strings.HasSuffix(v, "*"):
		name = regexp.QuoteMeta(v[:len(v)-1]) + `[!-.0-~]*`
	}
	return regexPrincipal(slashlessRun + "/ns/" + name + "/sa/" + slashlessRun)
}

func authenticated(name *matcherv3.StringMatcher) expression {
	return onCaller(&rbaccfgv3.Principal{Identifier: &rbaccfgv3.Principal_Authenticated_{
		Authenticated: &rbaccfgv3.Principal_Authenticated{PrincipalName: name},
	}})
}

func directIP(v string) expression {
	return block(v, func(c *corev3.CidrRange) expression {
		return onCaller(&rbaccfgv3.Principal{Identifier: &rbaccfgv3.Principal_DirectRemoteIp{DirectRemoteIp: c}})
	})
}

func remoteIP(v string) expression {
	return block(v, func(c *corev3.CidrRange) expression {
		return onCaller(&rbaccfgv3.Principal{Identifier: &rbaccfgv3.Principal_RemoteIp{RemoteIp: c}})
	})
}

func destinationIP(v string) expression {
	return block(v, func(c *corev3.CidrRange) expression {
		return onRequest(&rbaccfgv3.Permission{Rule: &rbaccfgv3.Permission_DestinationIp{DestinationIp: c}})
	})
}

// block is an address or a range.
func block(v string, on func(*corev3.CidrRange) expression) expression {
	p, err := netip.ParsePrefix(v)
	if err != nil {
		ip, err := netip.ParseAddr(v)
		if err != nil {
			return expression{unknown: true}
		}
		p = netip.PrefixFrom(ip, ip.BitLen())
	}
	return on(&corev3.CidrRange{AddressPrefix: p.Masked().Addr().String(), PrefixLen: u32(uint32(p.Bits()))})
}

// host compares without case and whatever port the authority names.
func host(v string) expression {
	v = strings.ToLower(v)
	switch {
	case v == "*":
		return header(":authority", v, true)
	case strings.HasPrefix(v, "*"):
		return or(header(":authority", v, true), headerMatches(":authority", &matcherv3.StringMatcher{
			MatchPattern: &matcherv3.StringMatcher_Contains{Contains: v[1:] + ":"}, IgnoreCase: true,
		}))
	case strings.HasSuffix(v, "*"):
		return header(":authority", v, true)
	}
	return or(header(":authority", v, true), headerMatches(":authority", prefixMatcher(v+":", true)))
}

func method(v string) expression { return header(":method", v, false) }

func header(name, v string, ignoreCase bool) expression {
	return headerMatches(name, valueMatcher(v, ignoreCase))
}

func headerMatches(name string, m *matcherv3.StringMatcher) expression {
	return onRequest(&rbaccfgv3.Permission{Rule: &rbaccfgv3.Permission_Header{Header: &routev3.HeaderMatcher{
		Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: m},
	}}})
}

// path compares the normalised path without its query. {*} is one element of
// it, {**} any number of them. A pattern too large for a proxy is unknown.
func path(v string) expression {
	m := valueMatcher(v, false)
	if strings.Contains(v, "{*") {
		pattern := regexp.QuoteMeta(v)
		pattern = strings.ReplaceAll(pattern, `\{\*\*\}`, visibleRun)
		pattern = strings.ReplaceAll(pattern, `\{\*\}`, slashlessRun)
		if checkRegex(pattern) != nil {
			return expression{unknown: true}
		}
		m = regexMatcher(pattern)
	}
	return pathMatches(m)
}

func pathMatches(m *matcherv3.StringMatcher) expression {
	return onRequest(&rbaccfgv3.Permission{Rule: &rbaccfgv3.Permission_UrlPath{UrlPath: &matcherv3.PathMatcher{
		Rule: &matcherv3.PathMatcher_Path{Path: m},
	}}})
}

func serverName(v string) expression {
	return onRequest(&rbaccfgv3.Permission{Rule: &rbaccfgv3.Permission_RequestedServerName{RequestedServerName: valueMatcher(v, false)}})
}

// valueMatcher is one of the four forms: exact, "prefix*", "*suffix", "*".
func valueMatcher(v string, ignoreCase bool) *matcherv3.StringMatcher {
	switch {
	case v == "*":
		return regexMatcher(`.+`) // there, and not empty; of bytes, which need not be text
	case strings.HasPrefix(v, "*"):
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Suffix{Suffix: v[1:]}, IgnoreCase: ignoreCase}
	case strings.HasSuffix(v, "*"):
		return prefixMatcher(v[:len(v)-1], ignoreCase)
	}
	return exactMatcher(v, ignoreCase)
}

func exactMatcher(v string, ignoreCase bool) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: v}, IgnoreCase: ignoreCase}
}

func prefixMatcher(v string, ignoreCase bool) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: v}, IgnoreCase: ignoreCase}
}
