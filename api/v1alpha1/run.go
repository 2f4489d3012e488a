package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// PipelineRun is one run of a pipeline. Its status is the record: events that
// only grow in number, and what follows from them.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=run,categories=weft
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Pipeline,type=string,JSONPath=.spec.pipeline
// +kubebuilder:printcolumn:name=Phase,type=string,JSONPath=.status.phase
// +kubebuilder:printcolumn:name=Why,type=string,JSONPath=.status.why
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=.metadata.creationTimestamp
type PipelineRun struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              PipelineRunSpec   `json:"spec,omitempty"`
	Status            PipelineRunStatus `json:"status,omitempty"`
}

// PipelineRunSpec is what was asked for. It never changes.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a run is what it was asked to be: start another one"
type PipelineRunSpec struct {
	// Pipeline of the namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Pipeline string `json:"pipeline"`
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Parameters map[string]Value `json:"parameters,omitempty"`
	// Trigger is what started it.
	// +optional
	Trigger TriggerFact `json:"trigger,omitempty"`
	// Parents are the runs that called this one, outermost first, as PIPELINE/RUN.
	// +optional
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MaxLength=507
	Parents []string `json:"parents,omitempty"`
}

// TriggerFact is what started a run.
type TriggerFact struct {
	// Type is manual, pipeline, cron, git, image or webhook.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Type string `json:"type,omitempty"`
	// ID of the delivery; the same one starts one run.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ID string `json:"id,omitempty"`
	// By is who started it, as admission saw; Groups are theirs.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	By string `json:"by,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
	// Facts that expressions read: commit, branch, image, digest.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Facts map[string]Value `json:"facts,omitempty"`
}

// RunPhase is where a run stands.
type RunPhase string

const (
	RunWaiting   RunPhase = "Waiting" // for its turn
	RunRunning   RunPhase = "Running"
	RunAsking    RunPhase = "Asking" // a person
	RunSucceeded RunPhase = "Succeeded"
	RunFailed    RunPhase = "Failed"
	RunCancelled RunPhase = "Cancelled"
)

// PipelineRunStatus is the record. It is enough to go on after a crash at any
// point, without repeating an action.
type PipelineRunStatus struct {
	// +optional
	Phase RunPhase `json:"phase,omitempty"`
	// Why is the state in one sentence.
	// +optional
	Why string `json:"why,omitempty"`
	// Definition is the Blob that holds the pipeline's spec as it was when the run began.
	// +optional
	Definition string `json:"definition,omitempty"`
	// Stages, for people.
	// +optional
	// +listType=map
	// +listMapKey=name
	Stages []StageStatus `json:"stages,omitempty"`
	// State is what follows from all events.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	State *runtime.RawExtension `json:"state,omitempty"`
	// Soft is evidence that may be lost.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	Soft *runtime.RawExtension `json:"soft,omitempty"`
	// Events are the last ones, oldest first; those before them are in Sealed Blobs, UID-c0001 and on.
	// +optional
	Events []RunEvent `json:"events,omitempty"`
	// +optional
	Sealed int32 `json:"sealed,omitempty"`
	// +optional
	Started *metav1.MicroTime `json:"started,omitempty"`
	// +optional
	Ended         *metav1.MicroTime `json:"ended,omitempty"`
	ProblemStatus `json:",inline"`
}

// StageStatus is one stage in one line.
type StageStatus struct {
	Name  string `json:"name"`
	Phase string `json:"phase"`
	// +optional
	Attempt int32 `json:"attempt,omitempty"`
	// +optional
	Started *metav1.MicroTime `json:"started,omitempty"`
	// +optional
	Ended *metav1.MicroTime `json:"ended,omitempty"`
	// +optional
	Why string `json:"why,omitempty"`
}

// RunEvent is one thing that happened. It never changes.
type RunEvent struct {
	// Seq is 1, 2, ... within the run.
	Seq  int64            `json:"seq"`
	Time metav1.MicroTime `json:"time"`
	Kind string           `json:"kind"`
	// +optional
	Stage string `json:"stage,omitempty"`
	// +optional
	Attempt int32 `json:"attempt,omitempty"`
	// Action is the id of the action that this is about.
	// +optional
	Action string `json:"action,omitempty"`
	// +optional
	Text string `json:"text,omitempty"`
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	Data *runtime.RawExtension `json:"data,omitempty"`
}

// PipelineRunList is a list of runs.
//
// +kubebuilder:object:root=true
type PipelineRunList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PipelineRun `json:"items"`
}

// Value of a parameter or fact.
//
// +kubebuilder:validation:MaxLength=4096
type Value string
