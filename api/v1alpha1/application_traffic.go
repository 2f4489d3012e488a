package v1alpha1

// Traffic is what an Application says of calls to it. weft makes no objects of that: where
// somebody wrote a Service, a route or a policy, that is what counts.
type Traffic struct {
	// Image is what runs, without a version: registry.example.com/shop/reviews.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Image string `json:"image,omitempty"`
	// Ports at which it is called. They make its service where nobody wrote one; none: the
	// ports of its workloads do.
	// +optional
	// +listType=map
	// +listMapKey=number
	// +kubebuilder:validation:MaxItems=50
	Ports []ApplicationPort `json:"ports,omitempty"`
	// Resilience is how calls to it are made where no route says so. None: no timeout, and two
	// more attempts for what certainly reached nobody.
	// +optional
	Resilience *Calls `json:"resilience,omitempty"`
	// Callers are the applications and gateways that may call it, NAME or NAMESPACE/NAME, and
	// nobody else, unless an AuthorizationPolicy lets in more. None: everybody may.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=317
	Callers []string `json:"callers,omitempty"`
}

// ApplicationPort is one port of an application.
type ApplicationPort struct {
	// Number that callers name.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Number int32 `json:"number"`
	// Name. Default: the protocol.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// Protocol that it speaks. Default: what the name begins with, as in http-web; else http, and tcp where servers are known to speak first, as at 25.
	// +optional
	// +kubebuilder:validation:Enum=http;http2;grpc;tcp
	Protocol string `json:"protocol,omitempty"`
	// Target is the port of its workloads. Default: the number.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Target int32 `json:"target,omitempty"`
}
