package model

import (
	"net/url"
	"strings"
)

// What a proxy counts by route is named PREFIX.NAME.route.ROUTE.end.END.cluster.CLUSTER. Tags are not escaped
// by Envoy, so ROUTE is by EscapeRoute; CLUSTER stands as it is, and last.
const (
	RouteStatPrefix  = "weft"
	RouteStatName    = "rq"
	RouteStatRoute   = "route"
	RouteStatEnd     = "end"
	RouteStatCluster = "cluster"

	RouteEndOK  = "ok"
	RouteEndBad = "bad"

	// OtherRoutes are those beyond the number that is told apart.
	OtherRoutes = "(others)"
)

// EscapeRoute makes a route's name a tag without a dot or colon.
func EscapeRoute(name string) string {
	return strings.ReplaceAll(url.QueryEscape(name), ".", "%2E")
}

// ParseRouteStat takes the name of a route's counter apart.
func ParseRouteStat(stat string) (cluster, route, end string, ok bool) {
	rest, ok := strings.CutPrefix(stat, RouteStatPrefix+"."+RouteStatName+"."+RouteStatRoute+".")
	if !ok {
		return "", "", "", false
	}
	escaped, rest, _ := strings.Cut(rest, "."+RouteStatEnd+".")
	end, cluster, ok = strings.Cut(rest, "."+RouteStatCluster+".")
	route, err := url.QueryUnescape(escaped)
	return cluster, route, end, ok && err == nil && (end == RouteEndOK || end == RouteEndBad)
}
