package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ExternalAuthorizer is a server that decides about requests, by Envoy's protocol of
// external authorization. An AuthorizationPolicy with the action CUSTOM names it as its
// provider: only requests that its rules match are asked about. It is called as any
// service of the mesh is, with mTLS where it has a proxy.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=authorizer,categories=weft
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Service,type=string,JSONPath=.spec.service
// +kubebuilder:printcolumn:name=Port,type=integer,JSONPath=.spec.port
// +kubebuilder:printcolumn:name=FailOpen,type=boolean,JSONPath=.spec.failOpen
type ExternalAuthorizer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ExternalAuthorizerSpec `json:"spec,omitempty"`
	Status            TrafficStatus          `json:"status,omitempty"`
}

// ExternalAuthorizerSpec says who is asked, and what happens without an answer.
type ExternalAuthorizerSpec struct {
	// Service that is asked: a name in the same namespace, NAME.NAMESPACE, or the host of a ServiceEntry.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Service string `json:"service"`
	// Port of the service.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
	// HTTP: it is asked by a request of the same method and path, and lets pass what it answers
	// with 200. Without it, it is asked by gRPC (envoy.service.auth.v3.Authorization), which Open
	// Policy Agent speaks.
	// +optional
	HTTP *AuthorizerHTTP `json:"http,omitempty"`
	// Timeout of one question. Default: 1s.
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// FailOpen lets requests pass when no answer comes: the authorizer is away, or too slow. Default: they are refused.
	// +optional
	FailOpen bool `json:"failOpen,omitempty"`
	// StatusOnError of such refusals. Default: 403.
	// +optional
	// +kubebuilder:validation:Minimum=400
	// +kubebuilder:validation:Maximum=599
	StatusOnError int32 `json:"statusOnError,omitempty"`
	// Body of requests is sent along; without it, it is not.
	// +optional
	Body *AuthorizerBody `json:"body,omitempty"`
}

// AuthorizerHTTP says which headers go where. Names are exact, a prefix (x-*) or a suffix (*-id).
type AuthorizerHTTP struct {
	// PathPrefix before the path of the request. Default: none.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^(/[!-~]*)?$`
	PathPrefix string `json:"pathPrefix,omitempty"`
	// SendHeaders of the request to it, beside authorization.
	// +optional
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=256
	SendHeaders []string `json:"sendHeaders,omitempty"`
	// AddHeaders that only it gets.
	// +optional
	// +kubebuilder:validation:MaxProperties=20
	AddHeaders map[string]string `json:"addHeaders,omitempty"`
	// ToBackend are headers of its consent that go on with the request, in place of the caller's.
	// +optional
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=256
	ToBackend []string `json:"toBackend,omitempty"`
	// ToCaller are headers of its refusal that the caller gets. Default: all of them.
	// +optional
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=256
	ToCaller []string `json:"toCaller,omitempty"`
}

// AuthorizerBody bounds what a proxy holds back of a request until it is decided.
type AuthorizerBody struct {
	// MaxBytes that are sent along. A request with a larger body is refused with 413, unless AllowPartial.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1048576
	MaxBytes int32 `json:"maxBytes"`
	// AllowPartial sends the beginning of a larger body.
	// +optional
	AllowPartial bool `json:"allowPartial,omitempty"`
}

// ExternalAuthorizerList is a list of authorizers.
//
// +kubebuilder:object:root=true
type ExternalAuthorizerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ExternalAuthorizer `json:"items"`
}
