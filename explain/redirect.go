package explain

import (
	"cmp"
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

func redirectStatus(r *routev3.RedirectAction) uint32 {
	switch r.ResponseCode {
	case routev3.RedirectAction_FOUND:
		return 302
	case routev3.RedirectAction_SEE_OTHER:
		return 303
	case routev3.RedirectAction_TEMPORARY_REDIRECT:
		return 307
	case routev3.RedirectAction_PERMANENT_REDIRECT:
		return 308
	}
	return 301
}

// redirectText says where any request is sent.
func redirectText(r *routev3.RedirectAction) string {
	to := cmp.Or(r.GetSchemeRedirect(), "(same scheme)") + "://" + cmp.Or(r.HostRedirect, "(same host)")
	if r.PortRedirect != 0 {
		to += fmt.Sprintf(":%d", r.PortRedirect)
	}
	return "redirect to " + to + cmp.Or(r.GetPathRedirect(), r.GetPrefixRewrite(), r.GetRegexRewrite().GetSubstitution(), "(same path)")
}

// location is where one request is sent.
func location(r *routev3.Route, m message) string {
	to := r.GetRedirect()
	scheme := cmp.Or(to.GetSchemeRedirect(), m.headers[":scheme"])
	if to.GetHttpsRedirect() {
		scheme = "https"
	}
	host := to.HostRedirect
	if host == "" {
		host = sameHost(m, scheme, to.PortRedirect != 0)
	}
	if to.PortRedirect != 0 {
		host += fmt.Sprintf(":%d", to.PortRedirect)
	}
	path, query := to.GetPathRedirect(), m.query
	switch {
	case path == "":
		path = replaced(r.Match, to.GetPrefixRewrite(), to.GetRegexRewrite(), m.path)
	case strings.Contains(path, "?"):
		query = ""
	}
	if to.StripQuery {
		query = ""
	}
	return scheme + "://" + host + path + query
}

// sameHost is the authority of a request in what it is redirected to: a port that only the old scheme means is left out.
func sameHost(m message, scheme string, otherPort bool) string {
	authority, was := m.headers[":authority"], m.headers["x-forwarded-proto"]
	host := withoutPort(authority)
	if otherPort || scheme != was && authority[len(host):] == ":"+defaultPorts[was] {
		return host
	}
	return authority
}
