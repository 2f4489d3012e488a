package strategy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/opinion"
)

// memory is a run's state.
type memory struct {
	// From is the version to go back to; empty: there was none.
	From string `json:"from,omitempty"`
	// Before is the split as the run found it.
	Before *release.Split `json:"before,omitempty"`
	// Others are further versions that keep their private address.
	Others []string `json:"others,omitempty"`
	// Capacity is the instances that From had, Had those of the new version.
	Capacity int `json:"capacity,omitempty"`
	Had      int `json:"had,omitempty"`

	Stage int `json:"stage"` // index of the share
	// Back is why traffic goes back, BackAt since when; Returned: that action is decided.
	Back     string    `json:"back,omitempty"`
	BackAt   time.Time `json:"backAt,omitzero"`
	Returned bool      `json:"returned,omitempty"`

	// Seq and Weight of the last action; Landed: it was seen in place; Ever: any was.
	Seq    int   `json:"seq"`
	Weight int32 `json:"weight"`
	Landed bool  `json:"landed,omitempty"`
	Ever   bool  `json:"ever,omitempty"`

	// Since the stage was decided, or the run began; Applied: every proxy has it, since AppliedAt.
	Since     time.Time `json:"since,omitzero"`
	Applied   bool      `json:"applied,omitempty"`
	AppliedAt time.Time `json:"appliedAt,omitzero"`
	// Rested is when the release was held last.
	Rested time.Time `json:"rested,omitzero"`
	// Waiting for a person.
	Waiting bool `json:"waiting,omitempty"`

	Judge json.RawMessage `json:"judge,omitempty"`
	// Heard is what others said at the share that the action Heard.Seq gave.
	Heard *heard `json:"heard,omitempty"`
	// Proof is the evidence on which the new version got everything.
	Proof string `json:"proof,omitempty"`
	// Start of the count of what the old version did before a switch, and the count.
	Start     *release.Counts `json:"start,omitempty"`
	Reference *release.Counts `json:"reference,omitempty"`

	// Order is the last one to the provider of instances; Settled: it was told which version stays.
	Order   order `json:"order,omitzero"`
	Settled bool  `json:"settled,omitempty"`
	// Kept is when the new version had everything for good, Result why; Leaving: the old one ends, there is no way back.
	Kept    time.Time `json:"kept,omitzero"`
	Result  string    `json:"result,omitempty"`
	Leaving bool      `json:"leaving,omitempty"`
}

// limits are the analysis' settings as numbers.
type limits struct {
	increase, confidence float64
	latency              *release.LatencyLimit // nil: it does not count
	deadline             time.Duration
	voices               []opinion.Voice // of others who are asked
}

// Defaults of v1alpha1.Analysis. With 0.5 points and 0.99, a version as good as one
// that errs in 1 of 1,000 requests proves it within about 1,600 of its own requests.
const (
	defaultIncrease     = "0.5"
	defaultSlowIncrease = "1"
	defaultConfidence   = "0.99"
	defaultDeadline     = 10 * time.Minute
)

// maxSlowerThan is the last bound of model.LatencyBounds.
const maxSlowerThan = 10 * time.Second

func readLimits(a v1alpha1.Analysis) (limits, error) {
	l := limits{deadline: defaultDeadline}
	if a.Deadline != nil && a.Deadline.Duration > 0 {
		l.deadline = a.Deadline.Duration
	}
	var err error
	if l.increase, err = readPoints("maxErrorIncrease", a.MaxErrorIncrease, defaultIncrease); err != nil {
		return l, err
	}
	if l.latency, err = readLatency(a); err != nil {
		return l, err
	}
	if l.voices, err = opinion.Voices(a.Others, true); err != nil {
		return l, fmt.Errorf("strategy.%w", err)
	}
	l.confidence, err = strconv.ParseFloat(or(a.Confidence, defaultConfidence), 64)
	if err != nil || l.confidence < 0.5 || l.confidence >= 1 {
		return l, fmt.Errorf("strategy.analysis.confidence: %q is no number from 0.5 to below 1, such as %q", a.Confidence, defaultConfidence)
	}
	return l, nil
}

func readLatency(a v1alpha1.Analysis) (*release.LatencyLimit, error) {
	if a.SlowerThan == nil || a.SlowerThan.Duration <= 0 {
		return nil, nil
	}
	if a.SlowerThan.Duration > maxSlowerThan {
		return nil, fmt.Errorf("strategy.analysis.slowerThan: %s is above %s, up to which the proxies tell times apart", a.SlowerThan.Duration, maxSlowerThan)
	}
	increase, err := readPoints("maxSlowIncrease", a.MaxSlowIncrease, defaultSlowIncrease)
	return &release.LatencyLimit{SlowerThan: a.SlowerThan.Duration, MaxIncrease: increase}, err
}

// readPoints is a share, 0 to 1, that is written in percentage points.
func readPoints(field, written, usual string) (float64, error) {
	points, err := strconv.ParseFloat(or(written, usual), 64)
	if err != nil || points <= 0 || points >= 100 {
		return 0, fmt.Errorf("strategy.analysis.%s: %q is no number of percentage points between 0 and 100, such as %q", field, written, usual)
	}
	return points / 100, nil
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// checkShares refuses a course that would not rise to 100.
func checkShares(shares []int32) error {
	for i := 1; i < len(shares); i++ {
		if shares[i] <= shares[i-1] || shares[i] > 100 {
			return fmt.Errorf("strategy.steps: %d after %d: steps must rise, from 1 to 100", shares[i], shares[i-1])
		}
	}
	return nil
}

// maxVersions of a split (v1alpha1.TrafficSplitSpec).
const maxVersions = 20

// split is the shares when the new version has weight.
func (m *memory) split(version string, weight int32) []v1alpha1.VersionWeight {
	out := []v1alpha1.VersionWeight{{Version: version, Weight: weight}}
	if m.From != "" {
		out = append(out, v1alpha1.VersionWeight{Version: m.From, Weight: 100 - weight})
	}
	for _, v := range m.Others {
		out = append(out, v1alpha1.VersionWeight{Version: v})
	}
	slices.SortFunc(out, func(a, b v1alpha1.VersionWeight) int { return strings.Compare(a.Version, b.Version) })
	return out
}
