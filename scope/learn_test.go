package scope

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weft.dev/model"
)

var (
	start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	web   = Account{"shop", "web"}
)

// seenAt is a kept row.
func seenAt(host string, how model.How, first, last time.Time) model.Learned {
	return model.Learned{Namespace: "shop", Account: "web", Host: host, How: how, First: first, Last: last}
}

func hostSet(hosts ...string) map[string]bool {
	set := map[string]bool{}
	for _, h := range hosts {
		set[h] = true
	}
	return set
}

func TestLearn(t *testing.T) {
	old := []model.Learned{seenAt("a", model.OnDemand, start, start)}
	at := func(last time.Time) []model.Learned { return []model.Learned{seenAt("a", model.OnDemand, start, last)} }
	for _, c := range []struct {
		name           string
		kept           []model.Learned
		wanted, called map[string]bool
		after          time.Duration
		young          bool // the server has not listened for long
		want           []model.Learned
	}{
		{name: "a new one that a proxy asks for", wanted: hostSet("a"), called: hostSet("a"), want: at(start)},
		{name: "a new one that was called", called: hostSet("a"), want: []model.Learned{seenAt("a", model.Observed, start, start)}},
		{name: "not written again soon", kept: old, called: hostSet("a"), after: RefreshEvery - time.Second, want: at(start)},
		{name: "written again later, as it was learned", kept: old, called: hostSet("a"), after: RefreshEvery, want: at(start.Add(RefreshEvery))},
		{name: "not forgotten early", kept: old, after: ForgetAfter, want: at(start)},
		{name: "forgotten", kept: old, after: ForgetAfter + time.Second},
		{name: "not by a server that has just begun", kept: old, after: 10 * ForgetAfter, young: true, want: at(start)},
		{name: "not while a proxy asks for it", kept: old, wanted: hostSet("a"), after: ForgetAfter + time.Hour, want: at(start.Add(ForgetAfter + time.Hour))},
		{name: "a clock that went back changes nothing", kept: old, called: hostSet("a"), after: -time.Hour, want: at(start)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := learn(web, c.kept, evidence{c.wanted, c.called}, start.Add(c.after), !c.young)
			if !slices.EqualFunc(got, c.want, model.Learned.Equal) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestLeastRecentlySeenMakesRoom(t *testing.T) {
	var kept []model.Learned
	for i := range MaxLearned {
		kept = append(kept, seenAt(fmt.Sprintf("h%03d", i), model.Observed, start, start.Add(time.Duration(i)*time.Minute)))
	}
	later := start.Add(3 * 24 * time.Hour)
	got := learn(web, kept, evidence{hostSet("new", "h001"), hostSet("h000")}, later, true)
	gone := slices.DeleteFunc(slices.Clone(kept), func(l model.Learned) bool {
		return slices.ContainsFunc(got, func(g model.Learned) bool { return g.Host == l.Host })
	})
	if len(got) != MaxLearned || len(gone) != 1 || gone[0].Host != "h002" {
		t.Errorf("%d kept, gone: %v", len(got), gone)
	}
}

// An account that uses more than there is room for keeps those that it used
// first: they do not take turns.
func TestMoreInUseThanRoom(t *testing.T) {
	var kept []model.Learned
	for i := range MaxLearned {
		kept = append(kept, seenAt(fmt.Sprintf("h%03d", i), model.Observed, start, start))
	}
	got := learn(web, kept, evidence{wanted: hostSet("a"), called: hostSet("b")}, start.Add(time.Hour), true)
	if !slices.EqualFunc(got, kept, model.Learned.Equal) {
		t.Errorf("%d kept, the first is %v", len(got), got[0])
	}
}

// Whatever comes: bounded, in order, twice is once, what is in use stays, and
// two servers agree in whichever order they write.
func TestLearnLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("h%d", rapid.IntRange(0, 600).Draw(t, "h")) })
		hosts := func(most int, label string) map[string]bool {
			return hostSet(rapid.SliceOfN(host, 0, most).Draw(t, label)...)
		}
		var kept []model.Learned
		for _, h := range model.SortedKeys(hosts(MaxLearned, "kept")) {
			age := time.Duration(rapid.IntRange(0, 500).Draw(t, "hours")) * time.Hour
			kept = append(kept, seenAt(h, model.Observed, start.Add(-age), start.Add(-age)))
		}
		e := evidence{hosts(30, "wanted"), hosts(30, "called")}
		once := learn(web, kept, e, start, true)
		if len(once) > MaxLearned || !slices.IsSortedFunc(once, func(a, b model.Learned) int { return strings.Compare(a.Host, b.Host) }) {
			t.Fatalf("%d rows: %v", len(once), once)
		}
		if again := learn(web, once, e, start, true); !slices.EqualFunc(once, again, model.Learned.Equal) {
			t.Fatalf("twice is\n%v, once\n%v", again, once)
		}
		has := func(all []model.Learned, h string) bool {
			return slices.ContainsFunc(all, func(l model.Learned) bool { return l.Host == h })
		}
		for _, l := range kept {
			if e.of(l.Host) && !has(once, l.Host) {
				t.Fatalf("%s is in use and was forgotten", l.Host)
			}
		}
		if len(kept)+60 > MaxLearned {
			return // who comes first has the room
		}
		o := evidence{hosts(30, "wanted there"), hosts(30, "called there")}
		ab, ba := learn(web, once, o, start, true), learn(web, learn(web, kept, o, start, true), e, start, true)
		if hostNames(ab) != hostNames(ba) {
			t.Fatalf("one after the other %s, the other way round %s", hostNames(ab), hostNames(ba))
		}
	})
}

func hostNames(all []model.Learned) string {
	var hosts []string
	for _, l := range all {
		hosts = append(hosts, l.Host)
	}
	return strings.Join(hosts, " ")
}
