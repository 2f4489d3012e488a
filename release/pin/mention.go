package pin

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// Named is a ConfigMap or a Secret that manifests mention.
type Named struct{ Kind, Name string }

// references are the fields of a pod that name one, and the field of them that has the name.
var references = map[string]struct{ kind, name string }{
	"configMapRef":    {"ConfigMap", "name"},
	"configMapKeyRef": {"ConfigMap", "name"},
	"configMap":       {"ConfigMap", "name"},
	"secretRef":       {"Secret", "name"},
	"secretKeyRef":    {"Secret", "name"},
	"secret":          {"Secret", "secretName"},
}

// maxNamed of them are kept, of each version.
const maxNamed = 100

// Mentioned are the ConfigMaps and Secrets that instances made of manifests, YAML documents, read; sorted.
// Documents that cannot be read mention nothing: nothing could be started from them either.
func Mentioned(manifests []byte) []Named {
	var all []Named
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(string(manifests)), 4096)
	for {
		var document any
		if decoder.Decode(&document) != nil {
			break
		}
		walk(document, func(field string, value any) {
			object, _ := value.(map[string]any)
			if r, ok := references[field]; ok && text(object[r.name]) != "" {
				all = append(all, Named{r.kind, text(object[r.name])})
			}
			if source, isProjected := object["secret"].(map[string]any); isProjected && text(source["name"]) != "" {
				all = append(all, Named{"Secret", text(source["name"])})
			}
		})
	}
	slices.SortFunc(all, func(a, b Named) int { return strings.Compare(a.Kind+"/"+a.Name, b.Kind+"/"+b.Name) })
	all = slices.Compact(all)
	return all[:min(len(all), maxNamed)]
}

// Leads reports whether an object of RouteKinds is about the traffic of a service, or is that Service.
func Leads(o map[string]any, namespace, service string) bool {
	return slices.ContainsFunc(about(o), func(name string) bool { return called(namespace, service, name) })
}

// Alone reports whether an object of RouteKinds is about the traffic of a service and nobody else's, in the mesh alone, so that
// without it just that service is led otherwise. Services, what others refer to and what somebody else makes are not: they stay.
func Alone(o map[string]any, namespace, service string) bool {
	meta, _ := o["metadata"].(map[string]any)
	spec, _ := o["spec"].(map[string]any)
	hosts, _ := spec["hosts"].([]any)
	if o["kind"] == "Service" || meta["ownerReferences"] != nil || o["kind"] == "VirtualService" && len(hosts) == 0 {
		return false
	}
	all := about(o)
	return len(all) > 0 && !slices.ContainsFunc(all, func(name string) bool { return !called(namespace, service, name) })
}

// Guards reports whether an object of AccessKinds says who may call an application. One of the whole namespace is not the application's.
func Guards(o map[string]any, namespace, application, service string) bool {
	spec, _ := o["spec"].(map[string]any)
	selector, _ := spec["selector"].(map[string]any)
	labels, _ := selector["matchLabels"].(map[string]any)
	return labels["app"] == application || Leads(o, namespace, service)
}

// called reports whether a name is a service's.
func called(namespace, service, name string) bool {
	short := service + "." + namespace
	return slices.Contains([]string{service, short, short + ".svc", short + ".svc.cluster.local"}, name)
}

// about are all whose traffic an object is about: services by the names that it uses, and others as KIND/NAME.
func about(o map[string]any) (all []string) {
	if meta, _ := o["metadata"].(map[string]any); o["kind"] == "Service" {
		all = append(all, text(meta["name"]))
	}
	is := func(v any) { all = append(all, text(v)) }
	walk(o["spec"], func(field string, value any) {
		switch field {
		case "host", "service", "externalName":
			is(value)
		case "hosts":
			each(value, is)
		case "hostnames":
			each(value, func(name any) { all = append(all, "hostname/"+text(name)) })
		case "gateways":
			each(value, func(name any) {
				if name != "mesh" {
					all = append(all, "Gateway/"+text(name))
				}
			})
		case "delegate":
			all = append(all, "VirtualService/")
		case "backendRefs":
			each(value, func(ref any) { all = append(all, referred(ref, "Service")) })
		case "backendRef": // of a mirror
			all = append(all, referred(value, "Service"))
		case "parentRefs", "targetRefs":
			each(value, func(ref any) { all = append(all, referred(ref, "Gateway")) })
		case "targetRef":
			all = append(all, referred(value, "Gateway"))
		}
	})
	return all
}

// referred is what a reference names.
func referred(ref any, kind string) string {
	o, _ := ref.(map[string]any)
	name := text(o["name"])
	if kind = cmp.Or(text(o["kind"]), kind); kind != "Service" {
		return kind + "/" + name
	}
	if namespace := text(o["namespace"]); namespace != "" {
		name += "." + namespace
	}
	return name
}

func each(list any, do func(any)) {
	all, _ := list.([]any)
	for _, one := range all {
		do(one)
	}
}

// walk visits every field of a tree; those of a list have the list's name.
func walk(tree any, visit func(field string, value any)) {
	switch tree := tree.(type) {
	case map[string]any:
		for field, value := range tree {
			visit(field, value)
			walk(value, visit)
		}
	case []any:
		for _, value := range tree {
			visit("", value)
			walk(value, visit)
		}
	}
}
