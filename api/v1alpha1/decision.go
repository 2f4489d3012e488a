package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Decision is what a person decided about a run. It is written once; whose it
// is, the API server vouches for.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=weft
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Run,type=string,JSONPath=.spec.run
// +kubebuilder:printcolumn:name=Stage,type=string,JSONPath=.spec.stage
// +kubebuilder:printcolumn:name=Verb,type=string,JSONPath=.spec.verb
// +kubebuilder:printcolumn:name=By,type=string,JSONPath=.spec.by
// +kubebuilder:printcolumn:name=Accepted,type=boolean,JSONPath=.status.accepted
type Decision struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              DecisionSpec   `json:"spec,omitempty"`
	Status            DecisionStatus `json:"status,omitempty"`
}

// DecisionSpec is the decision.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a decision is not changed: make another one"
type DecisionSpec struct {
	// Run and RunUID: a run of the same name that is made anew is another one.
	// +kubebuilder:validation:MaxLength=253
	Run string `json:"run"`
	// +kubebuilder:validation:MaxLength=63
	RunUID string `json:"runUID"`
	// Verb is judge, cancel, retry (a stage that failed, or of which nobody knows whether it acted) or skip (a wait).
	// +kubebuilder:validation:Enum=judge;cancel;retry;skip
	Verb string `json:"verb"`
	// Stage and its Attempt; empty for cancel.
	// +optional
	// +kubebuilder:validation:MaxLength=40
	Stage string `json:"stage,omitempty"`
	// +optional
	Attempt int32 `json:"attempt,omitempty"`
	// Choice of a judgment: one of its options, or continue, or stop.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Choice string `json:"choice,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
	// By is who decides, and Groups are theirs: what the API server says, or it refuses.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	By string `json:"by,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
}

// DecisionStatus is what became of it.
type DecisionStatus struct {
	// Accepted is absent until the run has looked.
	// +optional
	Accepted *bool `json:"accepted,omitempty"`
	// Why it was refused.
	// +optional
	Why string `json:"why,omitempty"`
}

// DecisionList is a list of decisions.
//
// +kubebuilder:object:root=true
type DecisionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Decision `json:"items"`
}
