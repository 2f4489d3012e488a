package compile

import (
	"strings"

	rbaccfgv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// maxSlashes of a principal: at each of them the issuer may end.
const maxSlashes = 20

// tokenPrincipal is "issuer/subject" of a token. Both may have slashes, so each place is tried
// where the one can end and the other begin.
func tokenPrincipal(v string) expression {
	prefix, suffix, text := strings.HasSuffix(v, "*"), strings.HasPrefix(v, "*"), strings.Trim(v, "*")
	var all []expression
	switch {
	case v == "*":
		return and(tokenText("*", "iss"), tokenText("*", "sub"))
	case prefix && suffix || strings.Count(text, "/") > maxSlashes || strings.Contains(text, "*"):
		return expression{unknown: true}
	case suffix: // of the subject
		all = append(all, and(tokenText("*", "iss"), tokenText("*"+text, "sub")))
	case prefix: // of the issuer
		all = append(all, and(tokenText(text+"*", "iss"), tokenText("*", "sub")))
	}
	for i, c := range text {
		if c != '/' {
			continue
		}
		issuer, subject := text[:i], text[i+1:]
		if suffix {
			issuer = "*" + issuer
		} else if prefix {
			subject += "*"
		}
		all = append(all, and(tokenText(issuer, "iss"), tokenText(subject, "sub")))
	}
	return or(all...)
}

// claimPath is where a condition finds its values in a token; nil: it names no place.
func claimPath(key string) (path []string) {
	switch key {
	case "request.auth.audiences":
		return []string{"aud"}
	case "request.auth.presenter":
		return []string{"azp"}
	}
	rest := strings.TrimPrefix(key, "request.auth.claims")
	for rest != "" {
		name, more, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]")
		if !ok || name == "" || !strings.HasPrefix(rest, "[") || strings.Contains(name, "[") {
			return nil
		}
		path, rest = append(path, name), more
	}
	return path
}

// claim holds if that of the request's token has a value, or is a list that has it.
func claim(v string, path ...string) expression {
	value := claimText(v)
	list := &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_ListMatch{ListMatch: &matcherv3.ListMatcher{
		MatchPattern: &matcherv3.ListMatcher_OneOf{OneOf: value},
	}}}
	return inToken(&matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_OrMatch{
		OrMatch: &matcherv3.OrMatcher{ValueMatchers: []*matcherv3.ValueMatcher{value, list}},
	}}, path...)
}

// tokenText holds of a claim that is a text.
func tokenText(v, name string) expression { return inToken(claimText(v), name) }

func claimText(v string) *matcherv3.ValueMatcher {
	text := valueMatcher(v, false)
	if v == "*" {
		text = regexMatcher(".+") // in whatever script
	}
	return &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{StringMatch: text}}
}

func inToken(value *matcherv3.ValueMatcher, path ...string) expression {
	m := &matcherv3.MetadataMatcher{Filter: TokenMetadata, Value: value}
	for _, key := range append([]string{TokenPayload}, path...) {
		m.Path = append(m.Path, &matcherv3.MetadataMatcher_PathSegment{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: key}})
	}
	return onCaller(&rbaccfgv3.Principal{Identifier: &rbaccfgv3.Principal_SourcedMetadata{SourcedMetadata: &rbaccfgv3.SourcedMetadata{MetadataMatcher: m}}})
}
