package kubernetes

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weft.dev/release/instances"
)

// forever, seconds, keeps instances from counting as available to their workload: so
// it ends none of the old ones, while the new ones answer.
const forever = 1 << 30

// changeTeam does an action with the team's workload.
func (p *Provider) changeTeam(ctx context.Context, w workload, a instances.Action) error {
	m, err := remembered(w.GetAnnotations())
	if err != nil {
		return fmt.Errorf("%s: %w", w, err)
	}
	if m.Passed(a) {
		if a.ID == m.ID {
			return p.finish(ctx, w, m, a.Version) // whoever did it may have been stopped before
		}
		return nil
	}
	m = m.done(a)
	switch a.Verb {
	case instances.Deploy:
		return p.begin(ctx, w, m, a, a.Image, a.Replicas)
	case instances.Scale:
		return p.scaleTeam(ctx, w, m, a)
	case instances.Restart:
		return p.restartTeam(ctx, w, m, a)
	case instances.Settle:
		return p.settle(ctx, w, m, a)
	default:
		return p.end(ctx, w, m, a)
	}
}

// begin starts a version beside the one that the workload has.
func (p *Provider) begin(ctx context.Context, w workload, m memory, a instances.Action, image string, replicas int) error {
	now, err := buildOf(w, a.Target)
	if err != nil {
		return err
	}
	if image == "" {
		image = now.Image
	}
	if replicas == 0 {
		replicas = w.replicas()
		if w.GetKind() == statefulSet {
			replicas = 1
		}
	}
	next := build{Version: a.Version, Labelled: true, Container: now.Container, Image: image}
	switch g := m.Going; {
	case g != nil && g.New.Version != a.Version:
		return fmt.Errorf("%w: %s has %s beside %s already: settle or delete one of them before %s", instances.ErrRefused, w, g.New.Version, g.Old.Version, a.Version)
	case g != nil:
		m.Going = g.withNew(w, next, min(replicas, w.replicas()))
	case now.Version == a.Version && now.Image != image:
		return fmt.Errorf("%w: %s runs version %s with image %s, and not %s: give the new one another version", instances.ErrRefused, w, a.Version, now.Image, image)
	case now.Version == a.Version:
		return p.note(ctx, w, m)
	case w.replicas() == 0:
		return p.replace(ctx, w, m, a, image)
	default:
		m.Going = (&going{Old: now, New: next, IsOld: w.replicas(), Team: teamFields(w)}).withNew(w, next, min(replicas, w.replicas()))
	}
	delete(m.Images, a.Version)
	if err := p.hold(ctx, w); err != nil {
		return err
	}
	if err := p.write(ctx, w, m, next, m.Going.fields(w)); err != nil {
		return err
	}
	return p.finish(ctx, w, m, a.Version)
}

// scaleTeam gives one of the versions so many instances.
func (p *Provider) scaleTeam(ctx context.Context, w workload, m memory, a instances.Action) error {
	g := m.Going
	image, idle := m.Images[a.Version]
	switch {
	case g != nil && a.Version == g.New.Version && a.Replicas == 0:
		return p.back(ctx, w, m.idle(g.New), g.Old)
	case g != nil && a.Version == g.New.Version:
		m.Going = g.withNew(w, g.New, min(a.Replicas, w.replicas()))
	case g != nil && a.Version == g.Old.Version:
		m.Going = g.withOld(w, min(a.Replicas, w.replicas()))
	case g == nil && a.Version == w.version():
		return p.resize(ctx, w, m, a.Replicas)
	case idle && a.Replicas > 0 && w.replicas() == 0:
		return p.replace(ctx, w, m, a, image)
	case idle && a.Replicas > 0:
		return p.begin(ctx, w, m, a, image, a.Replicas)
	case idle:
		return p.note(ctx, w, m)
	default:
		return a.Missing()
	}
	if err := p.write(ctx, w, m, m.Going.New, m.Going.fields(w)); err != nil {
		return err
	}
	return p.finish(ctx, w, m, a.Version)
}

// replace starts a version where none has an instance: there is nothing to be beside.
func (p *Provider) replace(ctx context.Context, w workload, m memory, a instances.Action, image string) error {
	now, err := buildOf(w, a.Target)
	if err != nil {
		return err
	}
	m = m.idle(now)
	delete(m.Images, a.Version)
	next := build{Version: a.Version, Labelled: true, Container: now.Container, Image: image}
	if err := p.write(ctx, w, m, next, map[string]any{"replicas": int64(max(1, a.Replicas))}); err != nil {
		return err
	}
	return p.finish(ctx, w, m, a.Version)
}

// restartTeam replaces the instances of the only version, as the team's strategy says.
func (p *Provider) restartTeam(ctx context.Context, w workload, m memory, a instances.Action) error {
	if g := m.Going; g != nil && (a.Version == g.New.Version || a.Version == g.Old.Version) {
		return fmt.Errorf("%w: %s has %s and %s: settle or delete one of them, then restart the other", instances.ErrRefused, w, g.Old.Version, g.New.Version)
	}
	if a.Version != w.version() {
		return a.Missing()
	}
	template := map[string]any{"metadata": map[string]any{"annotations": map[string]any{RestartAnnotation: a.ID}}}
	return p.merge(ctx, resourceOf(w.GetKind()), w.Unstructured, map[string]any{
		"metadata": noted(m), "spec": map[string]any{"template": template},
	})
}

// settle ends a release with the version that stays.
func (p *Provider) settle(ctx context.Context, w workload, m memory, a instances.Action) error {
	switch g := m.Going; {
	case g != nil && a.Version == g.New.Version:
		return p.back(ctx, w, m, g.New)
	case g != nil && a.Version == g.Old.Version:
		return p.back(ctx, w, m, g.Old)
	case a.Version == w.version():
		return p.note(ctx, w, m)
	}
	return a.Missing()
}

// end ends a version of a workload that has another one.
func (p *Provider) end(ctx context.Context, w workload, m memory, a instances.Action) error {
	switch g := m.Going; {
	case g != nil && a.Version == g.New.Version:
		return p.back(ctx, w, m, g.Old)
	case g != nil && a.Version == g.Old.Version:
		none := a
		none.Replicas = 0
		return p.scaleTeam(ctx, w, m, none)
	case g == nil && a.Version == w.version():
		return fmt.Errorf("%w: %s is what %s runs, and that is the team's: deploy another version, or delete it yourself", instances.ErrRefused, a.Version, w)
	}
	delete(m.Images, a.Version)
	return p.note(ctx, w, m)
}

// back gives the workload back to the team, with one of the versions. Nobody owns
// what weft wrote then, so that the team's next apply is in nobody's way.
func (p *Provider) back(ctx context.Context, w workload, m memory, stays build) error {
	team := m.Going.Team
	m.Going = nil
	if err := p.free(ctx, w); err != nil {
		return err
	}
	if err := p.write(ctx, w, m, stays, team); err != nil {
		return err
	}
	return p.disown(ctx, w)
}

// finish is what follows the write of an action.
func (p *Provider) finish(ctx context.Context, w workload, m memory, version string) error {
	if m.Going == nil {
		return p.disown(ctx, w)
	}
	return p.even(ctx, w, m, version)
}

// disown takes weft off the owners of a workload's fields.
func (p *Provider) disown(ctx context.Context, w workload) error {
	what := resourceOf(w.GetKind())
	now, err := p.client.Resource(what).Namespace(w.GetNamespace()).Get(ctx, w.GetName(), metav1.GetOptions{})
	if err != nil {
		return err
	}
	rest := slices.DeleteFunc(now.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool { return e.Manager == manager })
	if len(rest) == 0 || len(rest) == len(now.GetManagedFields()) {
		return nil // that nobody owns anything is not to be had: the API server would keep what there is
	}
	now.SetManagedFields(rest)
	owners, _, err := unstructured.NestedFieldCopy(now.Object, "metadata", "managedFields")
	if err != nil {
		return err
	}
	return p.merge(ctx, what, now, map[string]any{"metadata": map[string]any{"managedFields": owners}})
}

// write makes the fields that weft holds so: the template's build, and those of a release or of the team.
func (p *Provider) write(ctx context.Context, w workload, m memory, b build, fields map[string]any) error {
	template := map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": b.Container, "image": b.Image}}}}
	if b.Labelled {
		template["metadata"] = map[string]any{"labels": map[string]any{templateVersion: b.Version}}
	}
	spec := map[string]any{"template": template}
	for name, value := range fields {
		spec[name] = value
	}
	meta := noted(m)
	meta["name"], meta["namespace"], meta["resourceVersion"] = w.GetName(), w.GetNamespace(), w.GetResourceVersion()
	_, err := p.client.Resource(resourceOf(w.GetKind())).Namespace(w.GetNamespace()).Apply(ctx, w.GetName(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": w.GetAPIVersion(), "kind": w.GetKind(), "metadata": meta, "spec": spec,
	}}, metav1.ApplyOptions{FieldManager: manager, Force: true})
	return err
}

// note remembers an action that has nothing else to change.
func (p *Provider) note(ctx context.Context, w workload, m memory) error {
	return p.merge(ctx, resourceOf(w.GetKind()), w.Unstructured, map[string]any{"metadata": noted(m)})
}

// resize gives the only version so many instances.
func (p *Provider) resize(ctx context.Context, w workload, m memory, replicas int) error {
	held, err := p.scalers(ctx, w)
	if err != nil {
		return err
	}
	if len(held) > 0 {
		return fmt.Errorf("%w: how many instances %s has, HorizontalPodAutoscaler %s says: change that", instances.ErrRefused, w, held[0].GetName())
	}
	return p.merge(ctx, resourceOf(w.GetKind()), w.Unstructured, map[string]any{"metadata": noted(m), "spec": map[string]any{"replicas": int64(replicas)}})
}

func noted(m memory) map[string]any {
	return map[string]any{"annotations": map[string]any{MemoryAnnotation: m.String()}}
}

// buildOf is what a workload's template runs.
func buildOf(w workload, t instances.Target) (build, error) {
	template, _, _ := unstructured.NestedMap(w.Object, "spec", "template")
	c, err := containerOf(template, t)
	if err != nil {
		return build{}, fmt.Errorf("%s: %w", w, err)
	}
	name, _ := c["name"].(string)
	image, _ := c["image"].(string)
	_, labelled := labels(template, "metadata", "labels")[templateVersion]
	return build{w.version(), labelled, name, image}, nil
}

// containerOf is the one of a template that has the application's image, itself.
func containerOf(template map[string]any, t instances.Target) (map[string]any, error) {
	found, _, _ := unstructured.NestedFieldNoCopy(template, "spec", "containers")
	all, _ := found.([]any)
	want := t.Runs.Kubernetes.Container
	if want == "" {
		want = t.Application
	}
	for _, c := range all {
		if c, ok := c.(map[string]any); ok && (c["name"] == want || len(all) == 1 && t.Runs.Kubernetes.Container == "") {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%w: none of its %d containers is named %s: say which one it is in spec.runs.kubernetes.container", instances.ErrRefused, len(all), want)
}
