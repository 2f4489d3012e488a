package v1alpha1

// Runs says where the instances of an application are, so that weft can start and
// stop versions of it. None: somebody else does, and weft moves traffic alone.
//
// +kubebuilder:validation:ExactlyOneOf=kubernetes;host;provider
type Runs struct {
	// Kubernetes: the cluster that weft is in.
	// +optional
	Kubernetes *KubernetesRuns `json:"kubernetes,omitempty"`
	// Host: processes that agents start.
	// +optional
	Host *HostRuns `json:"host,omitempty"`
	// Provider: a program that speaks weft's provider protocol.
	// +optional
	Provider *ProviderRuns `json:"provider,omitempty"`
}

// KubernetesRuns is a workload of the team, in the application's namespace. It stays theirs: weft
// changes its template for a release, and nothing of it is lost when weft goes.
type KubernetesRuns struct {
	// Kind is Deployment or StatefulSet. Default: Deployment.
	// +optional
	// +kubebuilder:validation:Enum=Deployment;StatefulSet
	Kind string `json:"kind,omitempty"`
	// Name. Default: the application's.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// Container that has the application's image. Default: the only one, or that of the application's name.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container,omitempty"`
}

// HostRuns is a command on hosts whose operators let weft start it: weft host.
type HostRuns struct {
	// Command and its arguments: a program by its whole path, or in ${dir}. Replaced are ${version}, ${image},
	// ${port}, at which it is to listen on 127.0.0.1, and ${dir}, the folder of the artifact.
	// The artifact is the image that a version is deployed with, if that is https://... or file:///...
	// followed by @sha256: and 64 digits: a .tar.gz of files and folders.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=1024
	Command []string `json:"command"`
	// Hosts by label: name and value. None: every host that lets weft start the application.
	// +optional
	// +kubebuilder:validation:MaxProperties=20
	Hosts map[string]Value `json:"hosts,omitempty"`
	// Port at which it is called. None: it is not.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
	// Protocol of the port. Default: http.
	// +optional
	// +kubebuilder:validation:Enum=http;http2;grpc;tcp
	Protocol string `json:"protocol,omitempty"`
	// Health says when an instance is ready: a path, tcp, grpc or grpc:SERVICE. Default: tcp.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^(/.*|tcp|grpc|grpc:.+)$`
	Health string `json:"health,omitempty"`
}

// ProviderRuns names a provider and what it is told.
type ProviderRuns struct {
	// Name of a provider that weft serve was given.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Config map[string]Value `json:"config,omitempty"`
}
