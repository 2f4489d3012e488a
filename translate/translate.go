package translate

import (
	"maps"

	extensions "istio.io/api/extensions/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"
	telemetry "istio.io/api/telemetry/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/gateway"
	"weft.dev/translate/istio"
	"weft.dev/translate/join"
	"weft.dev/translate/kube"
	"weft.dev/translate/object"
	"weft.dev/translate/weft"
)

// Options of a translation.
type Options struct {
	// TrustDomain of the mesh's identities. Policies that name Istio's usual one, cluster.local,
	// mean this one.
	TrustDomain string
	// Pods of a Kubernetes cluster, which are workloads; nil: there is none.
	Pods *flow.Collection[model.Pod]
}

// New wires the mesh behind a source of objects. Objects of kinds that are not
// translated may be among them. The source holds bare objects from then on: what
// they say is in the parts.
func New(objects *flow.Collection[api.Object], options Options) *join.Mesh {
	var labels labelSets
	return join.New(flow.Digest(objects, "parts", api.Object.Bare, func(row api.Object) []join.Part {
		part := Object(row, options)
		labels.of(part)
		return []join.Part{part}
	}), options.Pods)
}

// Object reads one object by itself.
func Object(row api.Object, options Options) join.Part {
	o := object.From(row)
	p := join.Part{Object: o.Key, Generation: o.Generation, Rank: o.Rank}
	if row.Err != "" {
		o.Invalid("", "%s", row.Err)
	}
	if row.Spec != nil && !read(o, row.Spec, &p, options) {
		if why, ok := notHonoured[row.Kind]; ok {
			o.NotHonoured("", "weft does not honour the kind %s, so the object has no effect; %s", row.Kind, why)
		}
	}
	p.Problems = o.Problems()
	if tables := join.Of[model.RouteTable](p); len(tables) > 0 { // those of one object have the same rules
		p.Problems = append(p.Problems, join.Unreachable(tables[0], o.Generation)...)
	}
	return p
}

// read is the list of translated kinds. It returns false for any other.
func read(o *object.Object, spec any, p *join.Part, options Options) bool {
	switch spec := spec.(type) {
	case *networking.VirtualService:
		if len(spec.Hosts) > 0 {
			join.Say(p, istio.VirtualService(o, spec)...)
		} else {
			join.Say(p, istio.DelegateOf(o, spec)...)
		}
	case *networking.DestinationRule:
		join.Say(p, istio.DestinationRule(o, spec)...)
	case *networking.Gateway:
		gateways := istio.Gateway(o, spec)
		join.Say(p, gateways...)
		join.Say(p, istio.Pods(o, spec, gateways)...)
	case *networking.ServiceEntry:
		join.Say(p, istio.ServiceEntry(o, spec)...)
	case *networking.WorkloadEntry:
		if address, ok := istio.WorkloadEntry(o, spec); ok {
			join.Say(p, address)
		}
	case *networking.Sidecar:
		join.Say(p, istio.Sidecar(o, spec)...)
		join.Say(p, istio.Inbound(o, spec)...)
	case *networking.EnvoyFilter:
		join.Say(p, istio.EnvoyFilter(o, spec)...)
	case *security.PeerAuthentication:
		join.Say(p, istio.PeerAuthentication(o, spec)...)
	case *security.RequestAuthentication:
		join.Say(p, istio.RequestAuthentication(o, spec)...)
	case *security.AuthorizationPolicy:
		join.Say(p, istio.AuthorizationPolicy(o, spec, options.TrustDomain)...)
	case *telemetry.Telemetry:
		join.Say(p, istio.Telemetry(o, spec)...)
	case *extensions.WasmPlugin:
		join.Say(p, istio.WasmPlugin(o, spec)...)
	case *extensions.TrafficExtension:
		join.Say(p, istio.TrafficExtension(o, spec)...)
	case *corev1.ServiceSpec:
		join.Say(p, kube.Service(o, spec)...)
	case *discoveryv1.EndpointSlice:
		join.Say(p, kube.EndpointSlice(o, spec)...)
	case *corev1.Namespace:
		join.Say(p, join.Labels(maps.Clone(o.Labels)))
	case *corev1.Secret:
		join.Say(p, kube.Secret(o, spec)...)
		join.Say(p, kube.PullSecret(o, spec)...)
	case *corev1.ConfigMap:
		join.Say(p, kube.ConfigMap(o, spec)...)
	default:
		return readGateways(o, spec, p) || readOwn(o, spec, p)
	}
	return true
}

// readGateways is the part of the list with the kinds of the Gateway API.
func readGateways(o *object.Object, spec any, p *join.Part) bool {
	switch spec := spec.(type) {
	case *gatewayv1.GatewaySpec:
		gateways, spaces, listeners := gateway.Gateway(o, spec)
		join.Say(p, gateways...)
		join.Say(p, spaces)
		join.Say(p, listeners...)
		join.Say(p, gateway.Reasons(spec)...)
		join.Say(p, gateway.Whose(o, spec, gateways)...)
		addresses := gateway.Addresses(o, spec, gateways)
		join.Say(p, addresses...)
		join.Say(p, gateway.Pods(o, spec, gateways, addresses)...)
		join.Say(p, gateway.FrontendOf(o, spec)...)
		join.Say(p, gateway.ShownBy(o, spec)...)
	case *gatewayv1.ListenerSetSpec:
		sets, gateways, spaces, listeners := gateway.ListenerSet(o, spec)
		join.Say(p, sets...)
		join.Say(p, gateways...)
		join.Say(p, spaces)
		join.Say(p, listeners...)
	case *gatewayv1.GatewayClassSpec:
		join.Say(p, gateway.Class(o, spec)...)
	case *gatewayv1.HTTPRouteSpec:
		join.Say(p, gateway.HTTPRoute(o, spec)...)
	case *gatewayv1.GRPCRouteSpec:
		join.Say(p, gateway.GRPCRoute(o, spec)...)
	case *gatewayv1.TLSRouteSpec:
		join.Say(p, gateway.TLSRoute(o, spec)...)
	case *gatewayv1.TCPRouteSpec:
		join.Say(p, gateway.TCPRoute(o, spec)...)
	case *gatewayv1.UDPRouteSpec:
		join.Say(p, gateway.UDPRoute(o, spec)...)
	case *gatewayv1.BackendTLSPolicySpec:
		join.Say(p, gateway.BackendTLSPolicy(o, spec)...)
	case *gatewayv1.ReferenceGrantSpec:
		join.Say(p, gateway.ReferenceGrant(o, spec)...)
	default:
		return false
	}
	return true
}

// readOwn is the part of the list with weft's own kinds.
func readOwn(o *object.Object, spec any, p *join.Part) bool {
	switch spec := spec.(type) {
	case *v1alpha1.WorkloadSpec:
		join.Say(p, weft.Workload(o, spec)...)
	case *v1alpha1.TrafficSplitSpec:
		join.Say(p, weft.TrafficSplit(o, spec)...)
	case *v1alpha1.ResilienceSpec:
		join.Say(p, weft.ResilienceOf(o, spec)...)
	case *v1alpha1.RateLimitSpec:
		join.Say(p, weft.RateLimit(o, spec)...)
	case *v1alpha1.ApplicationSpec:
		join.Say(p, weft.Application(o, spec))
		join.Say(p, weft.Dependencies(o, spec)...)
	case *v1alpha1.ExternalAuthorizerSpec:
		join.Say(p, weft.ExternalAuthorizer(o, spec)...)
	case *v1alpha1.ScopeSpec:
		join.Say(p, weft.Scope(o, spec)...)
	default:
		return false
	}
	return true
}

// notHonoured says, for each accepted kind that has no effect on the mesh yet,
// what to do instead.
var notHonoured = map[api.Kind]string{
	api.WorkloadGroup: "hosts join by `weft run`, which registers their workloads",
	api.ProxyConfig:   "set options of a proxy where it is started",
}
