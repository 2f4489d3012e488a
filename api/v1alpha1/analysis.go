package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Others are asked for a verdict, too, beside what the proxies counted. Each must say that the version is
// good, and each alone can say that it is not. One that says nothing has said neither.
type Others struct {
	// Prometheus answers the queries.
	// +optional
	Prometheus *Prometheus `json:"prometheus,omitempty"`
	// Queries are numbers that have bounds.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Queries []Query `json:"queries,omitempty"`
	// Webhooks are asked for a verdict by POST.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=10
	Webhooks []VerdictWebhook `json:"webhooks,omitempty"`
}

// Any reports whether anybody is asked.
func (o Others) Any() bool { return len(o.Queries)+len(o.Webhooks) > 0 }

// Prometheus is a server with Prometheus' HTTP API.
type Prometheus struct {
	// URL before /api/v1, e.g. https://prometheus.example.com. One that is not public has to be allowed by
	// serve --webhook-allow.
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url"`
	// Token is NAME/KEY of a Secret in the namespace with a bearer token.
	// +optional
	// +kubebuilder:validation:MaxLength=507
	Token string `json:"token,omitempty"`
	// User of basic authentication, and Password: NAME/KEY of a Secret in the namespace.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	User string `json:"user,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=507
	Password string `json:"password,omitempty"`
}

// Query is one number, and what it has to be. At least one bound is given.
type Query struct {
	// Name in verdicts.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`
	Name string `json:"name"`
	// Query in PromQL that gives one number. ${version}, ${old}, ${application} and ${space} (the namespace) are replaced.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query" expr:"later"`
	// Min and Max are the least and the greatest good number, e.g. "0.01".
	// +optional
	// +kubebuilder:validation:Pattern=`^-?[0-9]{1,18}(\.[0-9]{1,9})?$`
	Min string `json:"min,omitempty"`
	// +optional
	// +kubebuilder:validation:Pattern=`^-?[0-9]{1,18}(\.[0-9]{1,9})?$`
	Max string `json:"max,omitempty"`
	// MaxRatio is the greatest good number divided by that of the old version, for which the query is asked with
	// ${version} being the old one.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9]{1,9}(\.[0-9]{1,9})?$`
	MaxRatio string `json:"maxRatio,omitempty"`
	Cadence  `json:",inline"`
}

// VerdictWebhook is POSTed what is known, and answers a verdict.
type VerdictWebhook struct {
	// Name in verdicts.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`
	Name string `json:"name"`
	// URL gets {application, namespace, version, old} as JSON, and answers {verdict, text}: verdict is pass, fail or
	// continue. It may be asked more often than the answer is used.
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url"`
	// +optional
	// +kubebuilder:validation:MaxItems=50
	Headers []WebhookHeader `json:"headers,omitempty"`
	Cadence `json:",inline"`
}

// Cadence is how often somebody is asked.
type Cadence struct {
	// Every is the time between two answers that count, and before the first of a step. Default: 30s; at least 1s.
	// +optional
	Every *metav1.Duration `json:"every,omitempty"`
	// Passes are good answers that a step needs. Default: 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Passes int32 `json:"passes,omitempty"`
	// Failures are bad answers that a step may have: one more ends it. Default: 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Failures int32 `json:"failures,omitempty"`
}

// AnalysisStage asks whether a version is good, and moves nothing. It succeeds where all say so, fails where
// one says that it is not, and asks a person where nobody knows by analysis.deadline.
type AnalysisStage struct {
	// Application in the namespace. Default: the pipeline's.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Application string `json:"application,omitempty"`
	// New is the version.
	// +kubebuilder:validation:MaxLength=256
	New string `json:"new"`
	// Old is compared with. Default: the serving version.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Old string `json:"old,omitempty"`
	// Alone compares with no other version: queries and webhooks decide.
	// +optional
	Alone bool `json:"alone,omitempty"`
	// +optional
	Analysis Analysis `json:"analysis,omitempty"`
	// Kayenta decides as Spinnaker's canary analysis does, by the points that analysis.prometheus has, and nobody else is asked.
	// +optional
	Kayenta *Kayenta `json:"kayenta,omitempty"`
}

// Kayenta is a canary analysis of Spinnaker.
type Kayenta struct {
	// Config is the canary configuration, as Kayenta stores it. Its metrics' queries are those of Prometheus.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	Config runtime.RawExtension `json:"config"`
	// Scopes say what is compared. A metric takes the one that its scopeName says, else the first.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	Scopes []KayentaScope `json:"scopes"`
	// Lifetime from the first point to the last judgement.
	Lifetime metav1.Duration `json:"lifetime"`
	// Interval between judgements. Default: the lifetime, so that there is one.
	// +optional
	Interval *metav1.Duration `json:"interval,omitempty"`
	// Delay before the first point.
	// +optional
	Delay *metav1.Duration `json:"delay,omitempty"`
	// Lookback is how much of the time before a judgement is judged. Default: all since the first point.
	// +optional
	Lookback *metav1.Duration `json:"lookback,omitempty"`
	// Marginal and Pass are scores, in place of those of the configuration: of each judgement it must be
	// above marginal, and of the last one at least pass.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9]{1,3}(\.[0-9]{1,4})?$`
	Marginal string `json:"marginal,omitempty"`
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9]{1,3}(\.[0-9]{1,4})?$`
	Pass string `json:"pass,omitempty"`
}

// KayentaScope is one pair of what is compared. In queries, ${scope}, ${location} and the parameters' names are
// replaced, for control and experiment in turn.
type KayentaScope struct {
	// Name that metrics have for it. Default: default.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Control string `json:"control,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ControlLocation string `json:"controlLocation,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Experiment string `json:"experiment,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ExperimentLocation string `json:"experimentLocation,omitempty"`
	// Step between points. Default: 1m.
	// +optional
	Step *metav1.Duration `json:"step,omitempty"`
	// Parameters for queries of both.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Parameters map[string]Value `json:"parameters,omitempty"`
}
