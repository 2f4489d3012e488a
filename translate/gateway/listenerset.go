package gateway

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/api"
	"weft.dev/model"
	"weft.dev/translate/object"
)

// Admits says whose ListenerSets a Gateway takes.
type Admits struct {
	From     gatewayv1.FromNamespaces
	Selector *metav1.LabelSelector // for From Selector
}

// Set names the Gateway at whose proxies a ListenerSet's listeners are.
type Set struct{ Parent model.Key }

// setPrefix is before the name of a ListenerSet among gateways.
const setPrefix = "set:"

// Called is how people know what has a name among gateways.
func Called(name string) string {
	if set, ok := strings.CutPrefix(name, setPrefix); ok {
		return "ListenerSet " + set
	}
	return "gateway " + strings.TrimPrefix(name, "istio:")
}

// SetName is the name of a ListenerSet among gateways.
func SetName(of model.Key) string { return setPrefix + of.Namespace + "/" + of.Name }

// Whose reads whose ListenerSets a Gateway takes: nobody's, where it does not say.
func Whose(o *object.Object, spec *gatewayv1.GatewaySpec, gateways []model.Gateway) []Admits {
	if len(gateways) == 0 {
		return nil
	}
	return []Admits{whose(o, spec)}
}

func whose(o *object.Object, spec *gatewayv1.GatewaySpec) Admits {
	a := Admits{From: gatewayv1.NamespacesFromNone}
	if spec.AllowedListeners == nil || spec.AllowedListeners.Namespaces == nil {
		return a
	}
	at := object.Spec.Dot("allowedListeners").Dot("namespaces")
	a.From, a.Selector = value(spec.AllowedListeners.Namespaces.From, a.From), spec.AllowedListeners.Namespaces.Selector
	if a.From != gatewayv1.NamespacesFromSelector {
		return a
	}
	if _, err := metav1.LabelSelectorAsSelector(a.Selector); a.Selector == nil || err != nil {
		o.Invalid(at.Dot("selector"), "is no selector, so no ListenerSet is taken; write the labels of the namespaces")
		a.From = gatewayv1.NamespacesFromNone
	}
	return a
}

// ListenerSet gives its listeners as a gateway at the proxies of another one, which has yet to take them.
func ListenerSet(o *object.Object, spec *gatewayv1.ListenerSetSpec) ([]Set, []model.Gateway, Spaces, []Listener) {
	if !o.Audit(spec, honoured) {
		return nil, nil, nil, nil
	}
	ref := spec.ParentRef
	if value(ref.Group, Group) != Group || value(ref.Kind, "Gateway") != "Gateway" {
		o.NotHonoured(object.Spec.Dot("parentRef").Dot("kind"), "weft does not know a parent of kind %s; use a Gateway", value(ref.Kind, "Gateway"))
		return nil, nil, nil, nil
	}
	parent := model.Key{Kind: string(api.Gateway), Namespace: string(value(ref.Namespace, gatewayv1.Namespace(o.Namespace))), Name: string(ref.Name)}
	g := model.Gateway{Object: o.Key, Name: SetName(o.Key), Proxy: parent.Name, Home: parent.Namespace, From: o.Whole()}
	r := reader{Object: o, spaces: Spaces{}}
	for i, l := range spec.Listeners {
		in := gatewayv1.Listener(l)
		r.read(i, &in, &g)
	}
	o.WithHTTP3(&g)
	return []Set{{parent}}, []model.Gateway{g}, r.spaces, r.all
}
