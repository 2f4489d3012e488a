package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Trigger starts runs of a pipeline by itself: one of its kinds is set. What was there
// before it was first looked at, was switched on or was changed starts nothing.
//
// +kubebuilder:validation:ExactlyOneOf=cron;git;image;pipeline;webhook
type Trigger struct {
	// Name, which is a part of what its runs and its address are named by.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`
	Name string `json:"name"`
	// Disabled: it starts nothing, and what happens meanwhile is not made up for.
	// +optional
	Disabled bool `json:"disabled,omitempty"`
	// When is an expression that says whether what happened starts a run: of trigger.facts and,
	// where there is a delivery, its body. None: it does.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	When string `json:"when,omitempty" expr:"bool"`
	// Parameters of the run: text with ${...}, such as ${trigger.facts.tag}.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Parameters map[string]Value `json:"parameters,omitempty"`

	// +optional
	Cron *CronTrigger `json:"cron,omitempty"`
	// +optional
	Git *GitTrigger `json:"git,omitempty"`
	// +optional
	Image *ImageTrigger `json:"image,omitempty"`
	// +optional
	Pipeline *PipelineTrigger `json:"pipeline,omitempty"`
	// +optional
	Webhook *WebhookTrigger `json:"webhook,omitempty"`
}

// CronTrigger starts a run at times. Facts: time; and missed, how many times before it nobody was there for.
type CronTrigger struct {
	// Schedule has five fields (minute, hour, day of month, month, day of week: 0 is Sunday), or Quartz's
	// six or seven (second, minute, hour, day of month, month, day of week: 1 is Sunday, year) with ?, L, W and #.
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=256
	Schedule string `json:"schedule"`
	// TimeZone by its IANA name, such as Europe/Berlin. Default: UTC. A time that a change of clocks leaves out
	// comes right after it, and one that comes twice is one.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	TimeZone string `json:"timeZone,omitempty"`
}

// GitTrigger starts a run for a commit that a branch comes to. One commit of a branch starts one run, however
// it is seen. Facts: branch, commit; by a delivery also author, who pushed.
type GitTrigger struct {
	// URL of the repository, https://HOST/PATH.
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=1024
	URL string `json:"url"`
	// Branch is a regular expression (RE2) for the whole name. Default: main.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Branch string `json:"branch,omitempty"`
	// Paths of which a push has to touch one: names with * and ?, where ** stands for any folders. None: all.
	// They need a hook, since polling sees no files.
	// +optional
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=256
	Paths []string `json:"paths,omitempty"`
	// Poll is how often the repository is asked, at least every 10s. None: it is not.
	// +optional
	Poll *metav1.Duration `json:"poll,omitempty"`
	// Secret in the namespace with username and password for polling. None: the repository asks for none.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Secret string `json:"secret,omitempty"`
	// Hook takes the deliveries of a forge at /hooks/NAMESPACE/PIPELINE/TRIGGER.
	// +optional
	Hook *ForgeHook `json:"hook,omitempty"`
}

// ForgeHook is who delivers pushes.
type ForgeHook struct {
	// +kubebuilder:validation:Enum=github;gitlab;gitea
	Forge string `json:"forge"`
	// SecretKey is NAME/KEY of a Secret in the namespace, with the secret that the forge was given.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=507
	SecretKey string `json:"secretKey"`
}

// ImageTrigger starts a run for each tag that comes to a registry. A tag that moves starts nothing.
// Facts: image (REPOSITORY:TAG), repository, tag, digest.
type ImageTrigger struct {
	// Repository is HOST/PATH, without a tag.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=512
	Repository string `json:"repository"`
	// Tag is a regular expression (RE2) for the whole tag. Default: all.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Tag string `json:"tag,omitempty"`
	// Version is a range of semantic versions, such as "^1.4" or ">=1.4 <3"; other tags are none of it.
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
	// Every is how often it is asked, at least every 10s. Default: 1m.
	// +optional
	Every *metav1.Duration `json:"every,omitempty"`
}

// PipelineTrigger starts a run when one of another pipeline has ended. Facts: pipeline, run, phase, and those
// of that run. Who started that one has started this one.
type PipelineTrigger struct {
	// Name of the pipeline, in the same namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Phases that it ends in. None: Succeeded.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=3
	// +kubebuilder:validation:items:Enum=Succeeded;Failed;Cancelled
	Phases []RunPhase `json:"phases,omitempty"`
}

// WebhookTrigger starts a run for a POST of JSON to /hooks/NAMESPACE/PIPELINE/TRIGGER that knows its secret: as
// Authorization: Bearer SECRET, or as X-Weft-Signature, sha256= and the HMAC of the body in hex.
type WebhookTrigger struct {
	// SecretKey is NAME/KEY of a Secret in the namespace.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=507
	SecretKey string `json:"secretKey"`
	// Facts are text with ${...} of the body, such as ${body.release.tag}.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Facts map[string]Value `json:"facts,omitempty" expr:"later"`
}

// TriggerStatus is what a trigger has seen. One writer: the server that leads.
type TriggerStatus struct {
	Name string `json:"name"`
	// Of stands for what it looks at: where that is another one, it begins anew.
	Of string `json:"of"`
	// Since is the time up to which everything was seen.
	// +optional
	Since *metav1.MicroTime `json:"since,omitempty"`
	// Seen are tags, "BRANCH COMMIT", or "TIME UID" of runs that ended since then.
	// +optional
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MaxLength=512
	Seen []string `json:"seen,omitempty"`
	// Next is when a schedule comes next.
	// +optional
	Next *metav1.MicroTime `json:"next,omitempty"`
	// Run is the newest that it started.
	// +optional
	Run string `json:"run,omitempty"`
	// Why says what is wrong, or what started nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Why string `json:"why,omitempty"`
}
