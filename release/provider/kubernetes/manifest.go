package kubernetes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

	"weft.dev/release/instances"
)

// maxObjects of one version's manifests.
const maxObjects = 500

// read takes manifests apart: YAML or JSON documents, of which lists are what is in them.
func read(manifests []byte) (all []*unstructured.Unstructured, err error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4<<10)
	for n := 1; ; n++ {
		fields := map[string]any{}
		if err := decoder.Decode(&fields); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("%w: manifests, document %d: %w", instances.ErrRefused, n, err)
		}
		if len(fields) == 0 {
			continue
		}
		u, err := whole(fields)
		if err == nil && u.IsList() {
			err = u.EachListItem(func(o runtime.Object) error {
				all = append(all, o.(*unstructured.Unstructured))
				return nil
			})
		} else if err == nil {
			all = append(all, u)
		}
		if err == nil && len(all) > maxObjects {
			err = fmt.Errorf("they have more than %d objects", maxObjects)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: manifests, document %d: %w", instances.ErrRefused, n, err)
		}
	}
}

// whole is an object with the numbers that the client library has, and with a kind and a name.
func whole(fields map[string]any) (*unstructured.Unstructured, error) {
	text, err := (&unstructured.Unstructured{Object: fields}).MarshalJSON()
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	if !u.IsList() && u.GetName() == "" {
		return nil, fmt.Errorf("%s has no metadata.name", u.GetKind())
	}
	return u, nil
}

// prepare makes a version's objects of its manifests, the workloads last.
func (p *Provider) prepare(a instances.Action, most int) (others, workloads []object, err error) {
	manifests, err := read(a.Manifests)
	if err != nil {
		return nil, nil, err
	}
	m := memory{}.done(a)
	for _, o := range manifests {
		made, err := p.place(a.Target.Namespace, o)
		if err != nil {
			return nil, nil, err
		}
		if m.Objects = append(m.Objects, nameOfObject(o)); isWorkload(o) {
			workloads = append(workloads, made)
		} else if others = append(others, made); err == nil {
			err = mark(a, o, memory{Fence: m.Fence})
		}
		if err != nil {
			return nil, nil, err
		}
	}
	for _, o := range workloads {
		if err := errors.Join(fill(a, o.Unstructured, most), mark(a, o.Unstructured, m)); err != nil {
			return nil, nil, err
		}
	}
	if len(workloads) == 0 {
		err = fmt.Errorf("%w: the manifests of %s %s have neither a Deployment nor a StatefulSet", instances.ErrRefused, a.Target.Application, a.Version)
	}
	return others, workloads, err
}

// mark writes into an object whose it is.
func mark(a instances.Action, o *unstructured.Unstructured, m memory) error {
	return errors.Join(
		set(o, map[string]string{ApplicationLabel: a.Target.Application, VersionLabel: a.Version}, "metadata", "labels"),
		set(o, map[string]string{MemoryAnnotation: m.String()}, "metadata", "annotations"))
}

// place finds where an object goes: into a namespace, and into no other one.
func (p *Provider) place(namespace string, o *unstructured.Unstructured) (object, error) {
	kind := o.GroupVersionKind()
	if namespace == p.Own {
		return object{}, fmt.Errorf("%w: namespace %s is weft's own: use another one for applications", instances.ErrRefused, namespace)
	}
	if kind.Group == weftGroup {
		return object{}, fmt.Errorf("%w: %s %s is weft's own: who may write it, its API server says", instances.ErrRefused, o.GetKind(), o.GetName())
	}
	mapping, err := p.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	switch {
	case err != nil:
		return object{}, err
	case mapping.Scope.Name() != meta.RESTScopeNameNamespace:
		return object{}, fmt.Errorf("%w: %s %s is of the whole cluster, and this may change namespace %s alone", instances.ErrRefused, o.GetKind(), o.GetName(), namespace)
	case o.GetNamespace() != "" && o.GetNamespace() != namespace:
		return object{}, fmt.Errorf("%w: %s %s is for namespace %s, and this may change %s alone", instances.ErrRefused, o.GetKind(), o.GetName(), o.GetNamespace(), namespace)
	}
	o.SetNamespace(namespace)
	return object{o, mapping.Resource}, nil
}

// fill writes into a workload what the action says of the version.
func fill(a instances.Action, o *unstructured.Unstructured, most int) error {
	err := set(o, map[string]string{templateVersion: a.Version, ApplicationLabel: a.Target.Application, VersionLabel: a.Version}, "spec", "template", "metadata", "labels")
	if err != nil {
		return err
	}
	replicas := a.Replicas
	if replicas == 0 {
		replicas = max(most, number(o.Object, 1, "spec", "replicas"))
	}
	if err := unstructured.SetNestedField(o.Object, int64(replicas), "spec", "replicas"); err != nil || a.Image == "" {
		return err
	}
	template, _, err := unstructured.NestedMap(o.Object, "spec", "template")
	if err != nil {
		return err
	}
	c, err := containerOf(template, a.Target)
	if err != nil {
		return fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
	}
	c["image"] = a.Image
	return unstructured.SetNestedMap(o.Object, template, "spec", "template")
}

// set adds texts to a map of an object.
func set(o *unstructured.Unstructured, more map[string]string, path ...string) error {
	all, _, err := unstructured.NestedStringMap(o.Object, path...)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, more)
	if err == nil {
		err = unstructured.SetNestedStringMap(o.Object, all, path...)
	}
	if err != nil {
		return fmt.Errorf("%w: %s %s: %w", instances.ErrRefused, o.GetKind(), o.GetName(), err)
	}
	return nil
}
