package envoy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"weft.dev/model"
)

// Parts of the names of counters of policies that only look: of a rule, or of all policies of ALLOW on trial together.
const (
	shadowAllowed = "shadow_allowed"
	shadowDenied  = "shadow_denied"
	clusterStat   = "cluster."
	rbacStat      = ".rbac."
	ruleStat      = "policy."
)

// parseVerdicts reads "http.LISTENER.rbac.policy.RULE.shadow_denied: 12", and of connections "LISTENER.rbac.weft_kept_out.RULE.shadow_denied: 12",
// over all listeners.
func parseVerdicts(body []byte) map[model.Verdict]uint64 {
	all := map[model.Verdict]uint64{}
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, clusterStat) { // most are
			continue
		}
		name, value, _ := cutLast(strings.TrimSpace(line), ": ")
		_, counter, ours := strings.Cut(name, rbacStat)
		n, err := strconv.ParseUint(value, 10, 64)
		if v, of := verdictOf(counter); ours && of && err == nil {
			all[v] += n
		}
	}
	return all
}

func verdictOf(counter string) (v model.Verdict, ok bool) {
	if counter == model.StatTrials+"."+shadowDenied {
		return model.Verdict{Refused: true}, true
	}
	rule, end, cut := cutLast(counter, ".")
	if rule, ok := strings.CutPrefix(rule, model.StatLetIn+"."); ok {
		return model.Verdict{Rule: rule}, end == shadowAllowed
	}
	if rule, ok := strings.CutPrefix(rule, model.StatKeptOut+"."); ok {
		return model.Verdict{Rule: rule, Refused: true}, end == shadowDenied
	}
	_, rule, ok = strings.Cut(rule, ruleStat)
	return model.Verdict{Rule: rule, Refused: end == shadowDenied}, ok && cut && (end == shadowDenied || end == shadowAllowed)
}

// verdictsSince is the difference of two readings, sorted.
func verdictsSince(now, before map[model.Verdict]uint64) (all []model.Verdict) {
	for v, n := range now {
		if o := before[v]; o <= n { // else it began anew
			n -= o
		}
		if v.Requests = n; n > 0 {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b model.Verdict) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), model.CompareBool(a.Refused, b.Refused))
	})
	return all
}
