package gateway

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/translate/object"
)

// Controller names weft where the Gateway API asks who does something.
const Controller = "weft.dev/gateway-controller"

// OurClass is a GatewayClass whose gateways are weft's to run.
type OurClass struct{}

// Class gives one, or none where another controller is named.
func Class(o *object.Object, spec *gatewayv1.GatewayClassSpec) []OurClass {
	if spec.ControllerName != Controller || !o.Audit(spec, honoured) {
		return nil
	}
	return []OurClass{{}}
}
