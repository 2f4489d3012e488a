package explain

import (
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"weft.dev/model"
)

// maxMisses is how many a trace tells: a host may have thousands of routes.
const maxMisses = 50

// Miss is a route of the host that does not get the request, and why.
type Miss struct {
	Part
	Why string `json:"why"`
}

// miss leaves out the ways to a version, which nobody wrote, where the request asks for none.
func (c *call) miss(r *routev3.Route, m message, why string) {
	if _, asks := m.headers[model.VersionHeader]; !asks && len(m.previews) == 0 && toVersion(r.Match) {
		return
	}
	if len(c.trace.Misses) == maxMisses {
		c.trace.MoreMisses++
		return
	}
	part := Part{Name: r.Name, Text: matchText(r.Match), From: metadataFrom(r.Metadata)}
	c.trace.Misses = append(c.trace.Misses, Miss{part, why})
}

func toVersion(m *routev3.RouteMatch) bool {
	return len(m.DynamicMetadata) > 0 || slices.ContainsFunc(m.Headers, func(h *routev3.HeaderMatcher) bool { return h.Name == model.VersionHeader })
}

// unmet is the first condition of a route that the request does not meet; "":
// it meets all. What depends on chance is left out.
func unmet(m *routev3.RouteMatch, r message) string {
	if !pathMatches(m, r.path) {
		return fmt.Sprintf("the path is %s, not %s", r.path, pathText(m))
	}
	for _, h := range m.Headers {
		if !headerMatches(h, r.headers) {
			return unmetHeader(h, r.headers)
		}
	}
	for _, d := range m.DynamicMetadata {
		if !r.previews.match(d) {
			return "it has no preview of that"
		}
	}
	for _, q := range m.QueryParameters {
		value, there := parameter(r.query, q.Name)
		switch {
		case !there:
			return "the query has no " + q.Name
		case q.GetStringMatch() != nil && !stringMatches(q.GetStringMatch(), value):
			return fmt.Sprintf("query %s is %q, not %s", q.Name, value, stringText(q.GetStringMatch()))
		}
	}
	return ""
}

func unmetHeader(h *routev3.HeaderMatcher, headers map[string]string) string {
	value, there := headers[strings.ToLower(h.Name)]
	name := "header " + h.Name
	if pseudo, ok := strings.CutPrefix(h.Name, ":"); ok {
		name = "the " + pseudo
	}
	switch wanted := stringText(h.GetStringMatch()); {
	case h.Name == model.VersionHeader:
		return fmt.Sprintf("%s asks for another version: %q", name, value)
	case !there && wanted == "":
		return "it has no " + name
	case !there:
		return fmt.Sprintf("it has no %s, wanted is %s", name, wanted)
	case wanted == "":
		return "it has a " + name
	case h.InvertMatch:
		return fmt.Sprintf("%s is %q: wanted is one that is not %s", name, value, wanted)
	default:
		return fmt.Sprintf("%s is %q, not %s", name, value, wanted)
	}
}

func stringText(m *matcherv3.StringMatcher) string {
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return fmt.Sprintf("%q", p.Exact)
	case *matcherv3.StringMatcher_Prefix:
		return fmt.Sprintf("%q and more", p.Prefix)
	case *matcherv3.StringMatcher_Suffix:
		return fmt.Sprintf("one that ends in %q", p.Suffix)
	case *matcherv3.StringMatcher_Contains:
		return fmt.Sprintf("one with %q in it", p.Contains)
	case *matcherv3.StringMatcher_SafeRegex:
		return "~ " + p.SafeRegex.Regex
	}
	return ""
}
