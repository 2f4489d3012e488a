package compile

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbaccfgv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// envoysAnswer is what Envoy does with its tables: TestEnvoyDecidesAsItsEvaluator
// compares these few lines with a real one. Anything that they do not know is a
// fault, not a no.
func (c question) envoysAnswer(deny, allow *rbaccfgv3.RBAC) bool {
	return c.passes(deny) && c.passes(allow)
}

// passes says what one table decides; nil: there is no such filter.
func (c question) passes(table *rbaccfgv3.RBAC) bool {
	if table == nil {
		return true
	}
	for _, p := range table.Policies {
		if p.Condition != nil || p.CheckedCondition != nil {
			panic(fmt.Sprintf("a condition of CEL in %v", p))
		}
		if slices.ContainsFunc(p.Permissions, c.isPermission) && slices.ContainsFunc(p.Principals, c.isPrincipal) {
			return table.Action == rbaccfgv3.RBAC_ALLOW
		}
	}
	return table.Action == rbaccfgv3.RBAC_DENY
}

func (c question) isPermission(p *rbaccfgv3.Permission) bool {
	switch r := p.Rule.(type) {
	case *rbaccfgv3.Permission_Any:
		return true
	case *rbaccfgv3.Permission_AndRules:
		return !slices.ContainsFunc(r.AndRules.Rules, func(p *rbaccfgv3.Permission) bool { return !c.isPermission(p) })
	case *rbaccfgv3.Permission_OrRules:
		return slices.ContainsFunc(r.OrRules.Rules, c.isPermission)
	case *rbaccfgv3.Permission_NotRule:
		return !c.isPermission(r.NotRule)
	case *rbaccfgv3.Permission_Header:
		return c.hasHeader(r.Header)
	case *rbaccfgv3.Permission_UrlPath:
		path, _, _ := strings.Cut(c.path, "?")
		return c.http && matchesString(r.UrlPath.GetPath(), path)
	case *rbaccfgv3.Permission_DestinationIp:
		return isInRange(r.DestinationIp, c.at)
	case *rbaccfgv3.Permission_RequestedServerName:
		return matchesString(r.RequestedServerName, c.sni)
	}
	panic(fmt.Sprintf("permission %v", p))
}

func (c question) isPrincipal(p *rbaccfgv3.Principal) bool {
	switch id := p.Identifier.(type) {
	case *rbaccfgv3.Principal_Any:
		return true
	case *rbaccfgv3.Principal_AndIds:
		return !slices.ContainsFunc(id.AndIds.Ids, func(p *rbaccfgv3.Principal) bool { return !c.isPrincipal(p) })
	case *rbaccfgv3.Principal_OrIds:
		return slices.ContainsFunc(id.OrIds.Ids, c.isPrincipal)
	case *rbaccfgv3.Principal_NotId:
		return !c.isPrincipal(id.NotId)
	case *rbaccfgv3.Principal_Authenticated_:
		return c.identity != "" && (id.Authenticated.PrincipalName == nil || matchesString(id.Authenticated.PrincipalName, c.identity))
	case *rbaccfgv3.Principal_DirectRemoteIp:
		return isInRange(id.DirectRemoteIp, c.direct)
	case *rbaccfgv3.Principal_SourcedMetadata: // of a token, which no call here has
		return false
	case *rbaccfgv3.Principal_RemoteIp:
		return isInRange(id.RemoteIp, c.remote)
	}
	panic(fmt.Sprintf("principal %v", p))
}

// hasHeader compares each value of a header by itself; one is enough.
func (c question) hasHeader(m *routev3.HeaderMatcher) bool {
	if !c.http || m.InvertMatch || m.TreatMissingHeaderAsEmpty {
		panic(fmt.Sprintf("header matcher %v", m)) // a connection has no headers; Envoy refuses such a table there
	}
	values := c.headers[m.Name]
	switch m.Name {
	case ":method":
		values = []string{c.method}
	case ":authority", "host":
		values = []string{c.authority}
	}
	return slices.ContainsFunc(values, func(v string) bool { return matchesString(m.GetStringMatch(), v) })
}

func matchesString(m *matcherv3.StringMatcher, s string) bool {
	fold := func(s string) string {
		if m.IgnoreCase {
			return strings.ToLower(s)
		}
		return s
	}
	switch p := m.MatchPattern.(type) {
	case *matcherv3.StringMatcher_Exact:
		return fold(s) == fold(p.Exact)
	case *matcherv3.StringMatcher_Prefix:
		return strings.HasPrefix(fold(s), fold(p.Prefix))
	case *matcherv3.StringMatcher_Suffix:
		return strings.HasSuffix(fold(s), fold(p.Suffix))
	case *matcherv3.StringMatcher_Contains:
		return strings.Contains(fold(s), fold(p.Contains))
	case *matcherv3.StringMatcher_SafeRegex:
		return compiledRegex(Bytes(p.SafeRegex.Regex)).MatchString(Bytes(s)) // Envoy ignores IgnoreCase here
	}
	panic(fmt.Sprintf("matcher %v", m))
}

var regexesSeen = map[string]*regexp.Regexp{}

// compiledRegex must match the whole of a text.
func compiledRegex(pattern string) *regexp.Regexp {
	if regexesSeen[pattern] == nil {
		regexesSeen[pattern] = regexp.MustCompile(`^(?:` + pattern + `)$`)
	}
	return regexesSeen[pattern]
}

func isInRange(block *corev3.CidrRange, ip netip.Addr) bool {
	return netip.PrefixFrom(netip.MustParseAddr(block.AddressPrefix), int(block.PrefixLen.GetValue())).Contains(ip)
}
