package api

import (
	extensions "istio.io/api/extensions/v1alpha1"
	networking "istio.io/api/networking/v1"
	networkingalpha "istio.io/api/networking/v1alpha3"
	networkingbeta "istio.io/api/networking/v1beta1"
	security "istio.io/api/security/v1"
	telemetry "istio.io/api/telemetry/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/api/v1alpha1"
)

var (
	networkingV1      = schema.GroupVersion{Group: "networking.istio.io", Version: "v1"}
	networkingV1beta1 = schema.GroupVersion{Group: "networking.istio.io", Version: "v1beta1"}
	networkingV1alpha = schema.GroupVersion{Group: "networking.istio.io", Version: "v1alpha3"}
	securityV1        = schema.GroupVersion{Group: "security.istio.io", Version: "v1"}
	telemetryV1       = schema.GroupVersion{Group: "telemetry.istio.io", Version: "v1"}
	extensionsV1alpha = schema.GroupVersion{Group: "extensions.istio.io", Version: "v1alpha1"}
	gatewayV1         = schema.GroupVersion{Group: "gateway.networking.k8s.io", Version: "v1"}
	coreV1            = schema.GroupVersion{Version: "v1"}
	discoveryV1       = schema.GroupVersion{Group: "discovery.k8s.io", Version: "v1"}
	weftV1alpha1      = schema.GroupVersion{Group: "weft.dev", Version: "v1alpha1"}
)

// kinds is the one list of accepted kinds, never changed.
var kinds = []Info{
	of[networking.VirtualService](networkingV1, "VirtualService", "virtualservices", ConditionStatus),
	of[networking.DestinationRule](networkingV1, "DestinationRule", "destinationrules", ConditionStatus),
	of[networking.Gateway](networkingV1, "Gateway", "gateways", ConditionStatus).named(IstioGateway),
	of[networking.ServiceEntry](networkingV1, "ServiceEntry", "serviceentries", ConditionStatus),
	of[networking.WorkloadEntry](networkingV1, "WorkloadEntry", "workloadentries", ConditionStatus),
	of[networking.WorkloadGroup](networkingV1, "WorkloadGroup", "workloadgroups", ConditionStatus),
	of[networking.Sidecar](networkingV1, "Sidecar", "sidecars", ConditionStatus),
	of[networkingbeta.ProxyConfig](networkingV1beta1, "ProxyConfig", "proxyconfigs", ConditionStatus),
	of[networkingalpha.EnvoyFilter](networkingV1alpha, "EnvoyFilter", "envoyfilters", ConditionStatus),
	of[security.AuthorizationPolicy](securityV1, "AuthorizationPolicy", "authorizationpolicies", ConditionStatus),
	of[security.PeerAuthentication](securityV1, "PeerAuthentication", "peerauthentications", ConditionStatus),
	of[security.RequestAuthentication](securityV1, "RequestAuthentication", "requestauthentications", ConditionStatus),
	of[telemetry.Telemetry](telemetryV1, "Telemetry", "telemetries", ConditionStatus),
	of[extensions.WasmPlugin](extensionsV1alpha, "WasmPlugin", "wasmplugins", ConditionStatus),
	of[extensions.TrafficExtension](extensionsV1alpha, "TrafficExtension", "trafficextensions", ConditionStatus),

	of[gatewayv1.GatewayClassSpec](gatewayV1, "GatewayClass", "gatewayclasses", ConditionStatus).global(),
	of[gatewayv1.GatewaySpec](gatewayV1, "Gateway", "gateways", ConditionStatus),
	of[gatewayv1.ListenerSetSpec](gatewayV1, "ListenerSet", "listenersets", ConditionStatus),
	of[gatewayv1.HTTPRouteSpec](gatewayV1, "HTTPRoute", "httproutes", ParentStatus),
	of[gatewayv1.GRPCRouteSpec](gatewayV1, "GRPCRoute", "grpcroutes", ParentStatus),
	of[gatewayv1.TLSRouteSpec](gatewayV1, "TLSRoute", "tlsroutes", ParentStatus),
	of[gatewayv1.TCPRouteSpec](gatewayV1, "TCPRoute", "tcproutes", ParentStatus),
	of[gatewayv1.UDPRouteSpec](gatewayV1, "UDPRoute", "udproutes", ParentStatus),
	of[gatewayv1.ReferenceGrantSpec](gatewayV1, "ReferenceGrant", "referencegrants", NoStatus),
	of[gatewayv1.BackendTLSPolicySpec](gatewayV1, "BackendTLSPolicy", "backendtlspolicies", AncestorStatus),

	of[corev1.Namespace](coreV1, "Namespace", "namespaces", NoStatus).global().asWhole(),
	of[corev1.ServiceSpec](coreV1, "Service", "services", ConditionStatus),
	of[corev1.Secret](coreV1, "Secret", "secrets", NoStatus).asWhole(),
	of[corev1.ConfigMap](coreV1, "ConfigMap", "configmaps", NoStatus).asWhole(),
	of[discoveryv1.EndpointSlice](discoveryV1, "EndpointSlice", "endpointslices", NoStatus).asWhole(),

	of[v1alpha1.ApplicationSpec](weftV1alpha1, "Application", "applications", ProblemStatus),
	of[v1alpha1.ReleaseSpec](weftV1alpha1, "Release", "releases", ProblemStatus),
	of[v1alpha1.TrafficSplitSpec](weftV1alpha1, "TrafficSplit", "trafficsplits", ProblemStatus),
	of[v1alpha1.ResilienceSpec](weftV1alpha1, "Resilience", "resiliences", ProblemStatus),
	of[v1alpha1.RateLimitSpec](weftV1alpha1, "RateLimit", "ratelimits", ProblemStatus),
	of[v1alpha1.ExternalAuthorizerSpec](weftV1alpha1, "ExternalAuthorizer", "externalauthorizers", ProblemStatus),
	of[v1alpha1.WorkloadSpec](weftV1alpha1, "Workload", "workloads", NoStatus),
	of[v1alpha1.ScopeSpec](weftV1alpha1, "Scope", "scopes", ProblemStatus),

	of[v1alpha1.PipelineSpec](weftV1alpha1, "Pipeline", "pipelines", ProblemStatus),
	of[v1alpha1.PipelineRunSpec](weftV1alpha1, "PipelineRun", "pipelineruns", ProblemStatus),
	of[v1alpha1.DecisionSpec](weftV1alpha1, "Decision", "decisions", NoStatus),
	of[v1alpha1.BlobSpec](weftV1alpha1, "Blob", "blobs", NoStatus),
	of[v1alpha1.VersionSpec](weftV1alpha1, "Version", "versions", NoStatus),
	of[v1alpha1.HostVersionSpec](weftV1alpha1, "HostVersion", "hostversions", NoStatus),
	of[v1alpha1.FreezeSpec](weftV1alpha1, "Freeze", "freezes", NoStatus).global(),
}

// of is a namespaced kind whose spec is an S.
func of[S any](gv schema.GroupVersion, kind, resource string, status StatusForm) Info {
	return Info{
		Kind: Kind(kind), Version: gv.WithKind(kind), Resource: resource, Namespaced: true, Status: status,
		newSpec: func() any { return new(S) },
	}
}

func (i Info) named(k Kind) Info { i.Kind = k; return i }
func (i Info) global() Info      { i.Namespaced = false; return i }
func (i Info) asWhole() Info     { i.whole = true; return i }
