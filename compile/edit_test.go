package compile

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weft.dev/flow"
	"weft.dev/model"
)

var (
	edits    = flag.Int("edits", 1000, "commits of the edit script; make nightly runs 100000")
	editSeed = flag.Uint64("edit-seed", 1, "of the edit script")
)

// Few commits apart, so that a difference is found near the commit that made it.
const editsBetweenChecks = 50

// A long life of small edits ends in what a new graph makes of the same rows.
func TestLongEditScript(t *testing.T) {
	random := rand.New(rand.NewPCG(*editSeed, 0))
	example := rapid.Custom(randomRows)
	m, now := newMesh(), rows{}
	for n := range *edits {
		edit(random, &now, example.Example(random.IntN(1<<20)))
		m.set(now)
		if n%editsBetweenChecks == 0 || n == *edits-1 {
			fresh := newMesh()
			fresh.set(now)
			if difference := m.differs(fresh); difference != "" {
				t.Fatalf("-edit-seed %d, commit %d: %s", *editSeed, n, difference)
			}
		}
	}
}

// differs says what one mesh has and the other has not; "": nothing.
func (m *mesh) differs(o *mesh) string {
	switch {
	case !slices.EqualFunc(m.Outlines.All(), o.Outlines.All(), (*model.Outline).Equal):
		return "outlines differ"
	case !slices.EqualFunc(m.Layers.All(), o.Layers.All(), (*model.Layer).Equal):
		return "layers differ"
	case !slices.EqualFunc(m.ScopeOf.All(), o.ScopeOf.All(), model.Assignment.Equal):
		return "scopes differ"
	case !slices.Equal(m.Problems.All(), o.Problems.All()):
		return "problems differ"
	case m.g.Stats().Faults != 0:
		return "there are faults"
	}
	return ""
}

// edit takes over some of the rows of one kind.
func edit(random *rand.Rand, now *rows, from rows) {
	switch random.IntN(10) {
	case 0:
		now.Services = edited(random, now.Services, from.Services)
	case 1, 2:
		now.Workloads = edited(random, now.Workloads, from.Workloads)
	case 3, 4:
		now.RouteTables = edited(random, now.RouteTables, from.RouteTables)
	case 5:
		now.Policies = edited(random, now.Policies, from.Policies)
		now.Certificates = edited(random, now.Certificates, from.Certificates)
	case 6:
		now.Splits = edited(random, now.Splits, from.Splits)
	case 7:
		now.Concurrencies = edited(random, now.Concurrencies, from.Concurrencies)
		now.Inbounds = edited(random, now.Inbounds, from.Inbounds)
		now.RateLimits = edited(random, now.RateLimits, from.RateLimits)
	case 8:
		now.Gateways = edited(random, now.Gateways, from.Gateways)
		now.Authorizations = edited(random, now.Authorizations, from.Authorizations)
		now.RequestAuths = edited(random, now.RequestAuths, from.RequestAuths)
		now.Plugins = edited(random, now.Plugins, from.Plugins)
		now.EnvoyFilters = edited(random, now.EnvoyFilters, from.EnvoyFilters)
		now.Modules = edited(random, now.Modules, from.Modules)
		now.Telemetries = edited(random, now.Telemetries, from.Telemetries)
		now.Authorizers = edited(random, now.Authorizers, from.Authorizers)
		now.KeySets = edited(random, now.KeySets, from.KeySets)
	case 9:
		now.Known = edited(random, now.Known, from.Known)
	}
}

// edited is now with one row of from in it, or without one of its own, or from.
func edited[V flow.Row[V]](random *rand.Rand, now, from []V) []V {
	now = slices.Clone(now)
	switch {
	case random.IntN(4) == 0:
		return from
	case len(now) > 0 && random.IntN(3) == 0:
		i := random.IntN(len(now))
		return slices.Delete(now, i, i+1)
	case len(from) == 0:
		return now
	}
	row := from[random.IntN(len(from))]
	now = slices.DeleteFunc(now, func(v V) bool { return v.Key() == row.Key() })
	return append(now, row)
}
