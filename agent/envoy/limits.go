package envoy

import (
	"strconv"
	"strings"

	"weft.dev/model"
)

// limitCounters are what Envoy counts of a limit of its own.
type limitCounters struct{ ok, over, enforced uint64 }

// limitStat is what stands between a limit and its counter.
const limitStat = ".http_local_rate_limit."

// parseLimits reads "PREFIX.LIMIT.http_local_rate_limit.COUNTER: 12".
func parseLimits(body []byte) map[model.LimitID]limitCounters {
	all := map[model.LimitID]limitCounters{}
	for line := range strings.Lines(string(body)) {
		rest, ours := strings.CutPrefix(line, model.LimitStatPrefix+".")
		if !ours {
			continue
		}
		name, value, _ := strings.Cut(strings.TrimSpace(rest), ": ")
		i := strings.LastIndex(name, limitStat)
		n, err := strconv.ParseUint(value, 10, 64)
		if i < 0 || err != nil {
			continue
		}
		id := model.LimitID(name[:i])
		c := all[id]
		switch name[i+len(limitStat):] {
		case "ok":
			c.ok = n
		case "rate_limited":
			c.over = n
		case "enforced":
			c.enforced = n
		}
		all[id] = c
	}
	return all
}

// limitsSince is the difference of two readings; nil: there is none. Envoy counts as well-behaved what the limit is
// not for: a table is met by all of its requests.
func limitsSince(now, before map[model.LimitID]limitCounters) map[model.LimitID]model.LimitCounts {
	var all map[model.LimitID]model.LimitCounts
	for id, n := range now {
		if o := before[id]; o.ok <= n.ok && o.over <= n.over && o.enforced <= n.enforced { // else it began anew
			n = limitCounters{n.ok - o.ok, n.over - o.over, n.enforced - o.enforced}
		}
		counts := model.LimitCounts{Allowed: n.ok, Limited: n.enforced, Shadow: n.over - min(n.over, n.enforced)}
		if counts == (model.LimitCounts{}) {
			continue
		}
		if all == nil {
			all = map[model.LimitID]model.LimitCounts{}
		}
		all[id] = counts
	}
	return all
}
