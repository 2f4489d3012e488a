package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/flow"
	"weft.dev/install/gateway"
	"weft.dev/install/inject"
	"weft.dev/model"
)

var front = model.GatewayPods{
	Namespace: "shop", Name: "front", Owners: []model.Owner{{Kind: "Gateway", Name: "front", UID: "u"}, {Kind: "Gateway", Name: "other", UID: "v"}}, Ports: []uint32{80, 443}, Min: 2, Max: 2,
	Labels: map[string]string{"team": "edge"}, Annotations: map[string]string{"weft.dev/proxy-memory": "64Mi"},
}

func podOf(g model.GatewayPods) (corev1.PodSpec, error) {
	o := inject.Options{Image: "weft-proxy:test", Revision: "default", Server: "weft.weft-system.svc:7444"}
	return inject.GatewayPod(o, "ROOTS", g.Name, g.Annotations)
}

func find[T any](t *testing.T, all []gateway.Object) (*T, gateway.Object) {
	t.Helper()
	for _, o := range all {
		if found, ok := o.Body.(*T); ok {
			return found, o
		}
	}
	t.Fatalf("there is no %T", *new(T))
	return nil, gateway.Object{}
}

// What the rest of Kubernetes, and the server, know a gateway's pods by.
func TestObjects(t *testing.T) {
	pod, err := podOf(front)
	if err != nil {
		t.Fatal(err)
	}
	all := gateway.Objects(front, pod)
	d, _ := find[appsv1.Deployment](t, all)
	template := d.Spec.Template
	for label, want := range map[string]string{
		"gateway.networking.k8s.io/gateway-name": "front", model.ProxyLabel: model.ProxySidecar, "team": "edge",
	} {
		if got := template.Labels[label]; got != want {
			t.Errorf("pods have %s=%q, want %q", label, got, want)
		}
	}
	if d.Name != "front-weft" || template.Spec.ServiceAccountName != "front-weft" || *d.Spec.Replicas != 2 || d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntVal != 0 {
		t.Errorf("deployment %+v", d)
	}
	if s := template.Spec.TopologySpreadConstraints; len(s) != 2 || s[0].LabelSelector.MatchLabels[model.GatewayNameLabel] != "front" || d.Spec.MinReadySeconds == 0 {
		t.Errorf("pods are spread by %+v", s)
	}
	if grace := *template.Spec.TerminationGracePeriodSeconds; grace < 45 {
		t.Errorf("it is killed %d seconds after it was asked to leave", grace)
	}
	for _, o := range all {
		meta := o.Body.(metav1.Object)
		if owner := meta.GetOwnerReferences(); len(owner) != 2 || owner[0].UID != "u" || owner[0].Name != "front" || owner[1].UID != "v" {
			t.Errorf("%s belongs to %+v", o.Resource.Resource, owner)
		}
	}
	proxy := template.Spec.Containers[0]
	if !slices.Contains(proxy.Args, "--gateway") || proxy.RestartPolicy != nil || proxy.Resources.Requests.Memory().String() != "64Mi" {
		t.Errorf("proxy %+v", proxy)
	}
	s, _ := find[corev1.Service](t, all)
	if len(s.Spec.Ports) != 2 || s.Spec.Type != corev1.ServiceTypeLoadBalancer || s.Spec.Ports[1].Port != 443 {
		t.Errorf("service %+v", s.Spec)
	}
}

// A gateway that the load sizes has no number of pods of its own.
func TestAutoscaled(t *testing.T) {
	g := front
	g.Max = 5
	all := gateway.Objects(g, corev1.PodSpec{})
	d, _ := find[appsv1.Deployment](t, all)
	if size := all[2]; !size.Offered || size.Body.(metav1.Object).GetName() != d.Name {
		t.Errorf("before the deployment gives up its number comes %+v", size)
	}
	if scaler := all[len(all)-1]; d.Spec.Replicas != nil || scaler.Gone {
		t.Errorf("replicas %v, autoscaler gone %v", d.Spec.Replicas, scaler.Gone)
	}
	if scaler := gateway.Objects(front, corev1.PodSpec{})[4]; !scaler.Gone {
		t.Error("an autoscaler stays that nobody wants any more")
	}
}

// cluster remembers, and fails at first.
type cluster struct {
	mu      sync.Mutex
	fails   int
	applied map[string]int
}

func (c *cluster) Apply(_ context.Context, o gateway.Object) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails > 0 {
		c.fails--
		return errors.New("not now")
	}
	c.applied[o.Resource.Resource+" "+o.Body.(metav1.Object).GetName()]++
	return nil
}

func (c *cluster) Remove(context.Context, gateway.Object) error { return nil }

func (c *cluster) has(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.applied[name] > 0
}

// What is wanted is applied, also what was wanted before this server led, and
// again what did not work.
func TestController(t *testing.T) {
	g := flow.New(flow.Options{})
	wanted := flow.NewSource[model.GatewayPods](g, "wanted")
	c := &cluster{fails: 1, applied: map[string]int{}}
	controller := gateway.New(wanted.Collection, c, podOf, slog.New(slog.NewTextHandler(t.Output(), nil)))
	g.Commit(func(tx *flow.Tx) { wanted.Set(tx, front) })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- controller.Run(ctx) }()
	until(t, func() bool { return c.has("deployments front-weft") && c.has("services front-weft") })
	other := front
	other.Name = "back"
	g.Commit(func(tx *flow.Tx) { wanted.Set(tx, other) })
	until(t, func() bool { return c.has("deployments back-weft") })
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func until(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come about")
		}
	}
}
