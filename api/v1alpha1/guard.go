package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Freeze is one switch: as long as it is there, nothing new is brought into service, but by
// those whom it lets through. What is on its way holds where it is, and may always go back.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,categories=weft
// +kubebuilder:printcolumn:name=Reason,type=string,JSONPath=.spec.reason
// +kubebuilder:printcolumn:name=By,type=string,JSONPath=.spec.by
// +kubebuilder:printcolumn:name=Until,type=date,JSONPath=.spec.until
type Freeze struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              FreezeSpec `json:"spec,omitempty"`
}

// FreezeSpec says what is frozen, why and how long. Empty lists are no limit: everything is.
type FreezeSpec struct {
	// Reason is what people are told who wait.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason"`
	// Except are groups: what a member of one started is let through.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	Except []string `json:"except,omitempty"`
	// Namespaces that are frozen.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=63
	Namespaces []string `json:"namespaces,omitempty"`
	// Applications that are frozen, by name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=63
	Applications []string `json:"applications,omitempty"`
	// Environments that are frozen, as applications name theirs.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=63
	Environments []string `json:"environments,omitempty"`
	// From and Until are when it holds. Default: from now on, until it is deleted.
	// +optional
	From *metav1.Time `json:"from,omitempty"`
	// +optional
	Until *metav1.Time `json:"until,omitempty"`
	// By is who froze, and Groups are theirs: what the API server says, or it refuses.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	By string `json:"by,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
}

// FreezeList is a list of freezes.
//
// +kubebuilder:object:root=true
type FreezeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Freeze `json:"items"`
}

// Window is when something may begin.
type Window struct {
	// TimeZone of the times, as the IANA names it: Europe/Berlin, UTC.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	TimeZone string `json:"timeZone"`
	// Open are the times: days, if not all, and hours by the clock on the wall, such as Mon-Thu 10:00-16:00,
	// Sat,Sun 22:00-02:00 (which ends the next day) or 09:00-24:00.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^((Mon|Tue|Wed|Thu|Fri|Sat|Sun)([-,](Mon|Tue|Wed|Thu|Fri|Sat|Sun))* )?[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$`
	Open []string `json:"open"`
	// Jitter is how much later than at the start of the time some may begin, each at a moment of its own, so that
	// not all do at once. Default: none.
	// +optional
	Jitter *metav1.Duration `json:"jitter,omitempty"`
}

// Rails are what keeps an application from being changed by the wrong people or at the wrong time.
type Rails struct {
	// Environment that the application is in, such as production, for freezes.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Environment string `json:"environment,omitempty"`
	// Roles are who may do what, where not everybody may whom the API server lets.
	// +optional
	Roles Roles `json:"roles,omitempty"`
	// Windows, in one of which anything begins that acts on the application. None: always.
	// +optional
	// +kubebuilder:validation:MaxItems=10
	Windows []Window `json:"windows,omitempty"`
	// FourEyes: who started a run or a release, or wrote the commit that did, neither approves nor promotes it.
	// +optional
	FourEyes bool `json:"fourEyes,omitempty"`
}

// Roles are groups, one of which a person must be in. None: no role is needed. Administrators
// (group system:masters) need none.
type Roles struct {
	// Release: to start runs and releases, to retry and to skip.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	Release []string `json:"release,omitempty"`
	// Approve: to judge, and to promote.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	Approve []string `json:"approve,omitempty"`
	// Undo: to cancel and to abort, as who may release may.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	Undo []string `json:"undo,omitempty"`
	// Freeze: to freeze the application, and to lock its pipelines.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	Freeze []string `json:"freeze,omitempty"`
}
