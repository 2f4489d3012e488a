package host

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"weft.dev/model"
)

// The guard: of one application, more than appShare and at least appCount, or
// of the whole mesh, more than meshShare and at least meshCount, that are silent
// at the same time are not believed to be dead.
const (
	appShare, appCount   = 0.15, 2
	meshShare, meshCount = 0.5, 3

	// leaseTime of silence ends a lease. Whoever was silent for suspectTime by
	// then fell silent at the same time: agents speak once an interval, so that
	// the first of a mass to end is decided when all of it is suspect.
	leaseTime   = model.LeaseInterval * model.LeaseIntervals
	suspectTime = leaseTime - model.LeaseInterval
)

// id is a workload's namespace/name, group the application that it belongs to.
type id struct{ namespace, name string }

func (i id) String() string { return i.namespace + "/" + i.name }

func (i id) compare(o id) int {
	return cmp.Or(cmp.Compare(i.namespace, o.namespace), cmp.Compare(i.name, o.name))
}

type group struct{ namespace, account string }

func (g group) String() string { return g.namespace + "/" + g.account }

// leases decide which workloads are gone. They are a state machine without a
// clock: the same calls give the same answers.
type leases struct {
	held   map[id]*lease
	guards map[group]int // members that the group had when its guard tripped
	ticked time.Time
}

type lease struct {
	group group
	heard time.Time
	lost  bool
	freed time.Time // when the guard that keeps a lost one let go; it has a last lease from there
}

func newLeases(now time.Time) *leases {
	return &leases{held: map[id]*lease{}, guards: map[group]int{}, ticked: now}
}

// hear begins or renews a lease.
func (l *leases) hear(who id, of group, now time.Time) { l.held[who] = &lease{group: of, heard: now} }

// owner is the group that has the lease of a name.
func (l *leases) owner(who id) (group, bool) {
	if one, ok := l.held[who]; ok {
		return one.group, true
	}
	return group{}, false
}

// silent says whether a lease has ended. Its workload may have come back since the tick.
func (l *leases) silent(who id, now time.Time) bool {
	one, ok := l.held[who]
	return ok && now.Sub(one.heard) >= leaseTime
}

// end forgets a lease: its workload left, or was removed.
func (l *leases) end(who id) { delete(l.held, who) }

// verdict is what a tick decided.
type verdict struct {
	remove []id    // they are gone; until end is called, the next tick says so again
	lose   []id    // they are silent, and too many with them: kept as Lost
	guards []guard // that have just tripped
	over   []group // whose guard has just let go
}

// guard says why silent workloads are kept.
type guard struct {
	group       group // zero: the whole mesh
	silent, all int
}

func (g guard) String() string {
	where := "application " + g.group.String()
	if g.group == (group{}) {
		where = "the mesh"
	}
	return fmt.Sprintf("%d of the %d workloads of %s fell silent together: they stay endpoints, as Lost; "+
		"if they are really gone, delete their Workload objects", g.silent, g.all, where)
}

// tick decides which leases have ended. A tick that comes late by an interval
// means that it was us who did not listen: everybody gets a full lease again.
func (l *leases) tick(now time.Time) verdict {
	late := now.Sub(l.ticked) > model.LeaseInterval
	l.ticked = now
	if late {
		for _, one := range l.held {
			if !one.lost {
				one.heard = now
			}
		}
	}
	all, silent := l.count(now)
	var v verdict
	for who, one := range l.held {
		g := l.guarding(one.group, all, silent)
		switch {
		case now.Sub(one.heard) < leaseTime:
		case g != nil && one.lost:
			one.freed = time.Time{}
		case g == nil && one.lost && one.freed.IsZero():
			one.freed = now // the network is back, and this one may be the last to notice
		case g == nil && now.Sub(one.freed) < leaseTime:
		case g == nil:
			v.remove = append(v.remove, who)
		default:
			one.lost = true
			v.lose = append(v.lose, who)
			if _, known := l.guards[g.group]; !known {
				l.guards[g.group] = g.all
				v.guards = append(v.guards, *g)
			}
		}
	}
	v.over = l.release(silent)
	slices.SortFunc(v.remove, id.compare)
	slices.SortFunc(v.lose, id.compare)
	return v
}

// count counts the members of each group, and the silent ones; the zero group is the mesh.
func (l *leases) count(now time.Time) (all, silent map[group]int) {
	all, silent = map[group]int{}, map[group]int{}
	for _, one := range l.held {
		for _, g := range []group{one.group, {}} {
			all[g]++
			if now.Sub(one.heard) >= suspectTime {
				silent[g]++
			}
		}
	}
	return all, silent
}

// guarding says whether a guard keeps the silent ones of a group. A guard that
// has tripped lets go once as many live as there were before.
func (l *leases) guarding(of group, all, silent map[group]int) *guard {
	for _, g := range []group{of, {}} {
		share, count := appShare, appCount
		if g == (group{}) {
			share, count = meshShare, meshCount
		}
		if silent[g] < count || float64(silent[g]) <= share*float64(all[g]) {
			continue
		}
		if before, tripped := l.guards[g]; tripped && all[g]-silent[g] >= before {
			continue
		}
		return &guard{g, silent[g], all[g]}
	}
	return nil
}

// release forgets the guards of groups in which nobody is silent any more.
func (l *leases) release(silent map[group]int) (over []group) {
	for g := range l.guards {
		if silent[g] == 0 {
			delete(l.guards, g)
			over = append(over, g)
		}
	}
	return over
}
