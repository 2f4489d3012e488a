package object

import (
	"slices"
	"strconv"

	"weft.dev/model"
)

// Annotations of a gateway that say how it is run in a cluster.
const (
	ReplicasAnnotation    = "weft.dev/replicas"
	MaxReplicasAnnotation = "weft.dev/max-replicas" // more than replicas: as many as the load needs
	ServiceAnnotation     = "weft.dev/service-type" // LoadBalancer, NodePort or ClusterIP
)

const maxReplicas = 1000

// GatewayPods are the proxies of a gateway as its annotations want them. Ports,
// and what the pods are labelled with, is for its kind to say.
func (o *Object) GatewayPods(apiVersion string) model.GatewayPods {
	p := model.GatewayPods{
		Namespace: o.Namespace, Name: o.Key.Name,
		Owners: []model.Owner{{APIVersion: apiVersion, Kind: "Gateway", Name: o.Key.Name, UID: o.UID}},
	}
	p.Min = o.replicas(ReplicasAnnotation, 1)
	p.Max = max(p.Min, o.replicas(MaxReplicasAnnotation, p.Min))
	if kind, ok := o.Annotations[ServiceAnnotation]; ok {
		if slices.Contains([]string{"LoadBalancer", "NodePort", "ClusterIP"}, kind) {
			p.ServiceType = kind
		} else {
			o.Invalid(Annotation(ServiceAnnotation), "%q is no type; write LoadBalancer, NodePort or ClusterIP", kind)
		}
	}
	return p
}

func (o *Object) replicas(name string, otherwise uint32) uint32 {
	text, ok := o.Annotations[name]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 || n > maxReplicas {
		o.Invalid(Annotation(name), "%q is no number of pods; write 1 to %d", text, maxReplicas)
		return otherwise
	}
	return uint32(n)
}
