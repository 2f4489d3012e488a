package gateway

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// Pods are what a cluster is to run for a Gateway of weft's class. A load balancer is asked for one address: of more, the first.
func Pods(o *object.Object, spec *gatewayv1.GatewaySpec, gateways []model.Gateway, addresses []Address) []model.GatewayPods {
	if spec.GatewayClassName != ClassWeft || len(gateways) == 0 {
		return nil
	}
	p := o.GatewayPods(gatewayv1.GroupVersion.String())
	p.UDP = gateways[0].UDP()
	if len(addresses) > 0 {
		p.Address = string(addresses[0])
	}
	for _, l := range spec.Listeners { // also those that are not open yet: a certificate may come
		if port := uint32(l.Port); l.Protocol != gatewayv1.UDPProtocolType && !slices.Contains(p.Ports, port) {
			p.Ports = append(p.Ports, port)
		}
	}
	if spec.Infrastructure != nil {
		p.Labels, p.Annotations = map[string]string{}, map[string]string{}
		for k, v := range spec.Infrastructure.Labels {
			p.Labels[string(k)] = string(v)
		}
		for k, v := range spec.Infrastructure.Annotations {
			p.Annotations[string(k)] = string(v)
		}
	}
	return []model.GatewayPods{p}
}
