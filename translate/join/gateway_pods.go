package join

import (
	"cmp"
	"maps"
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// gatewayPods are what a cluster is to run. Gateways that share their proxies are served by
// as many as the most demanding asks for; else the oldest that says something is right.
func gatewayPods(parts *flow.Collection[Part], gates *flow.Collection[outcome]) *flow.Collection[model.GatewayPods] {
	wanted := flow.Union("gateway pods wanted", said(parts, "gateway pods of objects", model.GatewayPods.Key), setPods(gates))
	shared := flow.NewIndex(wanted, func(i item[model.GatewayPods]) []string { return []string{i.Value.Key()} })
	return flow.Group(shared, "gateway pods", func(_ *flow.Ctx, _ string, sharing []item[model.GatewayPods]) *model.GatewayPods {
		slices.SortFunc(sharing, item[model.GatewayPods].older)
		all := model.GatewayPods{Labels: map[string]string{}, Annotations: map[string]string{}}
		for _, i := range slices.Backward(sharing) {
			p := i.Value
			all.Namespace, all.Name = p.Namespace, p.Name
			all.Owners, all.Ports = append(all.Owners, p.Owners...), append(all.Ports, p.Ports...)
			all.UDP = append(all.UDP, p.UDP...)
			all.Min, all.Max = max(all.Min, p.Min), max(all.Max, p.Max)
			all.ServiceType = cmp.Or(p.ServiceType, all.ServiceType)
			all.Address = cmp.Or(p.Address, all.Address)
			maps.Copy(all.Labels, p.Labels)
			maps.Copy(all.Annotations, p.Annotations)
		}
		for _, ports := range []*[]uint32{&all.Ports, &all.UDP} {
			slices.Sort(*ports)
			*ports = slices.Compact(*ports)
		}
		return &all
	})
}
