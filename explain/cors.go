package explain

import (
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"weft.dev/compile"
)

// crossing is what a route says of a request that a page of some site makes.
type crossing struct {
	text    string // "": nothing
	answers bool   // the proxy answers it: it asks whether another request may be made
}

// crossingOf is nothing where the proxy answers by itself: Envoy's filter looks at what is forwarded alone.
// To it, a pattern that matches "*" allows everybody.
func crossingOf(r *routev3.Route, m message) crossing {
	policy := &corsv3.CorsPolicy{}
	origin := m.headers["origin"]
	if any, ok := r.TypedPerFilterConfig[compile.CORSFilter]; !ok || origin == "" || r.GetRoute() == nil || any.UnmarshalTo(policy) != nil {
		return crossing{}
	}
	asks := m.headers[":method"] == "OPTIONS" && m.headers["access-control-request-method"] != ""
	if slices.ContainsFunc(policy.AllowOriginStringMatch, func(s *matcherv3.StringMatcher) bool { return stringMatches(s, "*") || stringMatches(s, origin) }) {
		text := "pages of " + origin + " may read the answer"
		if slices.ContainsFunc(destinations(r, r.GetRoute(), 100), func(d destination) bool { return len(replacements(d.filters)) > 0 }) {
			text += ", but none of a fallback" // Envoy puts that past the filter
		}
		return crossing{text, asks}
	}
	return crossing{"pages of " + origin + " may not read the answer", asks && !policy.GetForwardNotMatchingPreflights().GetValue()}
}
