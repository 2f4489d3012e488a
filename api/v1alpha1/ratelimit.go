package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RateLimit bounds how many requests a service takes in, or how many pass a gateway or one of
// its routes. A request that is refused is answered with 429, and Retry-After says in how many
// seconds there is room again; a call of gRPC ends as RESOURCE_EXHAUSTED.
//
// All limits that a request meets hold, of one object or of several: those with a key are asked
// first, and what one refuses does not count for those behind it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=limit,categories=weft
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Targets,type=string,JSONPath=.spec.targetRefs[*].name
// +kubebuilder:printcolumn:name=Limits,type=string,JSONPath=.spec.limits[*].name
// +kubebuilder:printcolumn:name=Requests,type=string,JSONPath=.spec.limits[*].requests
// +kubebuilder:printcolumn:name=Per,type=string,JSONPath=.spec.limits[*].per
// +kubebuilder:printcolumn:name=Scope,type=string,JSONPath=.spec.limits[*].scope
// +kubebuilder:printcolumn:name=Problems,type=integer,JSONPath=.status.problemCount
type RateLimit struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              RateLimitSpec `json:"spec,omitempty"`
	Status            TrafficStatus `json:"status,omitempty"`
}

// RateLimitSpec says what is limited, and how.
type RateLimitSpec struct {
	// TargetRefs are what the limits are for, in the same namespace. Each target has budgets of
	// its own.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	TargetRefs []LimitTarget `json:"targetRefs"`
	// Limits that hold for each target.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Limits []Limit `json:"limits"`
}

// LimitTarget is a Service, whose instances count what they take in, a Gateway, or a route at a
// gateway.
//
// +kubebuilder:validation:XValidation:rule="self.kind != 'Service' || !has(self.group) || size(self.group) == 0",message="a Service is of the group that has no name: remove group"
// +kubebuilder:validation:XValidation:rule="self.kind == 'Service' || !has(self.group) || self.group == 'gateway.networking.k8s.io'",message="group is gateway.networking.k8s.io, or left out"
type LimitTarget struct {
	// Group of the kind. Default: the one that has it, gateway.networking.k8s.io or, of a Service, none.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
	// Kind of the target.
	// +kubebuilder:validation:Enum=Service;Gateway;HTTPRoute;GRPCRoute
	Kind string `json:"kind"`
	// Name of the target.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// SectionName is a part of the target: the name of a Service's port, of a Gateway's listener,
	// or of a route's rule. Default: all of it.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SectionName string `json:"sectionName,omitempty"`
}

// Limit is so many requests in a time. They are spread over it: with 60 per minute, one more is
// let in every second, and up to burst together after a time without any.
//
// +kubebuilder:validation:XValidation:rule="!has(self.onFailure) || has(self.scope) && self.scope == 'global'",message="onFailure is for scope: global; a proxy that counts alone asks nobody"
type Limit struct {
	// Name of the limit, in metrics and answers.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// Requests that are let in per unit of time.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Requests int32 `json:"requests"`
	// Per is the unit of time.
	// +kubebuilder:validation:Enum=second;minute;hour;day
	Per string `json:"per"`
	// Burst is how many may come at once after a time without requests. Default: requests.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Burst int32 `json:"burst,omitempty"`
	// Match says which requests the limit is for. Default: all.
	// +optional
	Match *LimitMatch `json:"match,omitempty"`
	// Key is what tells those apart that have a budget each: with several parts, each combination
	// of their values has one. A request that has no such value counts for the budget of all that
	// have none, so that nobody evades the limit by leaving it out. Default: one budget for all.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4
	Key []LimitKey `json:"key,omitempty"`
	// Scope is proxy (each proxy counts alone, asks nobody and adds next to no time; a service of n
	// instances takes n times as many, and a change of what the proxy is told begins anew) or
	// global (weft counts for all proxies; each request asks it). Default: proxy.
	// +optional
	// +kubebuilder:default=proxy
	// +kubebuilder:validation:Enum=proxy;global
	Scope string `json:"scope,omitempty"`
	// Shadow counts and refuses nobody: metrics say what would have been refused.
	// +optional
	Shadow bool `json:"shadow,omitempty"`
	// OnFailure says what becomes of requests while weft does not answer a proxy that asks: open
	// (they are let in) or closed (they are answered with 503). Default: open.
	// +optional
	// +kubebuilder:validation:Enum=open;closed
	OnFailure string `json:"onFailure,omitempty"`
}

// LimitMatch holds if one of the paths, one of the methods and all of the headers do; a list
// that is empty holds.
//
// +kubebuilder:validation:MinProperties=1
type LimitMatch struct {
	// Paths, without the query.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Paths []LimitPath `json:"paths,omitempty"`
	// Methods, such as POST.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:Pattern=`^[A-Z]{1,32}$`
	Methods []string `json:"methods,omitempty"`
	// Headers.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Headers []LimitHeader `json:"headers,omitempty"`
}

// LimitPath is one path, or all below one.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:MaxProperties=1
type LimitPath struct {
	// Exact path.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^/[^?#]*$`
	Exact string `json:"exact,omitempty"`
	// Prefix of whole elements: /api takes /api and /api/x, and not /apis.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^/[^?#]*$`
	Prefix string `json:"prefix,omitempty"`
}

// LimitHeader is a header that a request has.
type LimitHeader struct {
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+\-.^_|~]+$`
	Name string `json:"name"`
	// Value, exact. Default: any.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value,omitempty"`
}

// LimitKey is one thing by which requests are told apart.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:MaxProperties=1
// +kubebuilder:validation:XValidation:rule="!has(self.caller) || self.caller",message="write caller: true, or remove it"
// +kubebuilder:validation:XValidation:rule="!has(self.address) || self.address",message="write address: true, or remove it"
type LimitKey struct {
	// Header is the name of a header, whose value it is. Whoever calls may write what it likes there.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$&'*+\-.^_|~]+$`
	Header string `json:"header,omitempty"`
	// Claim is the name of a claim of the request's token, as far as a RequestAuthentication has it verified;
	// one within another is a.b.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_\-]+(\.[A-Za-z0-9_\-]+)*$`
	Claim string `json:"claim,omitempty"`
	// Caller is the identity by which the mesh knows who calls, verified by mTLS.
	// +optional
	Caller bool `json:"caller,omitempty"`
	// Address is the IP address from which the connection comes.
	// +optional
	Address bool `json:"address,omitempty"`
}

// RateLimitList is a list of rate limits.
//
// +kubebuilder:object:root=true
type RateLimitList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RateLimit `json:"items"`
}
