package v1alpha1

// DeployStage starts a version of an application beside those that run, and ends when all of its
// instances are ready. No traffic goes to it by that. It leaves a Version, from which undo can start it again.
type DeployStage struct {
	// Application in the namespace, which says in spec.runs where it runs. Default: the pipeline's.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Application string `json:"application,omitempty"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Version string `json:"version"`
	// Image, best by its digest. Default: as the manifests, or what runs, say.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Image string `json:"image,omitempty"`
	// Replicas is a number. Default: as many as the version with most has.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Replicas string `json:"replicas,omitempty"`
	// Manifests are the version's own objects, YAML documents. Neither they nor From: what runs, with another image.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	Manifests string `json:"manifests,omitempty"`
	// From is the stage whose output "manifests" has the names of Blobs with more of them.
	// +optional
	// +kubebuilder:validation:MaxLength=40
	From string `json:"from,omitempty"`
}

// ScaleStage gives a version, or Deployments and StatefulSets, so many instances; it ends when they are there and ready.
//
// +kubebuilder:validation:ExactlyOneOf=version;object
type ScaleStage struct {
	// Application in the namespace. Default: the pipeline's.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Application string `json:"application,omitempty"`
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Version string `json:"version,omitempty"`
	// Object, instead of a version.
	// +optional
	Object *ObjectTarget `json:"object,omitempty"`
	// Replicas is a number. 0 keeps what is needed to start the version again; a version with traffic is not given 0.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Replicas string `json:"replicas"`
}

// RestartStage replaces the instances of a version, or of Deployments and StatefulSets, a few at a time.
//
// +kubebuilder:validation:ExactlyOneOf=version;object
type RestartStage struct {
	// Application in the namespace. Default: the pipeline's.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Application string `json:"application,omitempty"`
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Version string `json:"version,omitempty"`
	// Object, instead of a version.
	// +optional
	Object *ObjectTarget `json:"object,omitempty"`
}

// DeleteStage ends a version, after its requests have ended; one with traffic is refused. Or it deletes objects,
// which are not asked about.
//
// +kubebuilder:validation:ExactlyOneOf=version;object
type DeleteStage struct {
	// Application in the namespace. Default: the pipeline's.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Application string `json:"application,omitempty"`
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Version string `json:"version,omitempty"`
	// Object, instead of a version.
	// +optional
	Object *ObjectTarget `json:"object,omitempty"`
}
