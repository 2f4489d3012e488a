package istio

import (
	typev1beta1 "istio.io/api/type/v1beta1"

	"weft.dev/api"
	"weft.dev/model"
	"weft.dev/translate/gateway"
	"weft.dev/translate/object"
)

// maxTargets is Istio's.
const maxTargets = 16

// policyReach is which proxies a policy is about; false where it says nobody: without its targets it
// would be about the whole namespace.
func policyReach(o *object.Object, selector map[string]string, one *typev1beta1.PolicyTargetReference, several []*typev1beta1.PolicyTargetReference) (model.Reach, bool) {
	r := model.Reach{Namespace: reach(o), Selector: selector}
	at := object.Spec.Dot("targetRefs")
	switch {
	case one != nil && len(several) > 0:
		o.Invalid(at, "cannot be set together with targetRef, so the policy has no effect; keep one of them")
		return r, false
	case one != nil:
		target, ok := policyTarget(o, object.Spec.Dot("targetRef"), one)
		r.Targets = append(r.Targets, target)
		several = nil
		if !ok {
			return r, false
		}
	case len(several) > maxTargets:
		o.Invalid(at, "has %d entries, more than %d, so the policy has no effect; write several policies", len(several), maxTargets)
		return r, false
	}
	for i, ref := range several {
		if target, ok := policyTarget(o, at.At(i), ref); ok {
			r.Targets = append(r.Targets, target)
		}
	}
	if len(several) > 0 && len(r.Targets) == 0 {
		return r, false
	}
	if len(r.Targets) > 0 && len(selector) > 0 {
		o.Invalid(object.Spec.Dot("selector"), "cannot be set together with targets, so the policy has no effect; keep one of them")
		return r, false
	}
	if len(r.Targets) > 0 && r.Namespace == "" && r.Targets[0].Class == "" {
		r.Namespace = o.Namespace // what it names is there
	}
	return r, true
}

// policyTarget reads what a policy is attached to, which is of its own namespace.
func policyTarget(o *object.Object, at object.Path, ref *typev1beta1.PolicyTargetReference) (model.Target, bool) {
	switch group, kind := ref.GetGroup(), ref.GetKind(); {
	case ref.GetNamespace() != "" && ref.GetNamespace() != o.Namespace:
		o.Invalid(at.Dot("namespace"), "is another namespace than the policy's, so this target has no effect; move the policy there")
	case ref.GetName() == "":
		o.Invalid(at.Dot("name"), "is empty, so this target has no effect; name one")
	case group == gateway.Group && kind == string(api.Gateway):
		return model.Target{Gateway: o.Namespace + "/" + ref.Name}, true
	case group == gateway.Group && kind == string(api.GatewayClass) && o.Namespace != model.RootNamespace:
		o.Invalid(at, "a GatewayClass is everybody's, so this target has no effect; move the policy to the namespace %s", model.RootNamespace)
	case group == gateway.Group && kind == string(api.GatewayClass):
		return model.Target{Class: ref.Name}, true
	case group == "" && kind == string(api.Service):
		return model.Target{Service: model.HostOf(o.Namespace, ref.Name)}, true
	default:
		o.NotHonoured(at, "weft attaches policies to a Gateway or GatewayClass of the Gateway API and to a Service, not to a %s of %q, so this target has no effect; use one of these, or selector", kind, group)
	}
	return model.Target{}, false
}
