package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/release/instances"
)

func convert(from map[string]any, into any) error {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(from, into)
}

// seeTeam adds the versions of the team's workload.
func (p *Provider) seeTeam(ctx context.Context, t instances.Target, w workload, seen map[string]instances.Seen) error {
	m, err := remembered(w.GetAnnotations())
	if err != nil {
		return fmt.Errorf("%s: %w", w, err)
	}
	b, err := buildOf(w, t)
	if err != nil {
		return err
	}
	for version, image := range m.Images {
		seen[version] = instances.Seen{Image: image}
	}
	if g := m.Going; g != nil {
		seen[g.Old.Version] = instances.Seen{Wanted: g.IsOld, Image: g.Old.Image}
		seen[g.New.Version] = instances.Seen{Wanted: g.IsNew, Image: g.New.Image}
	} else {
		seen[w.version()] = instances.Seen{Wanted: w.replicas(), Image: b.Image}
	}
	all, err := p.pods(ctx, w.GetNamespace(), selectorOf(w))
	if err != nil {
		return err
	}
	for _, pod := range all {
		if pod.Labels[ApplicationLabel] == "" { // else it is of a version's own manifests
			see(seen, versionOf(pod.Labels), pod, b.Container)
		}
	}
	return unmade(w, seen, w.version())
}

// condition is one of an object's status.
type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func conditions(w workload) ([]condition, error) {
	var status struct {
		Conditions []condition `json:"conditions"`
	}
	raw, _ := w.Object["status"].(map[string]any)
	if err := convert(raw, &status); err != nil {
		return nil, fmt.Errorf("status of %s: %w", w, err)
	}
	return status.Conditions, nil
}

// unmade says why there are not even pods of a version.
func unmade(w workload, seen map[string]instances.Seen, version string) error {
	all, err := conditions(w)
	s := seen[version]
	for _, c := range all {
		if c.Type == "ReplicaFailure" && c.Status == "True" && s.Running < s.Wanted && s.Why == "" {
			s.Why = c.Message
			seen[version] = s
		}
	}
	return err
}

func (p *Provider) pods(ctx context.Context, namespace, selector string) ([]corev1.Pod, error) {
	found, err := p.list(ctx, pods, namespace, selector)
	if err != nil {
		return nil, err
	}
	all := make([]corev1.Pod, len(found))
	for i := range found {
		if err := convert(found[i].Object, &all[i]); err != nil {
			return nil, fmt.Errorf("pod %s/%s: %w", namespace, found[i].GetName(), err)
		}
	}
	return all, nil
}

// see adds a pod to what there is of its version.
func see(seen map[string]instances.Seen, version string, pod corev1.Pod, container string) {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return
	}
	s := seen[version]
	s.Running++
	if pod.DeletionTimestamp == nil {
		if ready(pod) {
			s.Ready++
		}
		if why, failed := trouble(pod); why != "" && !s.Failed {
			s.Why, s.Failed = why, failed
		}
		if image := digest(pod, container); image != "" {
			s.Image = image
		}
	}
	seen[version] = s
}

func ready(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// lasting are the reasons of a container that waits which time alone does not mend.
var lasting = []string{"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"}

// trouble is what keeps a pod from being ready.
func trouble(pod corev1.Pod) (why string, failed bool) {
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if w := c.State.Waiting; w != nil && slices.Contains(lasting, w.Reason) {
			return strings.TrimSuffix(fmt.Sprintf("container %s of pod %s: %s: %s", c.Name, pod.Name, w.Reason, w.Message), ": "), true
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return fmt.Sprintf("pod %s: %s: %s", pod.Name, c.Reason, c.Message), false
		}
	}
	return "", false
}

// digest is the image of a pod's container, where the node has said which it is.
func digest(pod corev1.Pod, container string) string {
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == container && strings.Contains(c.ImageID, "@sha256:") {
			return strings.TrimPrefix(c.ImageID, "docker-pullable://")
		}
	}
	return ""
}
