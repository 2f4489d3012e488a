package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
)

// How often, and how long, an action waits for a Deployment's controller; the next try goes on waiting.
const followPoll, followTime = 100 * time.Millisecond, 5 * time.Second

// withNew is the release with a new version of so many instances, withOld with so many of the
// old one. Of a StatefulSet what one has, the other has not.
func (g going) withNew(w workload, next build, replicas int) *going {
	if g.New, g.IsNew = next, replicas; w.GetKind() == statefulSet {
		g.IsOld = w.replicas() - replicas
	}
	return &g
}

func (g going) withOld(w workload, replicas int) *going {
	if g.IsOld = replicas; w.GetKind() == statefulSet {
		g.IsNew = w.replicas() - replicas
	}
	return &g
}

// fields of spec that have a workload run both versions, each with as many instances as it was told.
func (g going) fields(w workload) map[string]any {
	if w.GetKind() == statefulSet {
		// Each instance of it is one version's or the other's: those from the partition on are the new one's.
		return map[string]any{"updateStrategy": map[string]any{
			"type": "RollingUpdate", "rollingUpdate": map[string]any{"partition": int64(max(0, w.replicas()-g.IsNew))},
		}}
	}
	// Of instances that count as available there are the old ones alone.
	return map[string]any{
		"minReadySeconds": int64(forever), "progressDeadlineSeconds": int64(forever + 1),
		"strategy": map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{
			"maxSurge": int64(max(0, g.IsOld+g.IsNew-w.replicas())), "maxUnavailable": int64(max(0, w.replicas()-g.IsOld)),
		}},
	}
}

// teamFields are the fields that fields changes, as they are.
func teamFields(w workload) map[string]any {
	names := []string{"strategy", "minReadySeconds", "progressDeadlineSeconds"}
	if w.GetKind() == statefulSet {
		names = []string{"updateStrategy"}
	}
	spec, _, _ := unstructured.NestedMap(w.Object, "spec")
	found := map[string]any{}
	for _, name := range names {
		if value, ok := spec[name]; ok {
			found[name] = value
		}
	}
	if s, ok := found["strategy"].(map[string]any); ok && s["rollingUpdate"] == nil {
		s["rollingUpdate"] = nil // else what a release wrote there would stay, beside a type that forbids it
	}
	return found
}

// even gives a version of a Deployment as many instances as it was told where the
// Deployment's controller would not: it grows no old version, and shrinks no new one.
func (p *Provider) even(ctx context.Context, w workload, m memory, version string) error {
	g := m.Going
	if g == nil || w.GetKind() == statefulSet {
		return nil
	}
	if err := p.followed(ctx, w); err != nil {
		return err
	}
	wanted := g.IsNew
	if version == g.Old.Version {
		wanted = g.IsOld
	}
	set, err := p.replicaSet(ctx, w, version)
	if err != nil || set == nil || number(set.Object, 0, "spec", "replicas") == wanted {
		return err
	}
	return p.merge(ctx, replicaSets, set, map[string]any{"metadata": map[string]any{}, "spec": map[string]any{"replicas": int64(wanted)}})
}

// followed waits until a Deployment's controller has seen what was written. One that still goes by what was there before
// takes instances that it does not expect away again, from both versions.
func (p *Provider) followed(ctx context.Context, w workload) error {
	deployments := p.client.Resource(resourceOf(w.GetKind())).Namespace(w.GetNamespace())
	err := wait.PollUntilContextTimeout(ctx, followPoll, followTime, true, func(ctx context.Context) (bool, error) {
		now, err := deployments.Get(ctx, w.GetName(), metav1.GetOptions{})
		return err == nil && observed(now), err
	})
	if wait.Interrupted(err) {
		return fmt.Errorf("%s: its controller has not seen the change yet; does kube-controller-manager run?", w)
	}
	return err
}

// observed reports whether an object's controller has seen it as it is.
func observed(o *unstructured.Unstructured) bool {
	return number(o.Object, 0, "status", "observedGeneration") >= int(o.GetGeneration())
}

// replicaSet is the newest one of a Deployment's version; nil: there is none yet.
func (p *Provider) replicaSet(ctx context.Context, w workload, version string) (*unstructured.Unstructured, error) {
	all, err := p.list(ctx, replicaSets, w.GetNamespace(), selectorOf(w))
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(u unstructured.Unstructured) bool {
		return !ownedBy(u, w) || versionOf(labels(u.Object, "spec", "template", "metadata", "labels")) != version
	})
	if len(all) == 0 {
		return nil, nil
	}
	newest := slices.MaxFunc(all, func(a, b unstructured.Unstructured) int { return cmp.Compare(revision(a), revision(b)) })
	return &newest, nil
}

func revision(set unstructured.Unstructured) int {
	n, _ := strconv.Atoi(set.GetAnnotations()["deployment.kubernetes.io/revision"]) // none: 0
	return n
}

func ownedBy(u unstructured.Unstructured, w workload) bool {
	return slices.ContainsFunc(u.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return r.UID == w.GetUID() })
}

// selectorOf is the workload's own, as text; empty: it has none, or none that can be read.
func selectorOf(w workload) string {
	var s metav1.LabelSelector
	spec, _, _ := unstructured.NestedMap(w.Object, "spec", "selector")
	if err := convert(spec, &s); err != nil {
		return ""
	}
	selector, err := metav1.LabelSelectorAsSelector(&s)
	if err != nil {
		return ""
	}
	return selector.String()
}
