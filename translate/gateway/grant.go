package gateway

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/translate/object"
)

// Grant allows objects of one kind and namespace to name objects of another
// namespace.
type Grant struct {
	From, FromNamespace string // kind and namespace of who names
	To, ToNamespace     string // kind and namespace of what is named
	Name                string // of what is named; "": all
}

// ReferenceGrant gives every pair of its lists.
func ReferenceGrant(o *object.Object, spec *gatewayv1.ReferenceGrantSpec) []Grant {
	if !o.Audit(spec, honoured) {
		return nil
	}
	var all []Grant
	for _, from := range spec.From {
		for i, to := range spec.To {
			if to.Group != "" || to.Kind != "Service" && to.Kind != "Secret" {
				o.NotHonoured(object.Spec.Dot("to").At(i), "weft follows references to Services and Secrets only")
				continue
			}
			g := Grant{
				From: string(from.Kind), FromNamespace: string(from.Namespace),
				To: string(to.Kind), ToNamespace: o.Namespace, Name: string(value(to.Name, "")),
			}
			if from.Group == Group && !slices.Contains(all, g) {
				all = append(all, g)
			}
		}
	}
	return all
}
