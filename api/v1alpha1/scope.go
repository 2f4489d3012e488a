package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Scope is which services the workloads of one account call. Its name is the
// account's, which is the application's. weft writes its status; people need one
// only to add services, or to end the learning.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=weft
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Mode,type=string,JSONPath=.spec.mode
// +kubebuilder:printcolumn:name=Services,type=string,JSONPath=.spec.services
// +kubebuilder:printcolumn:name=Learned,type=string,JSONPath=.status.learned[*].host
// +kubebuilder:printcolumn:name=Problems,type=integer,JSONPath=.status.problemCount
type Scope struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ScopeSpec   `json:"spec,omitempty"`
	Status            ScopeStatus `json:"status,omitempty"`
}

// ScopeSpec is what people add.
type ScopeSpec struct {
	// Services that the account calls beside those that its Application declares, named as there.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Services []string `json:"services,omitempty"`
	// Mode is Learn (the services that it calls become known to its proxies by themselves) or
	// Declared (only those that are declared are known). Default: Learn.
	// +optional
	// +kubebuilder:validation:Enum=Learn;Declared
	Mode ScopeMode `json:"mode,omitempty"`
}

// ScopeMode says whether services are learned.
type ScopeMode string

const (
	ScopeLearn    ScopeMode = "Learn"
	ScopeDeclared ScopeMode = "Declared"
)

// ScopeStatus is what was learned.
type ScopeStatus struct {
	// Learned services, by host. One that is not used for two weeks is forgotten.
	// +optional
	// +listType=map
	// +listMapKey=host
	Learned       []LearnedService `json:"learned,omitempty"`
	ProblemStatus `json:",inline"`
}

// LearnedService is a service that the account turned out to call.
type LearnedService struct {
	Host string `json:"host"`
	// How it was learned: Observed (calls were counted) or OnDemand (a call waited for it).
	How       string      `json:"how"`
	FirstSeen metav1.Time `json:"firstSeen"`
	// LastSeen is exact to six hours.
	LastSeen metav1.Time `json:"lastSeen"`
}

// ScopeList is a list of scopes.
//
// +kubebuilder:object:root=true
type ScopeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Scope `json:"items"`
}
