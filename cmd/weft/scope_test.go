package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/scope"
)

// What people read of a workload's scope.
func TestScopeTable(t *testing.T) {
	since, last := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 3, 4, 5, 6, 0, time.UTC)
	for name, c := range map[string]struct {
		answer scope.Answer
		want   string
	}{
		"learned": {scope.Answer{Workload: "shop/web-1", Services: []scope.Service{
			{Host: "a", Exists: true, Why: []scope.Reason{{Cause: scope.ByCalls, Since: &since, Last: &last}, {Cause: scope.ByAsking, By: "shop/web-2 asks for a:80"}}},
			{Host: "b", Why: []scope.Reason{{Cause: scope.ByDeclaration, By: "Application shop/web spec.dependencies[0] (app.yaml:7)"}}},
			{Host: "c", Exists: true, Why: []scope.Reason{{Cause: scope.ByRoute, By: "VirtualService shop/a spec.http[0] (a.yaml:3)"}}},
		}, Unknown: []scope.Unknown{{Authority: "nobody:80"}}}, `SERVICE    WHY
a          observed since 2026-01-02, last 2026-01-03 04:05Z; on demand: shop/web-2 asks for a:80
b          declared by Application shop/web spec.dependencies[0] (app.yaml:7); there is no such service yet
c          needed by a route: VirtualService shop/a spec.http[0] (a.yaml:3)
nobody:80  unknown: asked for, and there is no such service
`},
		"everything": {scope.Answer{Workload: "shop/web-1", All: true, Bound: "Sidecar shop/x (s.yaml:1)"}, `SERVICE  WHY
*        everything: Sidecar shop/x (s.yaml:1)
`},
		"restricted": {scope.Answer{Workload: "shop/web-1", Bound: "Sidecar shop/x (s.yaml:1)", Unknown: []scope.Unknown{{Authority: "a", Host: "a.shop"}}}, `SERVICE  WHY
a        unknown: asked for; it is a.shop, which is left out by Sidecar shop/x (s.yaml:1)
`},
		"nothing yet": {scope.Answer{Workload: "shop/web-1"}, "shop/web-1 knows no service yet: the first call to one makes it known\n"},
		"a gateway":   {scope.Answer{Workload: "shop/edge", Gateway: true}, "shop/edge is a gateway: it knows what its routes need\n"},
	} {
		var out bytes.Buffer
		command := &cobra.Command{}
		command.SetOut(&out)
		command.SetErr(&out)
		if err := scopeTable(c.answer).print(command, "table"); err != nil || out.String() != c.want {
			t.Errorf("%s: got\n%s, %v, want\n%s", name, out.String(), err, c.want)
		}
	}
}
