package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ObjectTarget is objects of one kind, in the namespace of the run: never of the whole cluster, and none of weft's
// own. One has a name, or several have labels.
//
// +kubebuilder:validation:ExactlyOneOf=name;selector
type ObjectTarget struct {
	// APIVersion, such as apps/v1. Default: that of Kubernetes' own kind of this name.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	APIVersion string `json:"apiVersion,omitempty"`
	// Kind, such as Deployment.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Kind string `json:"kind"`
	// Namespace: the run's, which is the default, and no other one.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Namespace string `json:"namespace,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name,omitempty"`
	// Selector of labels, such as "app=reviews,tier in (web)": at most 50 objects. What only says which labels
	// there are not is refused: it takes everything.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Selector string `json:"selector,omitempty"`
}

// PatchStage changes fields of one object, and waits until it is as it says. Its outputs are kind and name.
type PatchStage struct {
	// Object by its name.
	// +kubebuilder:validation:XValidation:rule="!has(self.selector)",message="a patch is of one object: give its name"
	Object ObjectTarget `json:"object"`
	// Type of the patch, as kubectl's: strategic, merge or json. Default: strategic.
	// +optional
	// +kubebuilder:validation:Enum=strategic;merge;json
	Type string `json:"type,omitempty"`
	// Patch is JSON or YAML: fields, or for json a list of operations.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Patch string `json:"patch"`
}

// RunJobStage runs a Job of Kubernetes in the namespace of the run, once, and deletes it when it has ended. What is
// not said otherwise is tried once. Its outputs are job, log (its last lines) and what outputsFrom gives.
//
// +kubebuilder:validation:ExactlyOneOf=manifest;image
type RunJobStage struct {
	// Manifest of a Job of batch/v1, YAML. Its name is the stage's.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	Manifest string `json:"manifest,omitempty"`
	// Image of the only container, instead of a manifest.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Image string `json:"image,omitempty"`
	// Command of the image's container. Default: the image's own.
	// +optional
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=4096
	Command []string `json:"command,omitempty"`
	// Args of the command.
	// +optional
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=4096
	Args []string `json:"args,omitempty"`
	// Env of the image's container.
	// +optional
	// +kubebuilder:validation:MaxItems=50
	Env []JobVariable `json:"env,omitempty"`
	// ServiceAccount of the image's pod. Default: the namespace's.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// Deadline, after which Kubernetes ends the Job, also where weft is down. Default: as the manifest says; the
	// stage's timeout ends it anyway.
	// +optional
	Deadline *metav1.Duration `json:"deadline,omitempty"`
	// Container whose output counts. Default: the first.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container,omitempty"`
	// OutputsFrom is where lines NAME=VALUE are read: file, which is what the container wrote to its
	// terminationMessagePath (/dev/termination-log), or log, of which those lines count that begin with WEFT_OUTPUT_ or
	// SPINNAKER_PROPERTY_. All have at most 2 KiB. Default: none are.
	// +optional
	// +kubebuilder:validation:Enum=file;log
	OutputsFrom string `json:"outputsFrom,omitempty"`
}

// JobVariable is one variable of a Job's environment.
type JobVariable struct {
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_.-]{0,127}$`
	Name string `json:"name"`
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value,omitempty"`
	// SecretKey is NAME/KEY of a Secret in the run's namespace that holds the value.
	// +optional
	// +kubebuilder:validation:MaxLength=507
	SecretKey string `json:"secretKey,omitempty"`
}

// FindArtifactStage finds what to deploy: the newest tag of an image, or what a run of another pipeline gave.
//
// +kubebuilder:validation:ExactlyOneOf=image;run
type FindArtifactStage struct {
	// +optional
	Image *FindImage `json:"image,omitempty"`
	// +optional
	Run *FindRun `json:"run,omitempty"`
}

// FindImage is the newest tag of a repository. Outputs: image (REPOSITORY@DIGEST), repository, tag, digest.
type FindImage struct {
	// Repository is HOST/PATH, without a tag.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=512
	Repository string `json:"repository"`
	// Tag is a regular expression (RE2) for the whole tag. Default: all. Without version the newest is the last
	// one where numbers count as numbers: build-10 is after build-9.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Tag string `json:"tag,omitempty"`
	// Version is a range of semantic versions, such as "^1.4" or ">=1.4 <3", of which the newest is the highest.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Version string `json:"version,omitempty"`
	// Secret in the namespace with username and password. None: the registry asks for none.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Secret string `json:"secret,omitempty"`
	// Insecure: the registry has no TLS.
	// +optional
	Insecure bool `json:"insecure,omitempty"`
}

// FindRun is the last run of another pipeline of the namespace that ended. Outputs: run, and those of the stage.
type FindRun struct {
	// Pipeline of the namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Pipeline string `json:"pipeline"`
	// Stage of it, whose outputs are taken.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	Stage string `json:"stage"`
	// Phases that the run ended in. None: Succeeded.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=3
	// +kubebuilder:validation:items:Enum=Succeeded;Failed;Cancelled
	Phases []RunPhase `json:"phases,omitempty"`
}
