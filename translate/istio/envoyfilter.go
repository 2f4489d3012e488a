package istio

import (
	"encoding/json"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// EnvoyFilter gives one row, or none where nobody can say which proxies it means.
func EnvoyFilter(o *object.Object, spec *networking.EnvoyFilter) []model.EnvoyFilter {
	if !o.Audit(spec, honoured) || len(spec.TargetRefs) > 0 {
		return nil
	}
	f := model.EnvoyFilter{
		Object: o.Key, Namespace: reach(o), Selector: spec.GetWorkloadSelector().GetLabels(), Priority: spec.Priority, Rank: o.Rank, From: o.Whole(),
	}
	for i, p := range spec.ConfigPatches {
		at := object.Spec.Dot("configPatches").At(i)
		if one, ok := patch(o, at, p); ok {
			f.Patches = append(f.Patches, one)
		}
	}
	if len(f.Patches) == 0 {
		return nil
	}
	return []model.EnvoyFilter{f}
}

var patched = map[networking.EnvoyFilter_ApplyTo]model.PatchOf{
	networking.EnvoyFilter_LISTENER: model.PatchListener, networking.EnvoyFilter_FILTER_CHAIN: model.PatchChain,
	networking.EnvoyFilter_NETWORK_FILTER: model.PatchNetwork, networking.EnvoyFilter_HTTP_FILTER: model.PatchHTTP,
}

// notPatched says what else does the same.
var notPatched = map[networking.EnvoyFilter_ApplyTo]string{
	networking.EnvoyFilter_CLUSTER:             "clusters are shared by proxies of all namespaces; use a DestinationRule",
	networking.EnvoyFilter_ROUTE_CONFIGURATION: "routes are shared by proxies of all namespaces; use a VirtualService or an HTTPRoute",
	networking.EnvoyFilter_VIRTUAL_HOST:        "routes are shared by proxies of all namespaces; use a VirtualService or an HTTPRoute",
	networking.EnvoyFilter_HTTP_ROUTE:          "routes are shared by proxies of all namespaces; use a VirtualService or an HTTPRoute",
	networking.EnvoyFilter_EXTENSION_CONFIG:    "write the configuration into an HTTP_FILTER",
	networking.EnvoyFilter_BOOTSTRAP:           "a proxy's bootstrap is its agent's; set options where it is started",
	networking.EnvoyFilter_LISTENER_FILTER:     "what a listener looks at first is weft's; remove it",
}

var patchSides = map[networking.EnvoyFilter_PatchContext]model.PatchAt{
	networking.EnvoyFilter_ANY: model.PatchAnywhere, networking.EnvoyFilter_SIDECAR_INBOUND: model.PatchInbound,
	networking.EnvoyFilter_SIDECAR_OUTBOUND: model.PatchOutbound, networking.EnvoyFilter_GATEWAY: model.PatchGateway,
}

var patchWays = map[networking.EnvoyFilter_Patch_Operation]model.PatchDo{
	networking.EnvoyFilter_Patch_MERGE: model.PatchMerge, networking.EnvoyFilter_Patch_ADD: model.PatchAdd,
	networking.EnvoyFilter_Patch_REMOVE: model.PatchRemove, networking.EnvoyFilter_Patch_INSERT_BEFORE: model.PatchBefore,
	networking.EnvoyFilter_Patch_INSERT_AFTER: model.PatchAfter, networking.EnvoyFilter_Patch_INSERT_FIRST: model.PatchFirst,
	networking.EnvoyFilter_Patch_REPLACE: model.PatchReplace,
}

// patch reads one; false where it has no effect, which is said.
func patch(o *object.Object, at object.Path, p *networking.EnvoyFilter_EnvoyConfigObjectPatch) (model.Patch, bool) {
	of, known := patched[p.ApplyTo]
	if !known {
		o.NotHonoured(at.Dot("applyTo"), "weft does not patch %s, so the patch has no effect; %s", p.ApplyTo, orRemove(notPatched[p.ApplyTo]))
		return model.Patch{}, false
	}
	side, known := patchSides[p.GetMatch().GetContext()]
	if !known {
		o.NotHonoured(at.Dot("match").Dot("context"), "weft has no %s, so the patch has no effect; use SIDECAR_INBOUND, SIDECAR_OUTBOUND or GATEWAY", p.Match.Context)
		return model.Patch{}, false
	}
	do, known := patchWays[p.GetPatch().GetOperation()]
	if whole := of == model.PatchListener || of == model.PatchChain; !known || whole && do != model.PatchMerge {
		o.NotHonoured(at.Dot("patch").Dot("operation"), "weft does not %s a %s, so the patch has no effect; use MERGE, and for filters INSERT_BEFORE, INSERT_AFTER, INSERT_FIRST, ADD, REPLACE or REMOVE", p.GetPatch().GetOperation(), p.ApplyTo)
		return model.Patch{}, false
	}
	if !readable(p.Match) {
		return model.Patch{}, false // audited: the problem says which field of the match is not honoured
	}
	one := model.Patch{Of: of, At: side, Do: do, Origin: o.Origin(at)}
	if l := p.GetMatch().GetListener(); l != nil {
		one.Port, one.Listener = l.PortNumber, l.Name
		chain := l.GetFilterChain()
		one.Chain, one.SNI, one.Speaks = chain.GetName(), chain.GetSni(), chain.GetTransportProtocol()
		one.Filter, one.Sub = chain.GetFilter().GetName(), chain.GetFilter().GetSubFilter().GetName()
	}
	if do == model.PatchRemove {
		return one, true
	}
	value, err := json.Marshal(p.Patch.GetValue().AsMap()) // that of protobuf has other spaces in each build of the program
	switch {
	case err != nil || p.Patch.Value == nil:
		o.Invalid(at.Dot("patch").Dot("value"), "is missing; write what is to be there")
		return one, false
	case len(value) > object.MaxBody:
		o.Invalid(at.Dot("patch").Dot("value"), "has %d bytes, more than %d", len(value), object.MaxBody)
		return one, false
	}
	one.Value = string(value)
	return one, true
}

func orRemove(text string) string {
	if text == "" {
		return "remove it"
	}
	return text
}

// readable says whether all of a match is understood: one of which a part is not would reach more than is meant.
func readable(m *networking.EnvoyFilter_EnvoyConfigObjectMatch) bool {
	if m == nil {
		return true
	}
	l, chain := m.GetListener(), m.GetListener().GetFilterChain()
	return m.Proxy == nil && m.GetCluster() == nil && m.GetRouteConfiguration() == nil && m.GetWaypoint() == nil &&
		l.GetPortName() == "" && l.GetListenerFilter() == "" && chain.GetApplicationProtocols() == "" && chain.GetDestinationPort() == 0
}
