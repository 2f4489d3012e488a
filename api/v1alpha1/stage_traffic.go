package v1alpha1

// EnableStage gives a version all traffic of its application at once, by a Release: strategy blueGreen, whatever
// the application's is.
type EnableStage struct {
	// Application in the namespace. Default: the pipeline's.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Application string `json:"application,omitempty"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Version string `json:"version"`
}

// DisableStage takes a version out of traffic, by a Release: the other version with most of it gets all.
// The only version with traffic is not disabled.
type DisableStage struct {
	// Application in the namespace. Default: the pipeline's.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Application string `json:"application,omitempty"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Version string `json:"version"`
}

// UndoStage gives all traffic back to an earlier version at once, by a Release that undoes, and starts the
// version from its record where nothing of it runs any more.
type UndoStage struct {
	// Application in the namespace. Default: the pipeline's.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Application string `json:"application,omitempty"`
	// To is a version. Default: the one that served before.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	To string `json:"to,omitempty"`
	// Routes puts back what led the application's traffic when the version served, as weft undo --routes does, with weft's
	// own rights. Where something cannot be put back, traffic goes back all the same, and the stage fails.
	// +optional
	Routes bool `json:"routes,omitempty"`
	// Config puts back the Application, but for roles, fourEyes and windows, and the ConfigMaps of its instances, as weft
	// undo --config does.
	// +optional
	Config bool `json:"config,omitempty"`
	// Reason, for who reads the record.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
}
