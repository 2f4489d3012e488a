package gateway

import (
	"slices"
	"strconv"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// Annotations of a Gateway that say how it is run in a cluster.
const (
	ReplicasAnnotation    = "weft.dev/replicas"
	MaxReplicasAnnotation = "weft.dev/max-replicas" // more than replicas: as many as the load needs
	ServiceAnnotation     = "weft.dev/service-type" // LoadBalancer, NodePort or ClusterIP
)

const maxReplicas = 1000

// Pods are what a cluster is to run for a Gateway of weft's class.
func Pods(o *object.Object, spec *gatewayv1.GatewaySpec, gateways []model.Gateway) []model.GatewayPods {
	if spec.GatewayClassName != ClassWeft || len(gateways) == 0 {
		return nil
	}
	p := model.GatewayPods{Object: o.Key, UID: o.UID, ServiceType: "LoadBalancer"}
	for _, l := range spec.Listeners { // also those that are not open yet: a certificate may come
		if port := uint32(l.Port); !slices.Contains(p.Ports, port) {
			p.Ports = append(p.Ports, port)
		}
	}
	p.Min = replicas(o, ReplicasAnnotation, 1)
	p.Max = max(p.Min, replicas(o, MaxReplicasAnnotation, p.Min))
	if kind, ok := o.Annotations[ServiceAnnotation]; ok {
		if slices.Contains([]string{"LoadBalancer", "NodePort", "ClusterIP"}, kind) {
			p.ServiceType = kind
		} else {
			o.Invalid(annotation(ServiceAnnotation), "%q is no type; write LoadBalancer, NodePort or ClusterIP", kind)
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

func annotation(name string) object.Path { return object.Path("metadata.annotations").Entry(name) }

func replicas(o *object.Object, name string, otherwise uint32) uint32 {
	text, ok := o.Annotations[name]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 || n > maxReplicas {
		o.Invalid(annotation(name), "%q is no number of pods; write 1 to %d", text, maxReplicas)
		return otherwise
	}
	return uint32(n)
}
