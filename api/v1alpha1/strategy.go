package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Strategy is how a new version takes over from the serving one. Where the Application has
// spec.runs, weft has the instances for it started before traffic comes, and ended after it has gone.
type Strategy struct {
	// Type is canary (small share first, judged by its traffic), blueGreen (all at once, the old version
	// kept ready), rolling (traffic and instances in steps), highlander (all at once, then the old version
	// ends) or recreate (the old version ends before the new one starts: there is downtime). Highlander and
	// recreate need the Application's spec.runs.
	// +optional
	// +kubebuilder:default=canary
	// +kubebuilder:validation:Enum=canary;blueGreen;rolling;highlander;recreate
	Type StrategyType `json:"type,omitempty"`
	// Steps are the shares in percent of canary and rolling, ascending. Default: 5, 25, 50, 100; of
	// rolling 25, 50, 75, 100.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	Steps []int32 `json:"steps,omitempty"`
	// Floor is how many of the old version's instances, in percent, canary and blueGreen keep while
	// KeepFor lasts. Fewer cost less, and make a way back wait for new ones. Default: 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Floor *int32 `json:"floor,omitempty"`
	// KeepFor is how long canary and blueGreen keep the old version after the new one got everything. The
	// release goes on for that time, and goes back if it is aborted; then the old version ends. Default: 10m.
	// +optional
	KeepFor *metav1.Duration `json:"keepFor,omitempty"`
	// Analysis bounds what the new version may do worse than the serving one.
	// +optional
	Analysis Analysis `json:"analysis,omitempty"`
}

// StrategyType names a strategy.
type StrategyType string

const (
	Canary     StrategyType = "canary"
	BlueGreen  StrategyType = "blueGreen"
	Rolling    StrategyType = "rolling"
	Highlander StrategyType = "highlander"
	Recreate   StrategyType = "recreate"
)

// Analysis says when traffic shows that a version is worse, good enough, or
// that nothing can be said.
type Analysis struct {
	// MaxErrorIncrease is the error rate, in percentage points over the serving version, that
	// still passes, e.g. "1.5". Default: "0.5".
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9]{1,2}(\.[0-9]{1,4})?$`
	MaxErrorIncrease string `json:"maxErrorIncrease,omitempty"`
	// SlowerThan is the time beyond which an answer is slow, e.g. 500ms; at most 10s. The proxies count in
	// buckets, so up to a third more may pass as fast. Default: latency does not count.
	// +optional
	SlowerThan *metav1.Duration `json:"slowerThan,omitempty"`
	// MaxSlowIncrease is the share of slow answers, in percentage points over the serving version, that
	// still passes, e.g. "2". Default: "1".
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9]{1,2}(\.[0-9]{1,4})?$`
	MaxSlowIncrease string `json:"maxSlowIncrease,omitempty"`
	// Confidence that a verdict needs, e.g. "0.999"; at least 0.5. Default: "0.99".
	// +optional
	// +kubebuilder:validation:Pattern=`^0\.[0-9]{1,6}$`
	Confidence string `json:"confidence,omitempty"`
	// Deadline after which a step without a verdict is inconclusive and waits for a person. Default: 10m.
	// +optional
	Deadline *metav1.Duration `json:"deadline,omitempty"`
	Others   `json:",inline"`
}
