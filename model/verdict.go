package model

// Verdict is what policies that only look said of requests to a workload, or of connections whose bytes nobody reads: those of
// AUDIT, and those on trial.
type Verdict struct {
	// Rule is the PolicyID of the rule that matched; "": no policy of ALLOW on trial has one that does.
	Rule string `json:"rule,omitempty"`
	// Refused by what is on trial, if it were in force; else let in by it, or seen by AUDIT.
	Refused  bool   `json:"refused,omitempty"`
	Requests uint64 `json:"requests"`
}

// StatTrials begins the names of what an Envoy counts of policies of ALLOW on trial, together.
const StatTrials = "weft_trial"

// These begin the names of what it counts of connections by each rule that only looks, whose PolicyID follows: of one of ALLOW or
// AUDIT those that match it, of one of DENY the same. What the others do is counted, too, and means nothing.
const (
	StatLetIn   = "weft_let_in"
	StatKeptOut = "weft_kept_out"
)
