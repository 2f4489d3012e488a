package compile

import (
	"cmp"
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"weft.dev/model"
)

// maxDirectBody is the size of the largest body that a proxy answers by itself.
const maxDirectBody = 64 << 10

func direct(status uint32, body string) *routev3.Route_DirectResponse {
	if status < 200 || status > 599 {
		status = 500
	}
	return &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
		Status: status, Body: inline(body[:min(len(body), maxDirectBody)]),
	}}
}

// rewrite sets what the backend sees of host and path. The path forms exclude
// each other in Envoy; the later call wins.
func rewrite(action *routev3.RouteAction, r *model.Rewrite, m model.Match) {
	if r == nil {
		return
	}
	if r.Host != "" {
		action.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: r.Host}
	}
	prefix, regex := "", (*matcherv3.RegexMatchAndSubstitute)(nil)
	switch {
	case r.Path != "":
		regex = substitute(`^/.*$`, literal(r.Path))
	case r.PrefixPath != nil:
		prefix, regex = prefixRewrite(*r.PrefixPath, m.Path)
	case r.Regex != "" && checkRegex(r.Regex) == nil:
		regex = substitute(r.Regex, r.RegexSubst)
	default:
		return
	}
	action.PrefixRewrite, action.RegexRewrite = prefix, regex
}

// prefixRewrite replaces the matched prefix. Removing one that ends within the
// path must not leave two slashes: /shop/cart without /shop is /cart.
func prefixRewrite(with string, m model.StringMatch) (string, *matcherv3.RegexMatchAndSubstitute) {
	with = cmp.Or(with, "/")
	matched := strings.TrimRight(m.PathPrefix, "/")
	if matched == "" {
		return with, nil
	}
	if strings.TrimRight(with, "/") == "" {
		return "", substitute(`^`+regexp.QuoteMeta(matched)+`/*`, "/")
	}
	return strings.TrimRight(with, "/"), nil
}

func substitute(pattern, with string) *matcherv3.RegexMatchAndSubstitute {
	return &matcherv3.RegexMatchAndSubstitute{Pattern: &matcherv3.RegexMatcher{Regex: pattern}, Substitution: with}
}

// literal escapes what a substitution would take for a group.
func literal(s string) string { return strings.ReplaceAll(s, `\`, `\\`) }

var redirectCodes = map[uint32]routev3.RedirectAction_RedirectResponseCode{
	301: routev3.RedirectAction_MOVED_PERMANENTLY,
	302: routev3.RedirectAction_FOUND,
	303: routev3.RedirectAction_SEE_OTHER,
	307: routev3.RedirectAction_TEMPORARY_REDIRECT,
	308: routev3.RedirectAction_PERMANENT_REDIRECT,
}

func redirect(r model.Redirect, m model.Match) *routev3.RedirectAction {
	out := &routev3.RedirectAction{HostRedirect: r.Host, PortRedirect: r.Port, ResponseCode: redirectCodes[r.Code]}
	if r.Scheme != "" {
		out.SchemeRewriteSpecifier = &routev3.RedirectAction_SchemeRedirect{SchemeRedirect: r.Scheme}
	}
	switch {
	case r.Path != "":
		out.PathRewriteSpecifier = &routev3.RedirectAction_PathRedirect{PathRedirect: r.Path}
	case r.PrefixPath != nil:
		prefix, regex := prefixRewrite(*r.PrefixPath, m.Path)
		if regex != nil {
			out.PathRewriteSpecifier = &routev3.RedirectAction_RegexRewrite{RegexRewrite: regex}
		} else {
			out.PathRewriteSpecifier = &routev3.RedirectAction_PrefixRewrite{PrefixRewrite: prefix}
		}
	}
	return out
}
