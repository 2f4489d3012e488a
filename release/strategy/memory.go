package strategy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
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
	// Trail is how the evidence came about, for people who look at it.
	Trail []Seen `json:"trail,omitempty"`
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
