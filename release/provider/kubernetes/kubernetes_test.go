package kubernetes

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/release/provider/conform"
)

func reviewsTarget() instances.Target {
	return instances.Target{Namespace: namespace, Application: "reviews", Runs: &v1alpha1.Runs{Kubernetes: &v1alpha1.KubernetesRuns{}}}
}

// reviews is a Deployment of the team.
func reviews() *appsv1.Deployment {
	two, surge, down := int32(2), intstr.FromString("25%"), intstr.FromString("25%")
	labels := map[string]string{"app": "reviews"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "reviews", UID: "reviews"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &two, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Strategy: appsv1.DeploymentStrategy{Type: "RollingUpdate", RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &surge, MaxUnavailable: &down}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "reviews", "version": "v1"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "reviews", Image: "good1"}}},
			},
		},
	}
}

func TestTeam(t *testing.T) {
	conform.Run(t, func(t *testing.T) conform.Subject {
		c := newCluster(t)
		c.put(t, deployments, "Deployment", reviews())
		return conform.Subject{
			Provider: New(c, c.mapper, Options{}), Target: reviewsTarget(), Serving: "v1", Good: "good", Bad: "bad", Shared: true,
			Pass: func() { c.pass(t) }, Looks: 30,
		}
	})
}

const manifest = `
apiVersion: v1
kind: ConfigMap
metadata: {name: reviews-VERSION}
data: {a: b}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-VERSION}
spec:
  replicas: 1
  selector: {matchLabels: {app: reviews, own: VERSION}}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: reviews, own: VERSION}}
    spec: {containers: [{name: reviews, image: IMAGE}]}
`

func manifests(version, image string) []byte {
	return []byte(strings.NewReplacer("VERSION", version, "IMAGE", image).Replace(manifest))
}

func TestOwn(t *testing.T) {
	conform.Run(t, func(t *testing.T) conform.Subject {
		c := newCluster(t)
		return conform.Subject{
			Provider: New(c, c.mapper, Options{}), Target: reviewsTarget(), Good: "good", Bad: "bad", Manifests: manifests,
			Pass: func() { c.pass(t) }, Looks: 30,
		}
	})
}
