package istio

import (
	security "istio.io/api/security/v1beta1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// reach is the namespace that a policy applies to; "" is the whole mesh.
func reach(o *object.Object) string {
	if o.Namespace == model.RootNamespace {
		return ""
	}
	return o.Namespace
}

// PeerAuthentication gives one row, or none where it is not usable.
func PeerAuthentication(o *object.Object, spec *security.PeerAuthentication) []model.PeerAuth {
	if !o.Audit(spec, honoured) {
		return nil
	}
	p := model.PeerAuth{
		Object: o.Key, Namespace: reach(o), Selector: spec.GetSelector().GetMatchLabels(), Mode: mode(spec.Mtls), From: o.Whole(),
	}
	at := object.Spec.Dot("portLevelMtls")
	if len(spec.PortLevelMtls) > 0 && len(p.Selector) == 0 {
		o.Invalid(at, "has an effect only together with a selector; add spec.selector.matchLabels")
		return []model.PeerAuth{p}
	}
	for port, m := range spec.PortLevelMtls {
		if p.PortMode == nil {
			p.PortMode = map[uint32]model.MTLSMode{}
		}
		p.PortMode[port] = mode(m)
	}
	return []model.PeerAuth{p}
}

func mode(m *security.PeerAuthentication_MutualTLS) model.MTLSMode {
	switch m.GetMode() {
	case security.PeerAuthentication_MutualTLS_STRICT:
		return model.MTLSStrict
	case security.PeerAuthentication_MutualTLS_PERMISSIVE:
		return model.MTLSPermissive
	case security.PeerAuthentication_MutualTLS_DISABLE:
		return model.MTLSOff
	}
	return model.MTLSUnset
}
