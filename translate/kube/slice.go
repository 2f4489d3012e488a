package kube

import (
	discoveryv1 "k8s.io/api/discovery/v1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// Slice is some endpoints of a service that has no selector.
type Slice struct {
	Host      string // of the service
	Addresses []model.Address
}

// EndpointSlice gives the endpoints that somebody wrote down for a service; those
// that Kubernetes writes follow from pods.
func EndpointSlice(o *object.Object, in *discoveryv1.EndpointSlice) []Slice {
	service := o.Labels[discoveryv1.LabelServiceName]
	if service == "" || len(in.Endpoints) > object.MaxList || len(in.Ports) > object.MaxList {
		return nil
	}
	s := Slice{Host: model.HostOf(o.Namespace, service)}
	ports := map[string]uint32{}
	for _, p := range in.Ports {
		if p.Port != nil {
			name := ""
			if p.Name != nil {
				name = *p.Name
			}
			ports[name] = uint32(*p.Port)
		}
	}
	for _, e := range in.Endpoints {
		if e.Conditions.Ready != nil && !*e.Conditions.Ready {
			continue
		}
		for _, address := range e.Addresses {
			if model.Callable(address) {
				s.Addresses = append(s.Addresses, model.Address{Host: address, Ports: ports})
			}
		}
	}
	return []Slice{s}
}
