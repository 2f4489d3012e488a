package api

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kind names a kind as `kubectl get` accepts it: without its group, except for
// Istio's Gateway, which is not the Gateway API's.
type Kind string

const (
	VirtualService        Kind = "VirtualService"
	DestinationRule       Kind = "DestinationRule"
	IstioGateway          Kind = "Gateway.networking.istio.io"
	ServiceEntry          Kind = "ServiceEntry"
	WorkloadEntry         Kind = "WorkloadEntry"
	WorkloadGroup         Kind = "WorkloadGroup"
	Sidecar               Kind = "Sidecar"
	ProxyConfig           Kind = "ProxyConfig"
	EnvoyFilter           Kind = "EnvoyFilter"
	AuthorizationPolicy   Kind = "AuthorizationPolicy"
	PeerAuthentication    Kind = "PeerAuthentication"
	RequestAuthentication Kind = "RequestAuthentication"
	Telemetry             Kind = "Telemetry"
	WasmPlugin            Kind = "WasmPlugin"
	TrafficExtension      Kind = "TrafficExtension"

	GatewayClass     Kind = "GatewayClass"
	Gateway          Kind = "Gateway"
	ListenerSet      Kind = "ListenerSet"
	HTTPRoute        Kind = "HTTPRoute"
	GRPCRoute        Kind = "GRPCRoute"
	TLSRoute         Kind = "TLSRoute"
	TCPRoute         Kind = "TCPRoute"
	UDPRoute         Kind = "UDPRoute"
	ReferenceGrant   Kind = "ReferenceGrant"
	BackendTLSPolicy Kind = "BackendTLSPolicy"

	Namespace     Kind = "Namespace"
	Service       Kind = "Service"
	Secret        Kind = "Secret"
	ConfigMap     Kind = "ConfigMap"
	EndpointSlice Kind = "EndpointSlice"

	Application  Kind = "Application"
	Release      Kind = "Release"
	TrafficSplit Kind = "TrafficSplit"
	Resilience   Kind = "Resilience"
	RateLimit    Kind = "RateLimit"

	ExternalAuthorizer Kind = "ExternalAuthorizer"

	Workload Kind = "Workload"
	Scope    Kind = "Scope"

	Pipeline    Kind = "Pipeline"
	PipelineRun Kind = "PipelineRun"
	Decision    Kind = "Decision"
	Blob        Kind = "Blob"
	Version     Kind = "Version"
	HostVersion Kind = "HostVersion"
	Freeze      Kind = "Freeze"
)

// StatusForm is how the problems of an object are written into its status.
type StatusForm int

const (
	NoStatus        StatusForm = iota // the kind has no status for weft to write
	ProblemStatus                     // v1alpha1.ProblemStatus: weft's own kinds
	ConditionStatus                   // status.conditions
	ParentStatus                      // status.parents[].conditions: routes of the Gateway API
	AncestorStatus                    // status.ancestors[].conditions: policies of the Gateway API
)

// Info is what there is to know about a kind.
type Info struct {
	Kind       Kind
	Version    schema.GroupVersionKind // the version that weft reads
	Resource   string                  // plural, as in URLs
	Namespaced bool
	Status     StatusForm

	newSpec func() any
	whole   bool // the kind has no spec: newSpec makes the whole object
}

// GVR names the kind's resource for client libraries.
func (i Info) GVR() schema.GroupVersionResource {
	return i.Version.GroupVersion().WithResource(i.Resource)
}

// Kinds lists every accepted kind.
func Kinds() []Info { return slices.Clone(kinds) }

// Info finds the kind in the list.
func (k Kind) Info() (Info, bool) {
	i := slices.IndexFunc(kinds, func(info Info) bool { return info.Kind == k })
	if i < 0 {
		return Info{}, false
	}
	return kinds[i], true
}

// KindOf finds the kind that an object of any version of the group is read as.
func KindOf(group, kind string) (Info, bool) {
	i := slices.IndexFunc(kinds, func(info Info) bool {
		return info.Version.Group == group && info.Version.Kind == kind
	})
	if i < 0 {
		return Info{}, false
	}
	return kinds[i], true
}
