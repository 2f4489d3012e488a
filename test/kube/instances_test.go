package kube

import (
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/release/provider/conform"
	"weft.dev/release/provider/kubernetes"
)

const teamReviews = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews}
spec:
  replicas: 2
  selector: {matchLabels: {app: reviews}}
  template:
    metadata: {labels: {app: reviews, version: v1}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: reviews, image: "bookinfo-reviews-v1:dev"}]
`

const ownReviews = `
apiVersion: v1
kind: ConfigMap
metadata: {name: reviews-VERSION}
---
apiVersion: apps/v1
kind: KIND
metadata: {name: reviews-VERSION}
spec:
  selector: {matchLabels: {app: reviews, own: VERSION}}
  template:
    metadata: {labels: {app: reviews, own: VERSION}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: reviews, image: "IMAGE"}]
`

// TestInstances: what holds for every provider of instances holds on a real cluster, for the team's own
// Deployment and for versions of their own manifests.
func TestInstances(t *testing.T) {
	subject := func(t *testing.T, name string) conform.Subject {
		t.Parallel() // the cluster takes its time for each
		namespace := Namespace(t, "instances-"+name+"-"+strings.ToLower(t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]))
		return conform.Subject{
			Provider: newInstances(t),
			Target:   instances.Target{Namespace: namespace, Application: "reviews", Runs: &v1alpha1.Runs{Kubernetes: &v1alpha1.KubernetesRuns{}}},
			Good:     "bookinfo-reviews-v2:dev", Bad: "nosuch:dev",
			Pass: func() { time.Sleep(500 * time.Millisecond) }, Looks: int(Patience / (500 * time.Millisecond)),
		}
	}
	t.Run("team", func(t *testing.T) {
		conform.Run(t, func(t *testing.T) conform.Subject {
			s := subject(t, "team")
			Apply(t, s.Target.Namespace, teamReviews)
			s.Serving, s.Shared = "v1", true
			return s
		})
	})
	for _, kind := range []string{"Deployment", "StatefulSet"} {
		t.Run(kind, func(t *testing.T) {
			conform.Run(t, func(t *testing.T) conform.Subject {
				s := subject(t, strings.ToLower(kind))
				if kind == "StatefulSet" {
					s.Gap = 1
				}
				s.Manifests = func(version, image string) []byte {
					return []byte(strings.NewReplacer("VERSION", version, "IMAGE", image, "KIND", kind).Replace(ownReviews))
				}
				return s
			})
		})
	}
}

func newInstances(t *testing.T) *kubernetes.Provider {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return kubernetes.New(client, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found)), kubernetes.Options{})
}
