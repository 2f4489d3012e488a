package release

import (
	"encoding/json"
	"time"
)

// Judge compares the answers of two versions. Look is pure, and may be asked
// as often as one likes: its error probability holds over all looks together.
type Judge interface {
	Look(state json.RawMessage, q Question) (json.RawMessage, Verdict)
}

// Question is one look.
type Question struct {
	New, Old string // versions
	// Step numbers the stage in which New's share is constant; a change of it starts the count of MinRequests again.
	Step int
	// Gate is what a Pass must mean.
	Gate Gate
	// MaxIncrease of the error rate over Old's that is allowed, 0 to 1.
	MaxIncrease float64
	// Latency asks for it, too; nil: it does not count.
	Latency *LatencyLimit
	// Confidence of a verdict, e.g. 0.99.
	Confidence float64
	// Traffic as in Facts.
	Traffic map[string]map[string]Counts
	// Routes as in Facts: harm on one alone is looked for, beside that in Traffic.
	Routes map[string]map[string]Counts
	// Reference replaces Old's traffic where Old serves nothing at the same time.
	Reference *Counts
}

// LatencyLimit is how many slow answers are too many.
type LatencyLimit struct {
	SlowerThan time.Duration // as the Target of the traffic
	// MaxIncrease of the share of slow answers over Old's that is allowed, 0 to 1.
	MaxIncrease float64
}

// Gate is what a Pass must mean.
type Gate int

const (
	// NoHarmSeen: enough requests were answered and nothing speaks against New. For small shares.
	NoHarmSeen Gate = iota
	// NotWorse: shown, with the asked confidence, that New's error rate is within MaxIncrease. Before most people get it.
	NotWorse
)

// Kind of a verdict.
type Kind string

const (
	Pass     Kind = "Pass"
	Fail     Kind = "Fail"
	Continue Kind = "Continue" // not decided yet
	// Inconclusive: the deadline passed undecided; a person decides.
	Inconclusive Kind = "Inconclusive"
)

// Verdict is what traffic shows.
type Verdict struct {
	Kind Kind
	// Why is the evidence in one sentence: counts, strength, bound.
	Why string
	// New and Old are the requests that were compared.
	New, Old Counts
}
