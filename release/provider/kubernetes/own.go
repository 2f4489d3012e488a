package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weft.dev/release/instances"
)

// own are the workloads that manifests of a version made; version "": of every one.
func (p *Provider) own(ctx context.Context, t instances.Target, version string) ([]workload, error) {
	selector := ApplicationLabel + "=" + t.Application
	if version != "" {
		selector += "," + VersionLabel + "=" + version
	}
	var all []workload
	for _, what := range []schema.GroupVersionResource{deployments, statefulSets} {
		found, err := p.list(ctx, what, t.Namespace, selector)
		if err != nil {
			return nil, err
		}
		for i := range found {
			all = append(all, workload{&found[i]})
		}
	}
	return all, nil
}

// all are the workloads of an application, whoever made them.
func (p *Provider) all(ctx context.Context, t instances.Target) ([]workload, error) {
	all, err := p.own(ctx, t, "")
	if err != nil {
		return nil, err
	}
	team, err := p.team(ctx, t)
	if team != nil {
		all = append(all, *team)
	}
	return all, err
}

// deployOwn makes the objects of a version's manifests.
func (p *Provider) deployOwn(ctx context.Context, a instances.Action) error {
	others, err := p.all(ctx, a.Target)
	if err != nil {
		return err
	}
	objects, workloads, err := p.prepare(a, mostOf(others))
	if err != nil {
		return err
	}
	for _, w := range others {
		if err := p.hold(ctx, w); err != nil {
			return err
		}
	}
	for _, o := range append(objects, workloads...) { // the workloads last: they know the others
		if err := p.make(ctx, a, o); err != nil {
			return fmt.Errorf("%s %s/%s: %w", o.GetKind(), a.Target.Namespace, o.GetName(), err)
		}
	}
	return nil
}

// mostOf is how many instances the largest of the workloads has, at least one.
func mostOf(all []workload) int {
	most := 1
	for _, w := range all {
		most = max(most, w.replicas())
	}
	return most
}

// object is one of a version's, and where it is.
type object struct {
	*unstructured.Unstructured
	what schema.GroupVersionResource
}

// make makes an object, unless this action or a later one did.
func (p *Provider) make(ctx context.Context, a instances.Action, o object) error {
	at := p.client.Resource(o.what).Namespace(a.Target.Namespace)
	old, err := at.Get(ctx, o.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = at.Create(ctx, o.Unstructured, metav1.CreateOptions{FieldManager: manager})
		return another(o, err)
	}
	if err != nil {
		return err
	}
	if !ofVersion(old, a) {
		return fmt.Errorf("%w: it is there, and not of %s %s: give the manifests of each version names of their own, such as %s-%s",
			instances.ErrRefused, a.Target.Application, a.Version, a.Target.Application, a.Version)
	}
	m, err := remembered(old.GetAnnotations())
	if err != nil || m.Passed(a) {
		return err
	}
	o.SetResourceVersion(old.GetResourceVersion())
	_, err = at.Apply(ctx, o.GetName(), o.Unstructured, metav1.ApplyOptions{FieldManager: manager, Force: true})
	return err
}

// another makes a conflict of an object that somebody made between two calls.
func another(o object, err error) error {
	if apierrors.IsAlreadyExists(err) {
		return apierrors.NewConflict(o.what.GroupResource(), o.GetName(), err)
	}
	return err
}

func ofVersion(o *unstructured.Unstructured, a instances.Action) bool {
	return o.GetLabels()[ApplicationLabel] == a.Target.Application && o.GetLabels()[VersionLabel] == a.Version
}

// changeOwn does an action with the workloads of a version's own.
func (p *Provider) changeOwn(ctx context.Context, own []workload, a instances.Action) error {
	if a.Verb == instances.Settle {
		if err := p.freeAll(ctx, a.Target); err != nil {
			return err
		}
	}
	if a.Verb == instances.Deploy && a.Replicas == 0 {
		all, err := p.all(ctx, a.Target)
		if err != nil {
			return err
		}
		a.Replicas = mostOf(all)
	}
	for _, w := range own {
		m, err := remembered(w.GetAnnotations())
		if err != nil {
			return fmt.Errorf("%s: %w", w, err)
		}
		if m.Passed(a) {
			continue
		}
		if err := p.changeOne(ctx, w, m.done(a), a); err != nil {
			return err
		}
	}
	return nil
}

func (p *Provider) freeAll(ctx context.Context, t instances.Target) error {
	all, err := p.all(ctx, t)
	if err != nil {
		return err
	}
	for _, w := range all {
		if err := p.free(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

func (p *Provider) changeOne(ctx context.Context, w workload, m memory, a instances.Action) error {
	fields := map[string]any{"metadata": noted(m)}
	switch a.Verb {
	case instances.Delete:
		return p.deleteOwn(ctx, w, m, a)
	case instances.Deploy:
		if now, err := buildOf(w, a.Target); err != nil || a.Image != "" && a.Image != now.Image {
			return fmt.Errorf("%w: %s runs version %s with image %s: give another image another version", instances.ErrRefused, w, a.Version, now.Image)
		}
		fields["spec"] = map[string]any{"replicas": int64(a.Replicas)}
	case instances.Scale:
		fields["spec"] = map[string]any{"replicas": int64(a.Replicas)}
	case instances.Restart:
		fields["spec"] = map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]any{RestartAnnotation: a.ID}}}}
	}
	return p.merge(ctx, resourceOf(w.GetKind()), w.Unstructured, fields)
}

// deleteOwn deletes what was made for a version; the workload last, for it knows the others.
func (p *Provider) deleteOwn(ctx context.Context, w workload, m memory, a instances.Action) error {
	for _, name := range m.Objects {
		if err := p.deleteNamed(ctx, w, name, a); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	uid, version := w.GetUID(), w.GetResourceVersion()
	err := p.client.Resource(resourceOf(w.GetKind())).Namespace(w.GetNamespace()).Delete(ctx, w.GetName(), metav1.DeleteOptions{
		PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// nameOfObject is how a workload's memory names what was made with it.
func nameOfObject(o *unstructured.Unstructured) string {
	return o.GetAPIVersion() + " " + o.GetKind() + " " + o.GetName()
}

// deleteNamed deletes an object that was made with a workload, and is not one.
func (p *Provider) deleteNamed(ctx context.Context, w workload, name string, a instances.Action) error {
	parts := strings.Split(name, " ")
	if len(parts) != 3 {
		return fmt.Errorf("%w: %s: its annotation %s names %q", instances.ErrRefused, w, MemoryAnnotation, name)
	}
	kind := schema.FromAPIVersionAndKind(parts[0], parts[1])
	mapping, err := p.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	at := p.client.Resource(mapping.Resource).Namespace(w.GetNamespace())
	o, err := at.Get(ctx, parts[2], metav1.GetOptions{})
	if err != nil || !ofVersion(o, a) || isWorkload(o) {
		return err
	}
	return at.Delete(ctx, parts[2], metav1.DeleteOptions{PropagationPolicy: &background})
}

// background: what an object owns ends after it, and nobody waits for that.
var background = metav1.DeletePropagationBackground

// seeOwn adds the versions of manifests of their own.
func (p *Provider) seeOwn(ctx context.Context, t instances.Target, own []workload, seen map[string]instances.Seen) error {
	all, err := p.pods(ctx, t.Namespace, ApplicationLabel+"="+t.Application)
	if err != nil {
		return err
	}
	containers := map[string]string{}
	for _, w := range own {
		version := w.GetLabels()[VersionLabel]
		s := seen[version]
		if w.GetDeletionTimestamp() == nil {
			s.Wanted += w.replicas()
		}
		if b, err := buildOf(w, t); err == nil {
			containers[version], s.Image = b.Container, b.Image
		}
		seen[version] = s
	}
	for _, pod := range all {
		version := pod.Labels[VersionLabel]
		see(seen, version, pod, containers[version])
	}
	for _, w := range own {
		if err := unmade(w, seen, w.GetLabels()[VersionLabel]); err != nil {
			return err
		}
	}
	return nil
}

// isWorkload reports whether an object starts pods that stay.
func isWorkload(o *unstructured.Unstructured) bool {
	return o.GroupVersionKind().Group == "apps" && slices.Contains([]string{"Deployment", statefulSet}, o.GetKind())
}
