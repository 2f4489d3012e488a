package host

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weft.dev/model"
)

// member i of an application says something every interval, at its own moment.
type member struct {
	who   id
	group group
	phase time.Duration
}

func members(app string, n int) []member {
	var all []member
	for i := range n {
		all = append(all, member{
			id{"shop", app + "-" + strconv.Itoa(i)}, group{"shop", app},
			model.LeaseInterval * time.Duration(i) / time.Duration(n),
		})
	}
	return all
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// run plays seconds of a mesh: alive says who speaks at a second. It returns
// who was removed and who was kept as Lost, and the second of each.
func run(all []member, seconds int, alive func(who id, second int) bool) (removed, lost map[id]int, guards []string) {
	l := newLeases(epoch)
	removed, lost = map[id]int{}, map[id]int{}
	for _, m := range all {
		l.hear(m.who, m.group, epoch)
	}
	for second := range seconds {
		now := epoch.Add(time.Duration(second) * time.Second)
		for _, m := range all {
			due := (now.Sub(epoch)-m.phase.Truncate(time.Second))%model.LeaseInterval == 0
			if due && alive(m.who, second) {
				l.hear(m.who, m.group, now)
				delete(lost, m.who)
			}
		}
		v := l.tick(now)
		for _, who := range v.remove {
			removed[who] = second
			l.end(who)
		}
		for _, who := range v.lose {
			lost[who] = second
		}
		for _, g := range v.guards {
			guards = append(guards, g.String())
		}
	}
	return removed, lost, guards
}

func TestLeases(t *testing.T) {
	const stop = 20 // the second at which the dead fall silent
	for _, test := range []struct {
		name          string
		apps, dead    map[string]int
		removed, lost int
		guard         string
	}{
		{name: "1 of 1, others live", apps: map[string]int{"a": 1, "b": 3}, dead: map[string]int{"a": 1}, removed: 1},
		{name: "1 of 2, others live", apps: map[string]int{"a": 2, "b": 3}, dead: map[string]int{"a": 1}, removed: 1},
		{name: "1 of 6", apps: map[string]int{"a": 6}, dead: map[string]int{"a": 1}, removed: 1},
		{name: "1 of 10", apps: map[string]int{"a": 10}, dead: map[string]int{"a": 1}, removed: 1},
		{name: "2 of 6", apps: map[string]int{"a": 6}, dead: map[string]int{"a": 2}, lost: 2, guard: "2 of the 6 workloads of application shop/a"},
		{name: "2 of 2", apps: map[string]int{"a": 2, "b": 9}, dead: map[string]int{"a": 2}, lost: 2, guard: "application shop/a"},
		{name: "10% of 50", apps: map[string]int{"a": 50}, dead: map[string]int{"a": 5}, removed: 5},
		{name: "16% of 50", apps: map[string]int{"a": 50}, dead: map[string]int{"a": 8}, lost: 8, guard: "8 of the 50"},
		{name: "half of 50", apps: map[string]int{"a": 50}, dead: map[string]int{"a": 25}, lost: 25, guard: "25 of the 50"},
		{name: "all of 50", apps: map[string]int{"a": 50}, dead: map[string]int{"a": 50}, lost: 50, guard: "50 of the 50"},
		{name: "single instances, most of the mesh", apps: map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}, dead: map[string]int{"a": 1, "b": 1, "c": 1},
			lost: 3, guard: "3 of the 4 workloads of the mesh"},
		{name: "the whole mesh of one", apps: map[string]int{"a": 1}, dead: map[string]int{"a": 1}, removed: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var all []member
			for app, n := range test.apps {
				all = append(all, members(app, n)...)
			}
			removed, lost, guards := run(all, 60, func(who id, second int) bool {
				app, i, _ := strings.Cut(who.name, "-")
				n, err := strconv.Atoi(i)
				if err != nil {
					t.Fatal(err)
				}
				return second < stop || n >= test.dead[app]
			})
			if len(removed) != test.removed || len(lost) != test.lost {
				t.Errorf("removed %v, lost %v; want %d and %d", removed, lost, test.removed, test.lost)
			}
			if !strings.Contains(strings.Join(guards, "\n"), test.guard) || (test.guard == "") != (len(guards) == 0) {
				t.Errorf("guards %q, want %q", guards, test.guard)
			}
			for who, at := range removed {
				if limit := stop + int(leaseTime/time.Second); at > limit {
					t.Errorf("%s was removed in second %d, later than %d", who, at, limit)
				}
			}
		})
	}
}

func TestLostComeBack(t *testing.T) {
	all := members("a", 10)
	removed, lost, _ := run(all, 120, func(who id, second int) bool {
		return second < 20 || second >= 60 || who.name > "a-4"
	})
	if len(removed) > 0 || len(lost) > 0 {
		t.Errorf("after the network is back: removed %v, lost %v", removed, lost)
	}
	// All but one come back: that one is a single loss, and goes.
	removed, lost, _ = run(all, 120, func(who id, second int) bool {
		return second < 20 || who.name > "a-4" || second >= 60 && who.name != "a-0"
	})
	if len(removed) != 1 || len(removed)+len(lost) != 2 && len(lost) != 1 {
		t.Errorf("removed %v, lost %v; want a-0 only", removed, lost)
	}
}

// Replacements let the lost go: as many live as before the loss.
func TestReplacementsReleaseTheGuard(t *testing.T) {
	all := members("a", 4)
	l := newLeases(epoch)
	for _, m := range all {
		l.hear(m.who, m.group, epoch)
	}
	var removed []id
	for second := range 60 {
		now := epoch.Add(time.Duration(second) * time.Second)
		for i, m := range all {
			if i < 2 {
				l.hear(m.who, m.group, now)
			}
		}
		if second >= 40 {
			l.hear(id{"shop", "new-0"}, group{"shop", "a"}, now)
			l.hear(id{"shop", "new-1"}, group{"shop", "a"}, now)
		}
		v := l.tick(now)
		removed = append(removed, v.remove...)
		for _, who := range v.remove {
			l.end(who)
		}
		if second < 40 && len(v.remove) > 0 {
			t.Fatalf("second %d: removed %v", second, v.remove)
		}
	}
	if len(removed) != 2 || len(l.guards) != 0 {
		t.Errorf("removed %v, guards %v", removed, l.guards)
	}
}

// When it was us who stood still, nobody is lost for it.
func TestOurOwnPauseCostsNobodyItsLease(t *testing.T) {
	l := newLeases(epoch)
	l.hear(id{"shop", "a-0"}, group{"shop", "a"}, epoch)
	if v := l.tick(epoch.Add(30 * time.Second)); len(v.remove)+len(v.lose) > 0 {
		t.Fatalf("after a pause of 30 s: %+v", v)
	}
	for second := 31; second < 45; second++ {
		if v := l.tick(epoch.Add(time.Duration(second) * time.Second)); len(v.remove) > 0 {
			t.Fatalf("second %d: less than a full lease", second)
		}
	}
	if v := l.tick(epoch.Add(45 * time.Second)); len(v.remove) != 1 {
		t.Error("it never ends")
	}
}

// Laws for random lives: who speaks is never removed; who ends while the others
// live is removed; never is more than the guard's share of an application
// removed within one lease.
func TestLeaseProperty(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var all []member
		apps := rapid.IntRange(1, 4).Draw(r, "apps")
		for a := range apps {
			all = append(all, members(string(rune('a'+a)), rapid.IntRange(1, 12).Draw(r, "size"))...)
		}
		stops := map[id]int{}
		for _, m := range all {
			if rapid.IntRange(0, 3).Draw(r, "dies") == 0 {
				stops[m.who] = rapid.IntRange(1, 60).Draw(r, "at")
			}
		}
		removed, lost, _ := run(all, 100, func(who id, second int) bool {
			at, dies := stops[who]
			return !dies || second < at
		})
		for who := range removed {
			if _, dies := stops[who]; !dies {
				r.Fatalf("%s lives and was removed", who)
			}
		}
		for who, at := range stops {
			_, gone := removed[who]
			_, kept := lost[who]
			if !gone && !kept {
				r.Fatalf("%s fell silent at %d and is still believed to live", who, at)
			}
		}
		checkShare(r, all, removed)
	})
}

func checkShare(r *rapid.T, all []member, removed map[id]int) {
	size := map[group]int{}
	for _, m := range all {
		size[m.group]++
	}
	for _, m := range all {
		start, gone := removed[m.who]
		if !gone {
			continue
		}
		together, left := 0, 0
		for _, o := range all {
			at, out := removed[o.who]
			if o.group != m.group {
				continue
			}
			if !out || at >= start {
				left++
			}
			if out && at == start {
				together++
			}
		}
		if together >= appCount && float64(together) > appShare*float64(left) {
			r.Fatal(fmt.Sprintf("%d of %d of %s were removed in one second: %v", together, left, m.group, slices.Sorted(values(removed))))
		}
	}
}

func values(m map[id]int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}
