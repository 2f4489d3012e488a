package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"

	"weft.dev/model"
)

// sayAgain is how often somebody who waits is told for what.
const sayAgain = 5 * time.Second

// Plane is a control plane.
type Plane struct{ Namespace, Name, Revision string }

// Await waits until a control plane serves: its replicas are those that were
// asked for, and pods get their proxies. An error says what is missing.
func (c *Cluster) Await(ctx context.Context, p Plane, say func(string)) error {
	missing, said := "", time.Now()
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		now, err := c.Missing(ctx, p)
		if ctx.Err() != nil {
			return false, nil // the question had no time, and its answer says nothing
		}
		if err != nil {
			now = err.Error()
		}
		if missing = now; missing != "" && time.Since(said) > sayAgain {
			said = time.Now()
			say("waiting: " + missing)
		}
		return missing == "", nil
	})
	if err != nil {
		return fmt.Errorf("weft is not ready: %s", missing)
	}
	return nil
}

// Missing is why the control plane does not serve yet; "" if it does.
func (c *Cluster) Missing(ctx context.Context, p Plane) (string, error) {
	d, err := c.objects.Resource(deploymentResource).Namespace(p.Namespace).Get(ctx, p.Name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	wanted, _, _ := unstructured.NestedInt64(d.Object, "spec", "replicas")
	seen, _, _ := unstructured.NestedInt64(d.Object, "status", "observedGeneration")
	updated, _, _ := unstructured.NestedInt64(d.Object, "status", "updatedReplicas")
	available, _, _ := unstructured.NestedInt64(d.Object, "status", "availableReplicas")
	all, _, _ := unstructured.NestedInt64(d.Object, "status", "replicas")
	if seen < d.GetGeneration() || updated < wanted || available < wanted || all > wanted {
		return fmt.Sprintf("%d of %d replicas of %s are ready%s", min(available, updated), wanted, nameOf(d), c.whyPods(ctx, p.Namespace, d)), nil
	}
	hooks, err := c.objects.Resource(webhookResource).Get(ctx, p.Name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if !trusted(hooks) {
		return nameOf(hooks) + " has no certificate authority yet: weft writes it when it starts", nil
	}
	if missing, err := c.notInjecting(ctx, p); missing != "" || err != nil {
		return missing, err
	}
	return c.notVouching(ctx, time.Now()), nil
}

// notInjecting has the API server pretend to make a pod: it may not reach the
// webhook yet, or never. "" if the pod got its proxy, or may not be made at all.
func (c *Cluster) notInjecting(ctx context.Context, p Plane) (string, error) {
	pod := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": "weft-check", "namespace": metav1.NamespaceDefault, "labels": map[string]any{model.RevisionLabel: p.Revision}},
		"spec":     map[string]any{"containers": []any{map[string]any{"name": "check", "image": "check"}}},
	}}
	made, err := c.objects.Resource(podResource).Namespace(metav1.NamespaceDefault).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	switch {
	case apierrors.IsForbidden(err) || apierrors.IsInvalid(err): // rules of the cluster, which a pod of nothing does not meet
		return "", nil
	case err != nil:
		return "", err
	case made.GetLabels()[model.ProxyLabel] == "":
		return fmt.Sprintf("pods get no proxy: the API server does not reach the webhook %s through the Service %s/%s; if this stays, look at firewalls between them, port 7445", p.Name, p.Namespace, p.Name), nil
	}
	return "", nil
}

func trusted(hooks *unstructured.Unstructured) bool {
	all, _, _ := unstructured.NestedSlice(hooks.Object, "webhooks")
	for _, each := range all {
		hook, _ := each.(map[string]any)
		if bundle, _, _ := unstructured.NestedString(hook, "clientConfig", "caBundle"); bundle == "" {
			return false
		}
	}
	return len(all) > 0
}

// whyPods is what Kubernetes says of pods that are not ready.
func (c *Cluster) whyPods(ctx context.Context, namespace string, d *unstructured.Unstructured) string {
	labels, _, _ := unstructured.NestedStringMap(d.Object, "spec", "selector", "matchLabels")
	selector := metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: labels})
	pods, err := c.objects.Resource(podResource).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return ""
	}
	var why []string
	for _, pod := range pods.Items {
		if reason := whyPod(&pod); reason != "" {
			why = append(why, fmt.Sprintf("; %s: %s", nameOf(&pod), reason))
		}
	}
	return strings.Join(why, "")
}

func whyPod(pod *unstructured.Unstructured) string {
	for _, path := range []string{"initContainerStatuses", "containerStatuses"} {
		statuses, _, _ := unstructured.NestedSlice(pod.Object, "status", path)
		for _, each := range statuses {
			status, _ := each.(map[string]any)
			waiting, _, _ := unstructured.NestedMap(status, "state", "waiting")
			last, _, _ := unstructured.NestedMap(status, "lastState", "terminated")
			if reason, _ := waiting["reason"].(string); reason != "" && reason != "PodInitializing" && reason != "ContainerCreating" {
				message, _ := waiting["message"].(string)
				if code, ok := last["exitCode"]; ok {
					message = fmt.Sprintf("it ended with %v; see kubectl logs", code)
				}
				return strings.TrimSpace(reason + " " + message)
			}
		}
	}
	conditions, _, _ := unstructured.NestedSlice(pod.Object, "status", "conditions")
	for _, each := range conditions {
		if c, _ := each.(map[string]any); c["type"] == "PodScheduled" && c["status"] == "False" {
			return fmt.Sprint("no node takes it: ", c["message"])
		}
	}
	return ""
}
