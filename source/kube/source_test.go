package kube

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/flow"
	"weft.dev/model"
)

func podAt(name, ip string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Status: corev1.PodStatus{PodIP: ip}}
}

// A source has the rows of the objects that there are: those that make none, or are
// gone, or are missing after a lost connection, leave none behind.
func TestSourceFollows(t *testing.T) {
	g := flow.New(flow.Options{})
	s := newSource(g, "kube/pods", nil, &corev1.Pod{}, templates{}.rowOf)
	f := follower[*corev1.Pod, model.Pod]{s}
	has := func(when string, want ...string) {
		t.Helper()
		var got []string
		g.Commit(func(*flow.Tx) {}) // what was submitted before is settled with it
		for _, p := range s.All() {
			got = append(got, p.Name()+" "+p.Address)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	select {
	case <-s.Synced():
		t.Fatal("synced before anything was read")
	default:
	}
	_ = f.Replace([]any{podAt("a", "10.0.0.1"), podAt("b", "")}, "1")
	<-s.Synced()
	has("at first", "a 10.0.0.1")
	_ = f.Add(podAt("b", "10.0.0.2"))
	_ = f.Update(podAt("a", ""))
	has("b got an address, a lost its", "b 10.0.0.2")
	_ = f.Delete(podAt("b", ""))
	has("b is gone")
	_ = f.Add(podAt("c", "10.0.0.3"))
	_ = f.Replace([]any{podAt("d", "10.0.0.4")}, "2")
	has("all is read again", "d 10.0.0.4")
	var streamed []any
	for _, pod := range []*corev1.Pod{podAt("e", "10.0.0.5"), podAt("f", "")} {
		one, _ := f.Transformer()(pod)
		streamed = append(streamed, one)
	}
	_ = f.Replace(streamed, "3")
	has("all came one by one", "e 10.0.0.5")
}

// A gateway is called at what a load balancer gave it, or at the address of its Service.
func TestAddressOfGateway(t *testing.T) {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Labels: map[string]string{model.GatewayNameLabel: "public"}},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, ClusterIP: "10.96.0.9"},
	}
	is := func(want ...string) {
		t.Helper()
		if got, ok := addressOf(service); !ok || got.Gateway != "shop/public" || !slices.Equal(got.Addresses, want) {
			t.Errorf("got %+v, want %v of shop/public", got, want)
		}
	}
	is()
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}, {Hostname: "lb.example.com"}}
	is("192.0.2.1", "lb.example.com")
	service.Spec.Type = corev1.ServiceTypeClusterIP
	is("10.96.0.9")
	service.Spec.ClusterIP = corev1.ClusterIPNone
	is()
}
