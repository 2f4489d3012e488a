package kube

import (
	"reflect"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/model"
)

func TestRowOfPod(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Labels: map[string]string{model.ProxyLabel: "sidecar"}},
		Spec: corev1.PodSpec{ServiceAccountName: "web", Containers: []corev1.Container{
			{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}, {Name: "dns", ContainerPort: 53, Protocol: corev1.ProtocolUDP}}},
		}},
		Status: corev1.PodStatus{PodIP: "10.244.0.5", Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	want := model.Pod{
		Name: "web-1", Address: "10.244.0.5", Ready: true,
		PodTemplate: &model.PodTemplate{
			Namespace: "shop", Labels: pod.Labels, ServiceAccount: "web", Proxy: true, Ports: []model.PodPort{{Name: "http", Number: 8080}},
		},
	}
	all := templates{}
	is := func(what string) {
		t.Helper()
		want.PodTemplate = model.NewPodTemplate(*want.PodTemplate)
		if got, ok := all.rowOf(pod); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v of %+v, %v, want %+v of %+v", what, got, got.PodTemplate, ok, want, want.PodTemplate)
		}
	}
	is("at first")
	pod.Status.PodIPs, want.DualStack = []corev1.PodIP{{IP: "10.244.0.5"}, {IP: "fd00:244::5"}}, true
	is("with two addresses")
	pod.Status.PodIPs, want.DualStack = pod.Status.PodIPs[:1], false
	now := metav1.Now()
	pod.DeletionTimestamp, pod.Spec.HostNetwork, want.Leaving, want.Proxy = &now, true, true, false
	is("on the node's network and leaving")
	pod.Status.PodIP = ""
	if got, ok := all.rowOf(pod); ok {
		t.Errorf("without an address: got %+v", got)
	}
}

// Replicas share what they have in common, and what was shared long ago is let go of.
func TestReplicasShareATemplate(t *testing.T) {
	all := templates{}
	at := func(app, ip string) *model.PodTemplate {
		pod := podAt("web", ip)
		pod.Labels = map[string]string{"app": app}
		row, _ := all.rowOf(pod)
		return row.PodTemplate
	}
	if a, b := at("web", "10.0.0.1"), at("web", "10.0.0.2"); a != b {
		t.Errorf("two replicas have %+v and %+v each for itself", a, b)
	}
	if a, b := at("web", "10.0.0.1"), at("api", "10.0.0.3"); a == b || a.ID == b.ID {
		t.Errorf("pods of other labels share %+v", a)
	}
	for i := range 3 * manyTemplates {
		at(strconv.Itoa(i), "10.0.0.1")
	}
	if len(all) > manyTemplates {
		t.Errorf("%d templates are kept, want at most %d", len(all), manyTemplates)
	}
}
