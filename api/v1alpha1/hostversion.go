package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// HostVersion is one version of an application that runs as processes on hosts: how many
// there are to be, and which host has which. weft writes it, as stages and releases want
// it. Deleting it ends nothing: hosts go on with what they run.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=hv,categories=weft
// +kubebuilder:printcolumn:name=Application,type=string,JSONPath=.spec.application
// +kubebuilder:printcolumn:name=Version,type=string,JSONPath=.spec.version
// +kubebuilder:printcolumn:name=Wanted,type=integer,JSONPath=.spec.replicas
// +kubebuilder:printcolumn:name=Hosts,type=string,JSONPath=.spec.instances[*].host
// +kubebuilder:printcolumn:name=Image,type=string,JSONPath=.spec.image,priority=1
type HostVersion struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              HostVersionSpec `json:"spec,omitempty"`
}

// HostVersionSpec is what is to run.
type HostVersionSpec struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Application string `json:"application"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Version string `json:"version"`
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Image string `json:"image,omitempty"`
	// Run is what the Application said when the version was deployed.
	Run HostRuns `json:"run"`
	// Replicas that there are to be.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Replicas int32 `json:"replicas"`
	// Round is one more whenever the instances are to be replaced.
	// +optional
	Round int32 `json:"round,omitempty"`
	// Deleted: it is gone once its instances are.
	// +optional
	Deleted bool `json:"deleted,omitempty"`
	// Done is the last action that was done.
	Done HostAction `json:"done"`
	// Made is how many instances were ever made: the number of the newest.
	// +optional
	Made int32 `json:"made,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=5000
	Instances []HostInstance `json:"instances,omitempty"`
}

// HostAction is one that a stage or a release had done.
type HostAction struct {
	// +kubebuilder:validation:MaxLength=1024
	ID  string `json:"id"`
	Seq int64  `json:"seq"`
}

// HostInstance is a process that a host was told to run.
type HostInstance struct {
	// Name, also of its Workload.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host"`
	// Round that it was made in.
	// +optional
	Round int32 `json:"round,omitempty"`
	// Ends: it was told to end, and is listed until its host says that it has.
	// +optional
	Ends bool `json:"ends,omitempty"`
}

// HostVersionList is a list of versions on hosts.
//
// +kubebuilder:object:root=true
type HostVersionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []HostVersion `json:"items"`
}
