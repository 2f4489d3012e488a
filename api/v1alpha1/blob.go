package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Blob is bytes that records refer to: the definition of a run, a chapter of its
// events, an output. It is written once. No secret is in one.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=weft-internal
type Blob struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              BlobSpec `json:"spec,omitempty"`
}

// BlobSpec is the bytes.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a blob is not changed"
type BlobSpec struct {
	// Data is compressed by gzip; at most 512 KiB.
	// +kubebuilder:validation:MaxLength=700000
	Data []byte `json:"data"`
	// Parts are the names of the Blobs that follow this one.
	// +optional
	// +kubebuilder:validation:MaxItems=250
	// +kubebuilder:validation:items:MaxLength=253
	Parts []string `json:"parts,omitempty"`
}

// Labels of a Blob.
const (
	BlobRunLabel = "weft.dev/run" // uid of the run that it is of
	BlobUseLabel = "weft.dev/use" // definition, chapter, output
)

// BlobList is a list of blobs.
//
// +kubebuilder:object:root=true
type BlobList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Blob `json:"items"`
}
