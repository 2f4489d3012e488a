package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// The tag expr marks a field that is one expression (bool), or whose ${...} the stage replaces itself,
// because they need what it finds out (later).

// Stage is one node of a pipeline: exactly one of its kinds is set. Text of a
// kind may have expressions, ${...}, in CEL.
//
// +kubebuilder:validation:ExactlyOneOf=wait;judgment;check;variables;webhook;pipeline;release;analysis;notify;deploy;scale;restart;delete;enable;disable;undo;bake;apply;patch;runJob;findArtifact;unsupported
type Stage struct {
	// Name within the pipeline.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`
	Name string `json:"name"`
	// Title for people. Default: the name.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Title string `json:"title,omitempty"`
	// After names the stages that must have ended before this one starts. None: it starts at once.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=40
	After []string `json:"after,omitempty"`
	// When is a CEL expression; where it is false the stage is skipped, and what comes after it still runs.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	When string `json:"when,omitempty"`
	// OnFailure is fail (the run ends, other branches are cancelled), stop (this branch ends),
	// continue (as if it had succeeded) or failLater (the run fails after its other branches). Default: fail.
	// +optional
	// +kubebuilder:validation:Enum=fail;stop;continue;failLater
	OnFailure FailureMode `json:"onFailure,omitempty"`
	// Timeout, after which the stage has failed. Default: 2h; 72h for what may wait
	// for a person (judgment, release, pipeline, enable, disable, undo, analysis); none for a wait, which ends by itself.
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// Windows, in one of which the stage starts, beside those of the pipeline and the application.
	// +optional
	// +kubebuilder:validation:MaxItems=10
	Windows []Window `json:"windows,omitempty"`

	// +optional
	Wait *WaitStage `json:"wait,omitempty"`
	// +optional
	Judgment *JudgmentStage `json:"judgment,omitempty"`
	// +optional
	Check *CheckStage `json:"check,omitempty"`
	// +optional
	Variables *VariablesStage `json:"variables,omitempty"`
	// +optional
	Webhook *WebhookStage `json:"webhook,omitempty"`
	// +optional
	Pipeline *PipelineStage `json:"pipeline,omitempty"`
	// +optional
	Release *ReleaseStage `json:"release,omitempty"`
	// +optional
	Analysis *AnalysisStage `json:"analysis,omitempty"`
	// +optional
	Notify *NotifyStage `json:"notify,omitempty"`
	// +optional
	Deploy *DeployStage `json:"deploy,omitempty"`
	// +optional
	Scale *ScaleStage `json:"scale,omitempty"`
	// +optional
	Restart *RestartStage `json:"restart,omitempty"`
	// +optional
	Delete *DeleteStage `json:"delete,omitempty"`
	// +optional
	Enable *EnableStage `json:"enable,omitempty"`
	// +optional
	Disable *DisableStage `json:"disable,omitempty"`
	// +optional
	Undo *UndoStage `json:"undo,omitempty"`
	// +optional
	Bake *BakeStage `json:"bake,omitempty"`
	// +optional
	Apply *ApplyStage `json:"apply,omitempty"`
	// +optional
	Patch *PatchStage `json:"patch,omitempty"`
	// +optional
	RunJob *RunJobStage `json:"runJob,omitempty"`
	// +optional
	FindArtifact *FindArtifactStage `json:"findArtifact,omitempty"`
	// +optional
	Unsupported *UnsupportedStage `json:"unsupported,omitempty"`
}

// FailureMode is what a failed stage means for its run.
type FailureMode string

const (
	FailRun      FailureMode = "fail"
	FailStop     FailureMode = "stop"
	FailContinue FailureMode = "continue"
	FailLater    FailureMode = "failLater"
)

// WaitStage lets time pass.
type WaitStage struct {
	// For is a duration such as 10m, or an expression that gives one.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	For string `json:"for"`
}

// JudgmentStage asks a person.
type JudgmentStage struct {
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Instructions string `json:"instructions,omitempty"`
	// Options to choose from; expressions read the choice as stages.NAME.outputs.choice. None: go on, or stop.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=63
	Options []string `json:"options,omitempty"`
	// Roles are groups, one of which the person must be in. None: whoever may write Decisions.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	Roles []string `json:"roles,omitempty"`
	// AllowSelf lets the person judge who started the run.
	// +optional
	AllowSelf bool `json:"allowSelf,omitempty"`
}

// CheckStage fails where an expression is not true.
type CheckStage struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Expression string `json:"expression" expr:"bool"`
	// Message to fail with.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}

// VariablesStage evaluates expressions; its outputs have the values.
type VariablesStage struct {
	// Set in this order; a later one sees the earlier ones.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Set []Variable `json:"set" expr:"later"`
}

// Variable is one value.
type Variable struct {
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]{0,62}$`
	Name string `json:"name"`
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value"`
}

// WebhookStage calls an address outside.
type WebhookStage struct {
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url"`
	// +optional
	// +kubebuilder:validation:Enum=GET;POST;PUT;PATCH;DELETE
	Method string `json:"method,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxItems=50
	Headers []WebhookHeader `json:"headers,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	Body string `json:"body,omitempty"`
	// Idempotent: the call may be repeated where nobody knows whether it arrived. It carries an
	// Idempotency-Key. Otherwise a person is asked. Always so for GET.
	// +optional
	Idempotent bool `json:"idempotent,omitempty"`
	// Poll asks until the work that the call began has ended.
	// +optional
	Poll *WebhookPoll `json:"poll,omitempty"`
}

// WebhookHeader is one header.
type WebhookHeader struct {
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name"`
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value,omitempty"`
	// SecretKey is NAME/KEY of a Secret in the run's namespace that holds the value.
	// +optional
	// +kubebuilder:validation:MaxLength=507
	SecretKey string `json:"secretKey,omitempty"`
}

// WebhookPoll asks for a state. Expressions see status, an int, and body, the parsed answer.
type WebhookPoll struct {
	// URL may use the first answer: ${body.url}. Default: that of the call.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty" expr:"later"`
	// +optional
	Every *metav1.Duration `json:"every,omitempty"`
	// +kubebuilder:validation:MaxLength=4096
	Succeeded string `json:"succeeded" expr:"bool"`
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Failed string `json:"failed,omitempty" expr:"bool"`
}

// PipelineStage runs another pipeline of the namespace.
type PipelineStage struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Parameters map[string]Value `json:"parameters,omitempty"`
	// NoWait: it has succeeded when that one has started.
	// +optional
	NoWait bool `json:"noWait,omitempty"`
}

// ReleaseStage shifts an application's traffic to a version, by a Release.
type ReleaseStage struct {
	// Application in the namespace. Default: the pipeline's.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Application string `json:"application,omitempty"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Version string `json:"version"`
	// Strategy for this release alone. Default: the application's.
	// +optional
	Strategy *Strategy `json:"strategy,omitempty"`
}

// UnsupportedStage is one that an importer kept and weft cannot run: a run that reaches it fails and says so.
type UnsupportedStage struct {
	// Type it had where it came from.
	// +kubebuilder:validation:MaxLength=253
	Type string `json:"type"`
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	Original *runtime.RawExtension `json:"original,omitempty"`
}
