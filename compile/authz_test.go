package compile

import (
	"flag"
	"math/rand/v2"
	"testing"

	rbaccfgv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"

	"weft.dev/model"
)

var (
	pairs     = flag.Int("pairs", 20_000, "how many random pairs of policies and calls are compared")
	pairsSeed = flag.Uint64("pairs-seed", 1, "of those pairs")
)

const callsEach = 10 // of a set of policies

// What is compiled decides of every call as the documentation of its policies
// does, in force and on trial.
func TestPoliciesMeanWhatTheySay(t *testing.T) {
	r := rand.New(rand.NewPCG(*pairsSeed, 0))
	outcomes := map[[3]bool]int{}
	for range *pairs / callsEach {
		all := randomPolicies(r)
		tables := map[bool]guardTables{true: tablesOf(all, true), false: tablesOf(all, false)}
		for range callsEach {
			c := randomCall(r)
			is := tables[c.http]
			got := [3]bool{c.envoysAnswer(is.deny, is.allow), c.passes(is.denyTrial), c.passes(is.allowTrial)}
			want := [3]bool{c.allowed(all), !c.denied(all, true), c.permitted(all, true)}
			if got != want {
				t.Fatalf("allowed, passes DENY on trial, passes ALLOW on trial: %v, want %v\ncall %+v\npolicies %s\ncompiled %+v", got, want, c, encodeJSON(t, all), is)
			}
			outcomes[got]++
		}
	}
	t.Logf("%d pairs; allowed, passes DENY on trial, passes ALLOW on trial: %v", *pairs, outcomes)
	for _, outcome := range [][3]bool{{true, true, true}, {false, true, true}, {true, false, true}, {true, true, false}} {
		if outcomes[outcome] < *pairs/100 {
			t.Errorf("only %d of %d pairs have the outcome %v: the test says little", outcomes[outcome], *pairs, outcome)
		}
	}
}

// guardTables are the tables of one port.
type guardTables struct{ deny, allow, denyTrial, allowTrial *rbaccfgv3.RBAC }

func tablesOf(all []model.Authorization, http bool) (is guardTables) {
	at := attributes{port: authzPort, http: http}
	is.deny, is.denyTrial = rbac(all, model.Deny, at)
	is.allow, is.allowTrial = rbac(all, model.Allow, at)
	return is
}
