package scope

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"weft.dev/model"
)

const (
	// ForgetAfter is how long a service stays known that nobody calls.
	ForgetAfter = 14 * 24 * time.Hour
	// RefreshEvery is how exact the time of the last call is kept: writes are dear.
	RefreshEvery = 6 * time.Hour
	// MaxLearned bounds what is kept of one account.
	MaxLearned = 500
)

// evidence is what is seen of an account's calls.
type evidence struct {
	wanted map[string]bool // hosts that its proxies ask for now
	called map[string]bool // hosts that calls were counted to
}

func (e evidence) of(host string) bool { return e.wanted[host] || e.called[host] }

// learn is what is to be kept of an account, by host, after what was kept and
// what is seen. It is the same whoever does it, and doing it twice changes
// nothing: servers that share a memory need no agreement. Nothing is forgotten by a
// server that has not listened for long enough (forget is false then).
func learn(a Account, kept []model.Learned, e evidence, now time.Time, forget bool) []model.Learned {
	var all []model.Learned
	known := map[string]bool{}
	for _, l := range kept {
		age := now.Sub(l.Last)
		switch {
		case known[l.Host]:
			continue
		case e.of(l.Host) && age >= RefreshEvery:
			l.Last = now
		case !e.of(l.Host) && age > ForgetAfter && forget:
			continue
		}
		known[l.Host] = true
		all = append(all, l)
	}
	for _, host := range e.unknown(known) {
		l := model.Learned{Namespace: a.Namespace, Account: a.Name, Host: host, How: model.Observed, First: now, Last: now}
		if e.wanted[host] {
			l.How = model.OnDemand
		}
		all = append(all, l)
	}
	all = bounded(all, e, now)
	slices.SortFunc(all, compareHosts)
	return all
}

func compareHosts(x, y model.Learned) int { return strings.Compare(x.Host, y.Host) }

// unknown are the hosts of the evidence that are not kept, those that a proxy
// waits for first.
func (e evidence) unknown(known map[string]bool) []string {
	var hosts []string
	for _, from := range []map[string]bool{e.wanted, e.called} {
		for _, host := range model.SortedKeys(from) {
			if !known[host] && !slices.Contains(hosts, host) {
				hosts = append(hosts, host)
			}
		}
	}
	return hosts
}

// bounded lets the least recently seen go where there are too many. One in use
// is refreshed, so it never makes room: an account that uses more than there is
// room for keeps those that it used first, and nothing is written in turns.
func bounded(all []model.Learned, e evidence, now time.Time) []model.Learned {
	if len(all) <= MaxLearned {
		return all
	}
	inUse := func(l model.Learned) bool { return e.wanted[l.Host] || now.Sub(l.Last) < 2*RefreshEvery }
	slices.SortStableFunc(all, func(x, y model.Learned) int {
		switch {
		case inUse(x) != inUse(y):
			return model.CompareBool(inUse(y), inUse(x))
		case !inUse(x):
			return cmp.Or(y.Last.Compare(x.Last), compareHosts(x, y))
		}
		return cmp.Or(x.First.Compare(y.First), model.CompareBool(e.wanted[y.Host], e.wanted[x.Host]), compareHosts(x, y))
	})
	return all[:MaxLearned]
}
