package explain

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"weft.dev/compile"
	"weft.dev/model"
)

// message is a request as a filter or a route sees it.
type message struct {
	headers  map[string]string // lower case; with pseudo headers
	path     string            // normalised, without query
	query    string            // with its question mark
	port     string            // that the URL names; "": none
	caller   string            // verified identity; "": none
	sourceIP string            // "": unknown
	previews previews
	claims   map[string]any // of its token, once a proxy has verified it; nil: it has none
}

// virtualHost chooses as Envoy does: the exact domain, the longest *.suffix,
// the longest prefix.*, the rest.
func virtualHost(config *routev3.RouteConfiguration, authority string) (host *routev3.VirtualHost, domain string) {
	authority = strings.ToLower(authority)
	if config.IgnorePortInHostMatching {
		authority = withoutPort(authority)
	}
	best := -1
	for _, h := range config.VirtualHosts {
		for _, d := range h.Domains {
			if rank := domainRank(d, authority); rank > best {
				best, host, domain = rank, h, d
			}
		}
	}
	return host, domain
}

// discovered chooses of the virtual hosts that come one by one. Their resources
// tell the domains, so that one of a thousand is decoded.
func discovered(view *model.View, config *routev3.RouteConfiguration, authority string) (host *routev3.VirtualHost, domain string, err error) {
	authority = strings.ToLower(authority)
	if config.IgnorePortInHostMatching {
		authority = withoutPort(authority)
	}
	var chosen *model.Resource
	best := -1
	for r := range view.All(model.TypeVirtualHost) {
		for _, alias := range r.Aliases {
			d, ours := strings.CutPrefix(alias, config.Name+"/")
			if rank := domainRank(d, authority); ours && rank > best {
				best, chosen, domain = rank, r, d
			}
		}
	}
	if chosen == nil {
		return nil, "", nil
	}
	host, err = decoded[routev3.VirtualHost](chosen)
	return host, domain, err
}

func withoutPort(authority string) string {
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		return authority[:i]
	}
	return authority
}

// withoutDot is what a gateway makes of a.test. and a.test.:80 before all else.
func withoutDot(authority string) string {
	host := withoutPort(authority)
	return strings.TrimSuffix(host, ".") + authority[len(host):]
}

// domainRank orders what matches; -1 does not.
func domainRank(domain, authority string) int {
	const exact, suffix, prefix = 3 << 16, 2 << 16, 1 << 16
	d := strings.ToLower(domain)
	switch {
	case d == authority:
		return exact
	case d == "*":
		return 0
	case strings.HasPrefix(d, "*") && strings.HasSuffix(authority, d[1:]) && len(authority) >= len(d):
		return suffix + len(d)
	case strings.HasSuffix(d, "*") && strings.HasPrefix(authority, d[:len(d)-1]) && len(authority) >= len(d):
		return prefix + len(d)
	}
	return -1
}

// parameter is the first one of that name in a query, as Envoy reads it: nothing
// is decoded.
func parameter(query, name string) (value string, ok bool) {
	for pair := range strings.SplitSeq(strings.TrimPrefix(query, "?"), "&") {
		if n, value, _ := strings.Cut(pair, "="); n == name {
			return value, true
		}
	}
	return "", false
}

// readParameter is the first one of that name as those read a query who decode it.
func readParameter(query, name string) (value string, ok bool) {
	for pair := range strings.SplitSeq(strings.TrimPrefix(query, "?"), "&") {
		if n, value, _ := strings.Cut(pair, "="); decodedEscapes(n) == name {
			return decodedEscapes(value), true
		}
	}
	return "", false
}

func decodedEscapes(text string) string {
	if decoded, err := url.PathUnescape(text); err == nil {
		return decoded
	}
	return text
}

func pathMatches(m *routev3.RouteMatch, path string) bool {
	fold := func(s string) string {
		if m.CaseSensitive != nil && !m.CaseSensitive.Value {
			return strings.ToLower(s)
		}
		return s
	}
	switch p := m.PathSpecifier.(type) {
	case *routev3.RouteMatch_Path:
		return fold(path) == fold(p.Path)
	case *routev3.RouteMatch_Prefix:
		return strings.HasPrefix(fold(path), fold(p.Prefix))
	case *routev3.RouteMatch_PathSeparatedPrefix:
		rest, ok := strings.CutPrefix(fold(path), fold(p.PathSeparatedPrefix))
		return ok && (rest == "" || rest[0] == '/')
	case *routev3.RouteMatch_SafeRegex:
		return fullMatch(p.SafeRegex.Regex, path)
	}
	return false
}

func headerMatches(m *routev3.HeaderMatcher, headers map[string]string) bool {
	value, there := headers[strings.ToLower(m.Name)]
	if _, present := m.HeaderMatchSpecifier.(*routev3.HeaderMatcher_PresentMatch); present {
		return there == m.GetPresentMatch() != m.InvertMatch
	}
	if !there && !m.TreatMissingHeaderAsEmpty {
		return false
	}
	return stringMatches(m.GetStringMatch(), value) != m.InvertMatch
}

func stringMatches(m *matcherv3.StringMatcher, s string) bool {
	fold := func(s string) string {
		if m.GetIgnoreCase() {
			return strings.ToLower(s)
		}
		return s
	}
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return fold(s) == fold(p.Exact)
	case *matcherv3.StringMatcher_Prefix:
		return strings.HasPrefix(fold(s), fold(p.Prefix))
	case *matcherv3.StringMatcher_Suffix:
		return strings.HasSuffix(fold(s), fold(p.Suffix))
	case *matcherv3.StringMatcher_Contains:
		return strings.Contains(fold(s), fold(p.Contains))
	case *matcherv3.StringMatcher_SafeRegex:
		return fullMatch(p.SafeRegex.Regex, s)
	}
	return false
}

// fullMatch is what Envoy does with a pattern. One that does not compile is in
// no view: compile leaves it out.
func fullMatch(pattern, s string) bool {
	re, err := regexp.Compile(`^(?:` + compile.Bytes(pattern) + `)$`)
	return err == nil && re.MatchString(compile.Bytes(s))
}

func inRange(c *corev3.CidrRange, ip string) bool {
	base, err := netip.ParseAddr(c.AddressPrefix)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(ip)
	return err == nil && netip.PrefixFrom(base, int(c.PrefixLen.GetValue())).Contains(addr)
}
