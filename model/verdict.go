package model

import (
	"strconv"
	"strings"
)

// Verdict is what policies that only look said of requests of a workload: those of AUDIT, and those on trial.
type Verdict struct {
	// Rule is the PolicyID of the rule that matched; "": no policy of ALLOW on trial has one that does.
	Rule string `json:"rule,omitempty"`
	// Refused by what is on trial, if it were in force; else let in by it, or seen by AUDIT.
	Refused  bool   `json:"refused,omitempty"`
	Requests uint64 `json:"requests"`
}

// ParsePolicyID is what Authorization.PolicyID put together; false: it is none.
func ParsePolicyID(id string) (policy Key, rule int, ok bool) {
	name, index, ok := strings.Cut(id, "#")
	rule, err := strconv.Atoi(index)
	if !ok || err != nil {
		return Key{}, 0, false
	}
	policy.Kind = "AuthorizationPolicy"
	if kind, rest, other := strings.Cut(name, ":"); other {
		policy.Kind, name = kind, rest
	}
	policy.Namespace, policy.Name, ok = strings.Cut(name, "/")
	return policy, rule, ok
}

// StatTrials begins the names of what an Envoy counts of policies of ALLOW on trial, together.
const StatTrials = "weft_trial"
