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
