package istio

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// deployAnnotation set to "true" on a Gateway asks for its proxies. Without it
// they are somebody else's to run, as Istio's are.
const deployAnnotation = "weft.dev/deploy"

// sizePrefix begins the annotations that size proxies.
const sizePrefix = "weft.dev/proxy-"

// Pods are what a cluster is to run for a Gateway that asks for it. Gateways of a
// namespace with the same selector have the same name for them, and so share them.
func Pods(o *object.Object, spec *networking.Gateway, gateways []model.Gateway) []model.GatewayPods {
	switch asked := o.Annotations[deployAnnotation]; {
	case asked != "" && asked != "true" && asked != "false":
		o.Invalid(object.Annotation(deployAnnotation), "%q is neither true nor false", asked)
		return nil
	case asked != "true" || len(gateways) == 0 || !selectable(o, spec.Selector):
		return nil
	}
	p := o.GatewayPods("networking.istio.io/v1")
	p.UDP = gateways[0].UDP()
	p.Name, p.Labels, p.Annotations = podsName(spec.Selector), spec.Selector, map[string]string{}
	for _, server := range spec.Servers { // also those that stay closed, as long as they are
		if port := server.GetPort().GetNumber(); port > 0 && port < 1<<16 && !slices.Contains(p.Ports, port) {
			p.Ports = append(p.Ports, port)
		}
	}
	for name, value := range o.Annotations {
		if strings.HasPrefix(name, sizePrefix) {
			p.Annotations[name] = value
		}
	}
	if len(p.Ports) == 0 {
		return nil // of no server, which is reported
	}
	return []model.GatewayPods{p}
}

// selectable says whether pods can have the labels.
func selectable(o *object.Object, selector map[string]string) bool {
	for _, name := range model.SortedKeys(selector) {
		if why := slices.Concat(validation.IsQualifiedName(name), validation.IsValidLabelValue(selector[name])); len(why) > 0 {
			o.Invalid(object.Spec.Dot("selector").Entry(name), "is no label of a pod, so no pods are made: %s", strings.Join(why, "; "))
			return false
		}
	}
	return true
}

// plainName leaves room for what is put after it in names of Services.
var plainName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,40}[a-z0-9])?$`)

// podsName is another for each selector, and no usual one of a Gateway of the Gateway API.
func podsName(selector map[string]string) string {
	if name := selector["istio"]; len(selector) == 1 && plainName.MatchString(name) {
		return name + "-istio"
	}
	sum := sha256.Sum256([]byte(labels.Set(selector).String()))
	return fmt.Sprintf("gateway-%x-istio", sum[:4])
}
