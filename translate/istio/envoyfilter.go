package istio

import (
	"encoding/json"
	"slices"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// maxPatches bounds what one object makes of every resource of its proxies.
const maxPatches = 100

// EnvoyFilter gives one row, or none where nobody can say which proxies it means.
func EnvoyFilter(o *object.Object, spec *networking.EnvoyFilter) []model.EnvoyFilter {
	labels := spec.GetWorkloadSelector().GetLabels()
	if len(labels) > 0 && len(spec.TargetRefs) > 0 {
		o.Invalid(object.Spec.Dot("workloadSelector"), "cannot be set together with targetRefs, so no patch has an effect; keep one of them")
		return nil
	}
	meant, ok := policyReach(o, labels, nil, spec.TargetRefs)
	if !ok || !o.Audit(spec, honoured) {
		return nil
	}
	if n := len(spec.ConfigPatches); n > maxPatches {
		o.Invalid(object.Spec.Dot("configPatches"), "has %d entries, more than %d, so none has an effect; write several EnvoyFilters", n, maxPatches)
		return nil
	}
	f := model.EnvoyFilter{Object: o.Key, Reach: meant, Priority: spec.Priority, Rank: o.Rank, From: o.Whole()}
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
	networking.EnvoyFilter_CLUSTER: model.PatchCluster, networking.EnvoyFilter_ROUTE_CONFIGURATION: model.PatchTable,
	networking.EnvoyFilter_VIRTUAL_HOST: model.PatchHost, networking.EnvoyFilter_HTTP_ROUTE: model.PatchRoute,
}

// notPatched says what else does the same.
var notPatched = map[networking.EnvoyFilter_ApplyTo]string{
	networking.EnvoyFilter_EXTENSION_CONFIG: "write the configuration into an HTTP_FILTER",
	networking.EnvoyFilter_BOOTSTRAP:        "a proxy's bootstrap is its agent's; set options where it is started",
	networking.EnvoyFilter_LISTENER_FILTER:  "what a listener looks at first is weft's; remove it",
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

// patchable is what weft does to each.
var patchable = map[model.PatchOf][]networking.EnvoyFilter_Patch_Operation{
	model.PatchListener: {networking.EnvoyFilter_Patch_MERGE},
	model.PatchChain:    {networking.EnvoyFilter_Patch_MERGE},
	model.PatchNetwork:  onFilters,
	model.PatchHTTP:     onFilters,
	model.PatchCluster:  {networking.EnvoyFilter_Patch_MERGE, networking.EnvoyFilter_Patch_ADD},
	model.PatchTable:    {networking.EnvoyFilter_Patch_MERGE},
	model.PatchHost:     {networking.EnvoyFilter_Patch_MERGE},
	model.PatchRoute: {networking.EnvoyFilter_Patch_MERGE, networking.EnvoyFilter_Patch_INSERT_BEFORE,
		networking.EnvoyFilter_Patch_INSERT_AFTER, networking.EnvoyFilter_Patch_INSERT_FIRST},
}

var onFilters = []networking.EnvoyFilter_Patch_Operation{networking.EnvoyFilter_Patch_MERGE, networking.EnvoyFilter_Patch_ADD,
	networking.EnvoyFilter_Patch_INSERT_BEFORE, networking.EnvoyFilter_Patch_INSERT_AFTER, networking.EnvoyFilter_Patch_INSERT_FIRST,
	networking.EnvoyFilter_Patch_REPLACE, networking.EnvoyFilter_Patch_REMOVE}

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
	if how := p.GetPatch().GetOperation(); !slices.Contains(patchable[of], how) {
		o.NotHonoured(at.Dot("patch").Dot("operation"), "weft does not %s a %s, so the patch has no effect; use one of %v", how, p.ApplyTo, patchable[of])
		return model.Patch{}, false
	}
	if !readable(p.Match) {
		return model.Patch{}, false // audited: the problem says which field of the match is not honoured
	}
	one := model.Patch{Of: of, At: side, Do: patchWays[p.Patch.Operation], Origin: o.Origin(at)}
	if !patchMatch(&one, p.GetMatch()) {
		o.Invalid(at.Dot("match"), "is no match of a %s, so the patch has no effect; write match.%s", p.ApplyTo, patchMatches(of))
		return model.Patch{}, false
	}
	if one.Do == model.PatchRemove {
		return one, true
	}
	return one, patchValue(o, at.Dot("patch").Dot("value"), p, &one)
}

// patchValue puts what is to be there into a patch.
func patchValue(o *object.Object, at object.Path, p *networking.EnvoyFilter_EnvoyConfigObjectPatch, one *model.Patch) bool {
	value, err := json.Marshal(p.Patch.GetValue().AsMap()) // that of protobuf has other spaces in each build of the program
	switch {
	case err != nil || p.Patch.Value == nil:
		o.Invalid(at, "is missing; write what is to be there")
		return false
	case len(value) > object.MaxBody:
		o.Invalid(at, "has %d bytes, more than %d", len(value), object.MaxBody)
		return false
	}
	one.Value = string(value)
	return true
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
	r := m.GetRouteConfiguration()
	return m.Proxy == nil && m.GetWaypoint() == nil && r.GetPortName() == "" && r.GetGateway() == "" &&
		l.GetPortName() == "" && l.GetListenerFilter() == "" && chain.GetApplicationProtocols() == "" && chain.GetDestinationPort() == 0
}
