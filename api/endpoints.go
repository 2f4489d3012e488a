package api

import (
	networking "istio.io/api/networking/v1alpha3"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// Endpoints is how many endpoints are written down in the object itself.
func (o Object) Endpoints() int {
	switch spec := o.Spec.(type) {
	case *networking.ServiceEntry:
		if spec.Resolution == networking.ServiceEntry_STATIC {
			return len(spec.Endpoints)
		}
	case *discoveryv1.EndpointSlice:
		return len(spec.Endpoints)
	}
	return 0
}
