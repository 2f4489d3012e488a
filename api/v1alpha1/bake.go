package v1alpha1

// BakeStage makes manifests of a Helm chart, a kustomization or a Jsonnet program in
// Git, in a jail: nothing outside of the folder is read, and nothing is fetched but that.
// Its outputs are manifests (names of Blobs, in order), images, objects (how many) and revision (the commit).
type BakeStage struct {
	// Kind of what is there.
	// +kubebuilder:validation:Enum=helm;kustomize;jsonnet
	Kind string `json:"kind"`
	// Repository is its URL. The server has to allow it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Repository string `json:"repository"`
	// Revision is a branch, a tag, a commit or refs/...
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Revision string `json:"revision"`
	// Folder of the repository, outside of which nothing is read. Default: all of it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Folder string `json:"folder,omitempty"`
	// Path in the folder: a chart, a kustomization, a program or a folder with main.jsonnet. Default: the folder.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Path string `json:"path,omitempty"`
	// Name of the release, for helm. Default: that of the chart.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// Namespace of the release, for helm. Default: default.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Namespace string `json:"namespace,omitempty"`
	// ValuesFiles of helm, relative to the path; a later one wins.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=1024
	ValuesFiles []string `json:"valuesFiles,omitempty"`
	// Values of helm, YAML, over those of the files.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	Values string `json:"values,omitempty"`
	// Set are texts over all values of helm, by dotted path: image.tag.
	// +optional
	// +kubebuilder:validation:MaxProperties=100
	Set map[string]Value `json:"set,omitempty"`
	// CRDs has what is in crds/ of a chart, too.
	// +optional
	CRDs bool `json:"crds,omitempty"`
	// Variables of jsonnet, for std.extVar.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Variables map[string]Value `json:"variables,omitempty"`
	// Arguments of jsonnet, for the function at the top of the program.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Arguments map[string]Value `json:"arguments,omitempty"`
}
