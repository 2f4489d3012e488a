package v1alpha1

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Application is what a team owns: one service, where its traffic enters and
// how a new version of it is released.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=app,categories=weft
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Strategy,type=string,JSONPath=.spec.strategy.type
// +kubebuilder:printcolumn:name=Version,type=string,JSONPath=.status.version
// +kubebuilder:printcolumn:name=Problems,type=integer,JSONPath=.status.problemCount
type Application struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ApplicationSpec   `json:"spec,omitempty"`
	Status            ApplicationStatus `json:"status,omitempty"`
}

// ServiceName is the short name of the service that leads to its versions.
func (a *Application) ServiceName() string { return cmp.Or(a.Spec.Service, a.Name) }

// ApplicationSpec says who owns the application and how it is released.
type ApplicationSpec struct {
	// Owner is the team to ask.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Owner string `json:"owner,omitempty"`
	// Service is the name of the service whose traffic is split between versions, in the
	// application's namespace. Default: the application's name.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Service string `json:"service,omitempty"`
	// Dependencies are the services that the application calls, named as it names them: ratings,
	// ratings.shop, or a host outside such as api.example.com. Its proxies know them before the
	// first call; what else it calls is learned, unless a Scope or Sidecar says otherwise.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Dependencies []string `json:"dependencies,omitempty"`
	// What calls to it need.
	Traffic `json:",inline"`
	// Runs says where its instances are, for who wants weft to start and stop versions.
	// +optional
	Runs *Runs `json:"runs,omitempty"`
	// Strategy is how a release moves traffic to a new version.
	// +optional
	Strategy Strategy `json:"strategy,omitempty"`
	// Notify are those who are told of its releases.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Notify []Notification `json:"notify,omitempty"`
	Rails  `json:",inline"`
}

// ApplicationStatus is what the application serves now.
type ApplicationStatus struct {
	// Version that serves, by the last completed release.
	// +optional
	Version string `json:"version,omitempty"`
	// Previous is the version that served before; undo goes back to it.
	// +optional
	Previous string `json:"previous,omitempty"`
	// Release that last changed traffic.
	// +optional
	Release       string `json:"release,omitempty"`
	ProblemStatus `json:",inline"`
}

// ApplicationList is a list of applications.
//
// +kubebuilder:object:root=true
type ApplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Application `json:"items"`
}

// ProblemStatus is the part of every status that names what is wrong with the
// object. Empty: nothing is.
type ProblemStatus struct {
	// ObservedGeneration is the generation that the problems were found in.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// ProblemCount is the number of problems, for tables.
	// +optional
	ProblemCount int32 `json:"problemCount,omitempty"`
	// Problems say, each in one sentence, what has no or only partial effect.
	// +optional
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is one reason why an object has no or only partial effect.
type Problem struct {
	// Code is stable, e.g. HostConflict, MissingService, NotHonoured.
	Code string `json:"code"`
	// Path is where in the object, e.g. spec.http[0].route[1].destination.
	// +optional
	Path string `json:"path,omitempty"`
	// Message is one sentence with the remedy.
	Message string `json:"message"`
}
