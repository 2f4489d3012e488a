package gateway

import (
	"net/netip"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// Address is an IP at which a Gateway asks to be reached.
type Address string

// Addresses are those that a Gateway asks for, each once. One without a value is whichever there is.
func Addresses(o *object.Object, spec *gatewayv1.GatewaySpec, gateways []model.Gateway) (all []Address) {
	if len(gateways) == 0 {
		return nil
	}
	for i, a := range spec.Addresses {
		at := object.Spec.Dot("addresses").At(i)
		if kind := typeOf(a); kind != gatewayv1.IPAddressType {
			o.NotHonoured(at.Dot("type"), "weft asks for no address of the type %s, and runs the gateway without; write an IPAddress", kind)
			continue
		}
		if a.Value == "" {
			continue
		}
		ip, err := netip.ParseAddr(a.Value)
		if err != nil {
			o.Invalid(at.Dot("value"), "%q is no IP address, and the gateway is run without; write one, or leave the value out", a.Value)
			continue
		}
		if want := Address(ip.String()); !slices.Contains(all, want) {
			all = append(all, want)
		}
	}
	return all
}

func typeOf(a gatewayv1.GatewaySpecAddress) gatewayv1.AddressType {
	return value(a.Type, gatewayv1.IPAddressType)
}
