package compile

import (
	"fmt"
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"weft.dev/model"
)

// match is the Envoy form of one match. The error says what no proxy would accept.
func match(m model.Match) (*routev3.RouteMatch, error) {
	out := &routev3.RouteMatch{}
	path, rest := pathWithin(m)
	if err := matchPath(out, path, m.IgnoreCase); err != nil {
		return nil, err
	}
	pseudo := []model.HeaderMatch{
		{Name: ":method", Value: m.Method}, {Name: ":scheme", Value: m.Scheme}, {Name: ":authority", Value: m.Authority},
		{Name: ":path", Value: rest}, {Name: ":method", Value: model.StringMatch{Regex: strings.Join(m.Within.Methods, "|")}},
	}
	for _, h := range pseudo {
		if h.Value.IsZero() {
			continue
		}
		if err := matchHeader(out, h); err != nil {
			return nil, err
		}
	}
	for _, h := range m.Headers {
		if err := matchHeader(out, h); err != nil {
			return nil, err
		}
	}
	for _, q := range m.Query {
		if err := matchQuery(out, q); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// pathWithin is the path of a match that is narrowed, and what else the whole of it, with its query, must be.
func pathWithin(m model.Match) (path, rest model.StringMatch) {
	within := m.Within.Path
	switch {
	case within.IsZero():
		return m.Path, rest
	case m.Path.IsZero() && !m.IgnoreCase:
		return within, rest
	case within.Exact != "":
		return m.Path, model.StringMatch{Regex: regexp.QuoteMeta(within.Exact) + `(\?.*)?`}
	}
	prefix := strings.TrimRight(within.PathPrefix, "/")
	if prefix == "" {
		return m.Path, rest
	}
	return m.Path, model.StringMatch{Regex: regexp.QuoteMeta(prefix) + `([/?].*)?`}
}

func matchPath(out *routev3.RouteMatch, m model.StringMatch, ignoreCase bool) error {
	if ignoreCase {
		out.CaseSensitive = wrapperspb.Bool(false)
	}
	switch {
	case m.Exact != "":
		out.PathSpecifier = &routev3.RouteMatch_Path{Path: m.Exact}
	case m.Regex != "":
		if err := checkRegex(m.Regex); err != nil {
			return fmt.Errorf("path: %w", err)
		}
		out.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: m.Regex}}
	case strings.TrimRight(m.PathPrefix, "/") != "":
		out.PathSpecifier = &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: strings.TrimRight(m.PathPrefix, "/")}
	case m.Prefix != "":
		out.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: m.Prefix}
	default:
		out.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: "/"}
	}
	return nil
}

func matchHeader(out *routev3.RouteMatch, h model.HeaderMatch) error {
	matcher, err := headerMatcher(h)
	if err != nil {
		return fmt.Errorf("header %s: %w", h.Name, err)
	}
	out.Headers = append(out.Headers, matcher)
	return nil
}

func headerMatcher(h model.HeaderMatch) (*routev3.HeaderMatcher, error) {
	if !validHeaderName(strings.TrimPrefix(h.Name, ":")) {
		return nil, fmt.Errorf("not a header name")
	}
	out := &routev3.HeaderMatcher{Name: strings.ToLower(h.Name), InvertMatch: h.Invert}
	if h.Value.IsZero() || h.Value.Present {
		out.HeaderMatchSpecifier = &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}
		return out, nil
	}
	value, err := stringMatcher(h.Value)
	if err != nil {
		return nil, err
	}
	out.HeaderMatchSpecifier = &routev3.HeaderMatcher_StringMatch{StringMatch: value}
	out.TreatMissingHeaderAsEmpty = h.Invert // "not this value" holds without the header
	return out, nil
}

func matchQuery(out *routev3.RouteMatch, q model.HeaderMatch) error {
	if q.Invert {
		return fmt.Errorf("query parameter %s: Envoy cannot match what a parameter is not; match a header instead", q.Name)
	}
	if q.Name == "" {
		return fmt.Errorf("query parameter without a name")
	}
	matcher := &routev3.QueryParameterMatcher{Name: q.Name}
	if q.Value.IsZero() || q.Value.Present {
		matcher.QueryParameterMatchSpecifier = &routev3.QueryParameterMatcher_PresentMatch{PresentMatch: true}
	} else {
		value, err := stringMatcher(q.Value)
		if err != nil {
			return fmt.Errorf("query parameter %s: %w", q.Name, err)
		}
		matcher.QueryParameterMatchSpecifier = &routev3.QueryParameterMatcher_StringMatch{StringMatch: value}
	}
	out.QueryParameters = append(out.QueryParameters, matcher)
	return nil
}

// stringMatcher is the Envoy form of a match that is not zero.
func stringMatcher(m model.StringMatch) (*matcherv3.StringMatcher, error) {
	switch {
	case m.Exact != "":
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: m.Exact}}, nil
	case m.Prefix != "" || m.PathPrefix != "":
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: m.Prefix + m.PathPrefix}}, nil
	}
	pattern := m.Regex
	if pattern == "" {
		pattern = ".*"
	}
	if err := checkRegex(pattern); err != nil {
		return nil, err
	}
	return regexMatcher(pattern), nil
}

func regexMatcher(pattern string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{
		SafeRegex: &matcherv3.RegexMatcher{Regex: pattern},
	}}
}
