package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Release is one run: it brings one version of one application into service,
// step by step, or takes it out again and says why.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=rel,categories=weft
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Application,type=string,JSONPath=.spec.application
// +kubebuilder:printcolumn:name=Version,type=string,JSONPath=.spec.version
// +kubebuilder:printcolumn:name=Phase,type=string,JSONPath=.status.phase
// +kubebuilder:printcolumn:name=Weight,type=integer,JSONPath=.status.weight
// +kubebuilder:printcolumn:name=Why,type=string,JSONPath=.status.why
type Release struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ReleaseSpec   `json:"spec,omitempty"`
	Status            ReleaseStatus `json:"status,omitempty"`
}

// ReleaseSpec names what to release. It does not change during the run, but for
// Abort and Promote, which people set.
type ReleaseSpec struct {
	// Application in the same namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Application string `json:"application"`
	// Version to bring into service: the value of its workloads' version label.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Version string `json:"version"`
	// Strategy for this release alone. Default: the application's.
	// +optional
	Strategy *Strategy `json:"strategy,omitempty"`
	// Undo says that the version served before, and gets all traffic back at once: unjudged, and before any
	// other release of the application, of which one that has begun is aborted. Where nothing of the
	// version runs any more, it is started from its record (Version).
	// +optional
	Undo bool `json:"undo,omitempty"`
	// Reason, for who reads the record.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
	// Abort takes the version out of traffic now.
	// +optional
	Abort bool `json:"abort,omitempty"`
	// Promote goes on where a step is inconclusive, at this and at later steps. A version shown
	// to be worse goes back all the same.
	// +optional
	Promote bool `json:"promote,omitempty"`
	// By is who started it, and Groups are theirs: what the API server says, or it refuses.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	By string `json:"by,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
	// Aborter and Promoter are who set Abort and Promote; absent: weft itself did.
	// +optional
	Aborter *Signature `json:"aborter,omitempty"`
	// +optional
	Promoter *Signature `json:"promoter,omitempty"`
}

// ReleasePhase is where a release stands.
type ReleasePhase string

const (
	// Pending: waiting for its version to have a healthy workload, or for another release of the application to end.
	ReleasePending ReleasePhase = "Pending"
	// Progressing: traffic is being shifted, or judged.
	ReleaseProgressing ReleasePhase = "Progressing"
	// Inconclusive: the deadline passed without a verdict; a person decides.
	ReleaseInconclusive ReleasePhase = "Inconclusive"
	// RollingBack: traffic goes back to the version that served before.
	ReleaseRollingBack ReleasePhase = "RollingBack"
	// Succeeded, RolledBack, Failed are final.
	ReleaseSucceeded  ReleasePhase = "Succeeded"
	ReleaseRolledBack ReleasePhase = "RolledBack"
	ReleaseFailed     ReleasePhase = "Failed"
)

// ReleaseStatus is the record of the run. It is enough to go on after a crash
// at any point, without repeating an action.
type ReleaseStatus struct {
	// +optional
	Phase ReleasePhase `json:"phase,omitempty"`
	// From is the version that served when the release began, and to which it rolls back.
	// +optional
	From string `json:"from,omitempty"`
	// Weight of the new version in percent, as last written.
	// +optional
	Weight int32 `json:"weight"`
	// Why is the last decision in one sentence, with its evidence.
	// +optional
	Why string `json:"why,omitempty"`
	// Events are what happened, oldest first; capped.
	// +optional
	Events []ReleaseEvent `json:"events,omitempty"`
	// State is the strategy's own memory.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	State         *runtime.RawExtension `json:"state,omitempty"`
	ProblemStatus `json:",inline"`
}

// ReleaseEvent is one thing that happened.
type ReleaseEvent struct {
	Time metav1.MicroTime `json:"time"`
	// Action is the id of the action done, unique within the release; empty for a mere decision.
	// +optional
	Action string `json:"action,omitempty"`
	// Text says what happened, in one sentence.
	Text string `json:"text"`
	// Weight of the new version from then on, in percent.
	// +optional
	Weight int32 `json:"weight,omitempty"`
}

// ReleaseList is a list of releases.
//
// +kubebuilder:object:root=true
type ReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Release `json:"items"`
}
