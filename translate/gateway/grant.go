package gateway

import (
	"slices"
	"strings"

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

// named are the kinds that objects of other namespaces name.
var named = []string{"Service", "Secret", "ConfigMap"}

// ReferenceGrant gives every pair of its lists.
func ReferenceGrant(o *object.Object, spec *gatewayv1.ReferenceGrantSpec) []Grant {
	if !o.Audit(spec, honoured) {
		return nil
	}
	var all []Grant
	for _, from := range spec.From {
		for i, to := range spec.To {
			if to.Group != "" || !slices.Contains(named, string(to.Kind)) {
				o.NotHonoured(object.Spec.Dot("to").At(i), "weft follows references to %s only", strings.Join(named, ", "))
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
