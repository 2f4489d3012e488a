package v1alpha1

// ApplyStage makes objects of the run's namespace have the fields that manifests say, as kubectl apply does on the
// server, and ends when their instances are ready. What a manifest no longer says stays. No object of the whole
// cluster, and none of weft's own. Its output is objects: how many.
type ApplyStage struct {
	// Manifests are YAML documents.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	Manifests string `json:"manifests,omitempty"`
	// From is the stage whose output "manifests" has the names of Blobs with more of them.
	// +optional
	// +kubebuilder:validation:MaxLength=40
	From string `json:"from,omitempty"`
}
