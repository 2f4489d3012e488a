package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Resilience is how a service is called: timeouts, retries, breakers, fallbacks, of the whole
// service and of single paths. What the rule of a route or a DestinationRule says itself wins, setting by
// setting; what an Application says comes after it. `weft get resilience` shows what holds, and who says so.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=weft
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Services,type=string,JSONPath=.spec.targetRefs[*].name
// +kubebuilder:printcolumn:name=Timeout,type=string,JSONPath=.spec.timeout
// +kubebuilder:printcolumn:name=Retries,type=integer,JSONPath=.spec.retries
// +kubebuilder:printcolumn:name=Problems,type=integer,JSONPath=.status.problemCount
type Resilience struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ResilienceSpec `json:"spec,omitempty"`
	Status            TrafficStatus  `json:"status,omitempty"`
}

// ResilienceSpec says of which services, and what.
type ResilienceSpec struct {
	// TargetRefs are services of the same namespace.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	TargetRefs []ServiceTarget `json:"targetRefs"`
	// What holds of every request.
	CallPolicy `json:",inline"`
	// Paths are exceptions: the first one that a request fits is what holds of it, and what that one does not
	// say is as above.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Paths []PathPolicy `json:"paths,omitempty"`
	// RetryBudget is how many of the requests under way at one caller's proxy may be retries. Default: 20%, and
	// always 10.
	// +optional
	RetryBudget Percent `json:"retryBudget,omitempty"`
	// CircuitBreaker is what each proxy may have under way towards the service; what is beyond it fails at once.
	// +optional
	CircuitBreaker *CircuitBreaker `json:"circuitBreaker,omitempty"`
	// ConnectionPool is how each proxy keeps connections.
	// +optional
	ConnectionPool *ConnectionPool `json:"connectionPool,omitempty"`
	// OutlierDetection leaves out instances that fail, for a while.
	// +optional
	OutlierDetection *OutlierDetection `json:"outlierDetection,omitempty"`
	// AdaptiveConcurrency has each instance take as many requests at once as keep it quick: its proxy measures what
	// the answers take, and refuses more with 503.
	// +optional
	AdaptiveConcurrency *AdaptiveConcurrency `json:"adaptiveConcurrency,omitempty"`
}

// ServiceTarget is a service in the namespace of what names it.
type ServiceTarget struct {
	// Group of the kind. Default: that of Kubernetes' Service, "".
	// +optional
	// +kubebuilder:validation:Enum=""
	Group string `json:"group,omitempty"`
	// +kubebuilder:validation:Enum=Service
	Kind string `json:"kind"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
}

// Percent is a whole share, such as 20%.
//
// +kubebuilder:validation:Pattern=`^(100|[1-9]?[0-9])%$`
type Percent string

// Calls are the settings of calls that an Application has, too.
type Calls struct {
	// Timeout of a request with all its attempts, such as 2s.
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// Retries after the first attempt of a request that failed: it could not be sent, was reset,
	// or was answered with 502, 503 or 504. Never of a POST or PATCH without an Idempotency-Key.
	// Default: two, for what certainly reached nobody or was answered with 503.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	Retries *int32 `json:"retries,omitempty"`
	// Idempotent says that every request may be repeated, a POST too.
	// +optional
	Idempotent bool `json:"idempotent,omitempty"`
}

// CallPolicy is how a request is made.
type CallPolicy struct {
	Calls `json:",inline"`
	// TryTimeout of one attempt: one that takes longer is given up, and is repeated as retries say.
	// +optional
	TryTimeout *metav1.Duration `json:"tryTimeout,omitempty"`
	// HedgeAfter has a second attempt made beside one that has not answered by then: the first answer counts. Only of
	// requests that may be repeated, as often as retries say.
	// +optional
	HedgeAfter *metav1.Duration `json:"hedgeAfter,omitempty"`
	// Fallback is what callers get instead of a failure.
	// +optional
	Fallback *Fallback `json:"fallback,omitempty"`
}

// PathPolicy is how requests of some paths are made.
//
// +kubebuilder:validation:XValidation:rule="has(self.prefix) != has(self.exact)",message="write one of prefix and exact"
type PathPolicy struct {
	// Prefix of whole path elements: /search takes /search and /search/all, and not /searching.
	// +optional
	// +kubebuilder:validation:Pattern=`^/[^?#]*$`
	// +kubebuilder:validation:MaxLength=512
	Prefix string `json:"prefix,omitempty"`
	// Exact path.
	// +optional
	// +kubebuilder:validation:Pattern=`^/[^?#]*$`
	// +kubebuilder:validation:MaxLength=512
	Exact string `json:"exact,omitempty"`
	// Methods of the requests; none: every one.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=9
	// +kubebuilder:validation:items:Enum=GET;HEAD;POST;PUT;PATCH;DELETE;OPTIONS;TRACE;CONNECT
	Methods    []string `json:"methods,omitempty"`
	CallPolicy `json:",inline"`
}

// Fallback is what callers get when a request failed. It counts as a failure in metrics and in release
// verdicts, and its answer has the header x-weft-fallback.
//
// +kubebuilder:validation:XValidation:rule="has(self.response) != has(self.service)",message="write one of response and service"
type Fallback struct {
	// Statuses that are replaced, whoever answers them. Default: 502, 503, 504; none, if failures are named.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:Minimum=400
	// +kubebuilder:validation:items:Maximum=599
	Statuses []int32 `json:"statuses,omitempty"`
	// Failures that are replaced: Timeout (the request, or its last attempt, took too long), ConnectFailure (no instance
	// is there, or none takes a connection), BreakerOpen (too much was under way). An answer of the service is none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=3
	Failures []Failure `json:"failures,omitempty"`
	// Response to give instead.
	// +optional
	Response *FallbackResponse `json:"response,omitempty"`
	// Service of the same namespace that is asked instead, for GET and HEAD alone: other requests get the failure.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Service string `json:"service,omitempty"`
}

// Failure is why a proxy answered instead of the service.
//
// +kubebuilder:validation:Enum=Timeout;ConnectFailure;BreakerOpen
type Failure string

const (
	FailedTimeout Failure = "Timeout"
	FailedConnect Failure = "ConnectFailure"
	FailedBreaker Failure = "BreakerOpen"
)

// FallbackResponse is a whole HTTP response.
type FallbackResponse struct {
	// +optional
	// +kubebuilder:default=200
	// +kubebuilder:validation:Minimum=200
	// +kubebuilder:validation:Maximum=599
	Status int32 `json:"status,omitempty"`
	// ContentType of the body. Default: application/json.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ContentType string `json:"contentType,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Body string `json:"body,omitempty"`
}

// CircuitBreaker is what one proxy may have under way towards the service.
//
// +kubebuilder:validation:MinProperties=1
type CircuitBreaker struct {
	// Connections at once. Default: 4096.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Connections int32 `json:"connections,omitempty"`
	// Requests at once. Default: 16384.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Requests int32 `json:"requests,omitempty"`
	// Pending requests, that wait for a connection. Default: 4096.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Pending int32 `json:"pending,omitempty"`
}

// ConnectionPool is how one proxy keeps connections to the service.
//
// +kubebuilder:validation:MinProperties=1
type ConnectionPool struct {
	// ConnectTimeout until a connection stands. Default: 5s.
	// +optional
	ConnectTimeout *metav1.Duration `json:"connectTimeout,omitempty"`
	// IdleTimeout after which an unused connection is closed. Default: 1h.
	// +optional
	IdleTimeout *metav1.Duration `json:"idleTimeout,omitempty"`
	// MaxAge after which a connection gets no more requests. Default: none.
	// +optional
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`
	// RequestsPerConnection before it is closed. Default: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=1
	RequestsPerConnection int32 `json:"requestsPerConnection,omitempty"`
}

// OutlierDetection says which instances a proxy leaves out.
type OutlierDetection struct {
	// Errors in a row, 5xx or connections that failed, after which an instance is left out. Default: 5.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Errors int32 `json:"errors,omitempty"`
	// Every is how often it is looked. Default: 10s.
	// +optional
	Every *metav1.Duration `json:"every,omitempty"`
	// LeftOutFor the first time; each time longer. Default: 30s.
	// +optional
	LeftOutFor *metav1.Duration `json:"leftOutFor,omitempty"`
	// AtMost is how many of the instances may be left out at once. Default: 50%.
	// +optional
	AtMost Percent `json:"atMost,omitempty"`
}

// AdaptiveConcurrency is how the limit of an instance's requests at once is found.
type AdaptiveConcurrency struct {
	// AtMost is above which the limit never grows. Default: 1000.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	AtMost int32 `json:"atMost,omitempty"`
	// AtLeast is below which it never falls. Default: 3.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	AtLeast int32 `json:"atLeast,omitempty"`
	// Every is how often the limit is set anew, of what answers took since. Default: 100ms.
	// +optional
	Every *metav1.Duration `json:"every,omitempty"`
	// MeasureEvery is how often it is measured what answers take of an instance that has little to do. Default: 1m.
	// +optional
	MeasureEvery *metav1.Duration `json:"measureEvery,omitempty"`
}

// ResilienceList is a list of them.
//
// +kubebuilder:object:root=true
type ResilienceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Resilience `json:"items"`
}
