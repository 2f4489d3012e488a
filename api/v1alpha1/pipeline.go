package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Pipeline is a graph of stages that a team runs to bring something into
// service. Each run is a PipelineRun and keeps the graph as it was when it began.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=pl,categories=weft
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Application,type=string,JSONPath=.spec.application
// +kubebuilder:printcolumn:name=Disabled,type=boolean,JSONPath=.spec.disabled
// +kubebuilder:printcolumn:name=Problems,type=integer,JSONPath=.status.problemCount
type Pipeline struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              PipelineSpec   `json:"spec,omitempty"`
	Status            PipelineStatus `json:"status,omitempty"`
}

// PipelineSpec is the graph, and what starts it.
type PipelineSpec struct {
	// Application whose roles, windows and locks hold for the runs. Empty: those of none.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Application string `json:"application,omitempty"`
	// Description for people.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`
	// Parameters that a run is given.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Parameters []Parameter `json:"parameters,omitempty"`
	// Stages of the graph, in any order.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=200
	Stages []Stage `json:"stages"`
	// Concurrency of the runs.
	// +optional
	Concurrency Concurrency `json:"concurrency,omitempty"`
	// Triggers start runs by themselves.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Triggers []Trigger `json:"triggers,omitempty"`
	// Disabled: nothing but a person starts it.
	// +optional
	Disabled bool `json:"disabled,omitempty"`
	// Locked says why no run may start; empty: they may.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Locked string `json:"locked,omitempty"`
	// Windows, in one of which any stage starts that acts. None: always, but for the application's.
	// +optional
	// +kubebuilder:validation:MaxItems=10
	Windows []Window `json:"windows,omitempty"`
	// Notify are those who are told of its runs.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Notify []Notification `json:"notify,omitempty"`
	// Imported is what an importer could not express, untouched, so that an export gives it back.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	Imported *runtime.RawExtension `json:"imported,omitempty"`
}

// Parameter is one value that a run is given.
type Parameter struct {
	// Name, as expressions have it: params.NAME.
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]{0,62}$`
	Name string `json:"name"`
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`
	// Required: a run without it is refused.
	// +optional
	Required bool `json:"required,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Default string `json:"default,omitempty"`
	// Options are the values that are accepted. None: any.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=1024
	Options []string `json:"options,omitempty"`
}

// Concurrency says how many runs of a pipeline go at the same time.
type Concurrency struct {
	// Max runs at the same time. Default: 1.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Max int32 `json:"max,omitempty"`
	// Full is what a run does when there are as many: wait (its turn comes by age), replace (the
	// newest of those that wait is kept, the others are cancelled) or refuse. Default: wait.
	// +optional
	// +kubebuilder:validation:Enum=wait;replace;refuse
	Full string `json:"full,omitempty"`
}

// PipelineStatus is what is wrong with a pipeline, and what its triggers have seen.
type PipelineStatus struct {
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Triggers      []TriggerStatus `json:"triggers,omitempty"`
	ProblemStatus `json:",inline"`
}

// PipelineList is a list of pipelines.
//
// +kubebuilder:object:root=true
type PipelineList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Pipeline `json:"items"`
}
