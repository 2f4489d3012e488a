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

// http3Annotation set to "true" on a gateway has its listeners of HTTPS speak HTTP/3, too.
const http3Annotation = "weft.dev/http3"

// HTTP3 says whether a gateway is to speak HTTP/3.
func (o *Object) HTTP3() bool {
	asked := o.Annotations[http3Annotation]
	if asked != "" && asked != "true" && asked != "false" {
		o.Invalid(Annotation(http3Annotation), "%q is neither true nor false", asked)
	}
	return asked == "true"
}

// WithHTTP3 has the listeners of a gateway that can do so speak HTTP/3, if they are to.
func (o *Object) WithHTTP3(g *model.Gateway) {
	if !o.HTTP3() {
		return
	}
	any := false
	for i := range g.Listeners {
		l := &g.Listeners[i]
		if l.Protocol != model.GatewayHTTPS || l.TLS.OfMesh() {
			continue
		}
		if l.TLS.Newest != "" && l.TLS.Newest < "1.3" {
			o.NotHonoured(Annotation(http3Annotation), "HTTP/3 needs TLS 1.3, which the listener %s does not take, so it speaks HTTP/1.1 and HTTP/2 alone", l.Name)
			continue
		}
		l.HTTP3, any = true, true
	}
	if !any {
		o.NotHonoured(Annotation(http3Annotation), "no listener of HTTPS is open that has a certificate and takes TLS 1.3, so nothing speaks HTTP/3")
	}
}

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
