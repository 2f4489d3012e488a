package kube

import (
	"reflect"
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
		Namespace: "shop", Name: "web-1", Labels: pod.Labels, ServiceAccount: "web", Address: "10.244.0.5", Ready: true, Proxy: true,
		Ports: []model.PodPort{{Name: "http", Number: 8080}},
	}
	if got, ok := rowOf(pod); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, ok, want)
	}
	pod.Status.PodIPs, want.DualStack = []corev1.PodIP{{IP: "10.244.0.5"}, {IP: "fd00:244::5"}}, true
	if got, _ := rowOf(pod); !reflect.DeepEqual(got, want) {
		t.Errorf("with two addresses: got %+v, want %+v", got, want)
	}
	pod.Status.PodIPs, want.DualStack = pod.Status.PodIPs[:1], false
	now := metav1.Now()
	pod.DeletionTimestamp, pod.Spec.HostNetwork, want.Leaving, want.Proxy = &now, true, true, false
	if got, _ := rowOf(pod); !reflect.DeepEqual(got, want) {
		t.Errorf("on the node's network and leaving: got %+v, want %+v", got, want)
	}
	pod.Status.PodIP = ""
	if got, ok := rowOf(pod); ok {
		t.Errorf("without an address: got %+v", got)
	}
}
