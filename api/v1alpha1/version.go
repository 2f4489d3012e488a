package v1alpha1

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Version is the record of one version of an application as it ran: from it, undo
// starts the version again when Git, the registry and CI are down. It is written
// once, but for Pins; a version that is deployed anew with other content gets another record.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=weft
// +kubebuilder:printcolumn:name=Application,type=string,JSONPath=.spec.application
// +kubebuilder:printcolumn:name=Version,type=string,JSONPath=.spec.version
// +kubebuilder:printcolumn:name=Image,type=string,JSONPath=.spec.image
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=.metadata.creationTimestamp
type Version struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              VersionSpec `json:"spec,omitempty"`
}

// VersionSpec is what ran.
//
// +kubebuilder:validation:XValidation:rule="has(self.run) == has(oldSelf.run) && has(self.image) == has(oldSelf.image) && has(self.manifests) == has(oldSelf.manifests)",message="the record of a version is not changed, but for pins"
type VersionSpec struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the record of a version is not changed"
	Application string `json:"application"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the record of a version is not changed"
	Version string `json:"version"`
	// Run that deployed it; none: it was found running.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the record of a version is not changed"
	Run string `json:"run,omitempty"`
	// Image, by its digest where the provider of its instances knows that.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the record of a version is not changed"
	Image string `json:"image,omitempty"`
	// Manifests names the Blob that has the version's own objects, YAML documents; none: it had none of its own.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the record of a version is not changed"
	Manifests string `json:"manifests,omitempty"`
	// Pins names the Blob that has what stood beside the version when it last served: the Application's spec, the objects
	// that lead its traffic, its ConfigMaps, and which Secrets it had, without their values; none: it has not served.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Pins string `json:"pins,omitempty"`
}

// VersionList is a list of versions.
//
// +kubebuilder:object:root=true
type VersionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Version `json:"items"`
}

var notInNames = regexp.MustCompile(`[^-a-z0-9]`)

// VersionName names the record of a version: no other application and version have it.
func VersionName(application, version string) string {
	sum := sha256.Sum256([]byte(application + "/" + version))
	return fmt.Sprintf("%s-%s-%x", application, notInNames.ReplaceAllString(strings.ToLower(version), "-"), sum[:4])
}
