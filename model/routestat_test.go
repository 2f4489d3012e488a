package model

import "testing"

// Whatever a route is named, what a proxy counts of it is found again.
func FuzzRouteStat(f *testing.F) {
	for _, name := range []string{"/reviews", "a.end.ok.cluster.b", "shop/x/rule 1: [a]%", OtherRoutes, "\xff\n"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		stat := "weft.rq.route." + EscapeRoute(name) + ".end.bad.cluster.a.cluster.example:80/v1"
		if cluster, route, end, ok := ParseRouteStat(stat); !ok || cluster != "a.cluster.example:80/v1" || route != name || end != RouteEndBad {
			t.Errorf("%q: %q, %q, %q, %v", stat, cluster, route, end, ok)
		}
	})
}
