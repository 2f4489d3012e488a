package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TrafficSplit says which versions of a service receive which share of its
// traffic. It applies wherever a route's destination names no subset, so people's
// own routes, timeouts and retries stay as they are. Releases write it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=split,categories=weft
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Service,type=string,JSONPath=.spec.service
// +kubebuilder:printcolumn:name=Versions,type=string,JSONPath=.spec.versions[*].version
// +kubebuilder:printcolumn:name=Weights,type=string,JSONPath=.spec.versions[*].weight
type TrafficSplit struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              TrafficSplitSpec `json:"spec,omitempty"`
	Status            TrafficStatus    `json:"status,omitempty"`
}

// TrafficSplitSpec is the share of each version.
type TrafficSplitSpec struct {
	// Service in the same namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Service string `json:"service"`
	// Versions with their shares; the sum is 100. A version of weight 0 is reached by its private
	// address alone: the header `x-weft-version: SERVICE=VERSION`.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:XValidation:rule="self.map(v, v.weight).sum() == 100",message="weights must sum to 100"
	// +listType=map
	// +listMapKey=version
	Versions []VersionWeight `json:"versions"`
}

// VersionWeight is one version's share.
type VersionWeight struct {
	// Version is the value of the workloads' version label.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Version string `json:"version"`
	// Weight in percent.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Weight int32 `json:"weight"`
}

// TrafficSplitList is a list of splits.
//
// +kubebuilder:object:root=true
type TrafficSplitList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TrafficSplit `json:"items"`
}

// TrafficStatus is the status of the kinds that only carry problems.
type TrafficStatus struct {
	ProblemStatus `json:",inline"`
}

// Fallback is the answer that callers of a service get when no backend of it
// answers. It counts as a failure in metrics and in release verdicts.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=weft
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Service,type=string,JSONPath=.spec.service
// +kubebuilder:printcolumn:name=Status,type=integer,JSONPath=.spec.response.status
type Fallback struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              FallbackSpec  `json:"spec,omitempty"`
	Status            TrafficStatus `json:"status,omitempty"`
}

// FallbackSpec says when to answer instead of the service, and what.
type FallbackSpec struct {
	// Service in the same namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Service string `json:"service"`
	// Statuses that are replaced. Default: 502, 503, 504.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	Statuses []int32 `json:"statuses,omitempty"`
	// Response to give instead.
	Response FallbackResponse `json:"response"`
}

// FallbackResponse is a whole HTTP response.
type FallbackResponse struct {
	// +optional
	// +kubebuilder:default=200
	// +kubebuilder:validation:Minimum=200
	// +kubebuilder:validation:Maximum=599
	Status int32 `json:"status,omitempty"`
	// ContentType of the body. Default: application/json.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ContentType string `json:"contentType,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Body string `json:"body,omitempty"`
}

// FallbackList is a list of fallbacks.
//
// +kubebuilder:object:root=true
type FallbackList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Fallback `json:"items"`
}
