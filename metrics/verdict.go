package metrics

import (
	"strconv"
	"sync"

	"weft.dev/model"
)

// PolicyVerdicts is the family of Verdicts.
var PolicyVerdicts = &Family{"weft_policy_verdicts_total", Counter,
	"Requests to an app, by what policies said of them that only look: on trial (refused, allowed), or of AUDIT (allowed). No policy, refused: none of ALLOW on trial would let it in.",
	[]string{"namespace", "app", "policy_namespace", "policy", "rule", "verdict"}}

// maxVerdicts is how many are told apart; those of policies that are gone stay until the process ends.
const maxVerdicts = 10_000

// Verdicts collects what policies said that only look. Safe for concurrent use.
type Verdicts struct {
	mu     sync.Mutex
	counts map[verdict]uint64
}

type verdict struct {
	namespace, app, rule string
	refused              bool
}

// NewVerdicts returns an empty collection.
func NewVerdicts() *Verdicts { return &Verdicts{counts: map[verdict]uint64{}} }

// Record adds what the proxy of an instance counted. A rule of a namespace that has no say there is none of its.
func (v *Verdicts) Record(of End, said []model.Verdict) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, one := range said {
		policy, _, ok := model.ParsePolicyID(one.Rule)
		if one.Rule != "" && (!ok || policy.Namespace != of.Namespace && policy.Namespace != model.RootNamespace) {
			continue
		}
		k := verdict{of.Namespace, of.App, one.Rule, one.Refused}
		if _, known := v.counts[k]; known || len(v.counts) < maxVerdicts {
			v.counts[k] += one.Requests
		}
	}
}

// Figures are the running totals.
func (v *Verdicts) Figures(emit Emit) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for k, n := range v.counts {
		labels := []string{k.namespace, k.app, "", "", "", "allowed"}
		if policy, rule, ok := model.ParsePolicyID(k.rule); ok {
			labels[2], labels[3], labels[4] = policy.Namespace, policy.Name, strconv.Itoa(rule)
		}
		if k.refused {
			labels[5] = "refused"
		}
		emit(Figure{Family: PolicyVerdicts, Labels: labels, Value: float64(n)})
	}
}
