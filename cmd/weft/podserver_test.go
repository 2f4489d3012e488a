package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"

	"weft.dev/model"
)

// podServer is an API server that has so many pods on nodes of three zones, and tells them in a stream, as those do from Kubernetes 1.34 on.
type podServer struct {
	t    *testing.T
	pods int
}

func (s podServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	nodes := r.URL.Path == "/api/v1/nodes"
	if !nodes && r.URL.Path != "/api/v1/pods" || r.URL.Query().Get("sendInitialEvents") != "true" {
		s.t.Errorf("asked for %s", r.URL)
		return
	}
	w.Header().Set("Content-Type", runtime.ContentTypeProtobuf+";stream=watch")
	info, _ := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
	events := streaming.NewEncoder(info.StreamSerializer.NewFrameWriter(w), info.StreamSerializer.Serializer)
	object := scheme.Codecs.EncoderForVersion(info.Serializer, corev1.SchemeGroupVersion)
	tell := func(kind watch.EventType, o runtime.Object) {
		raw, err := runtime.Encode(object, o)
		if err == nil {
			err = events.Encode(&metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Raw: raw}})
		}
		if err != nil {
			s.t.Error(err)
		}
	}
	last := metav1.ObjectMeta{ResourceVersion: "1", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}}
	if nodes {
		for i := range podNodes {
			tell(watch.Added, nodeOfPods(i))
		}
		tell(watch.Bookmark, &corev1.Node{ObjectMeta: last})
	} else {
		replicas := s.pods / followedServices
		for i := range s.pods {
			tell(watch.Added, podOf(i/replicas, i%replicas))
		}
		tell(watch.Bookmark, &corev1.Pod{ObjectMeta: last})
	}
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// podNodes is how many nodes there are.
const podNodes = 20

func nodeOfPods(i int) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%d", i), Labels: map[string]string{
		model.RegionLabel: "eu", model.ZoneLabel: fmt.Sprintf("eu-%d", i%3),
	}}}
}

// podOf has all that pods of real clusters have, most of which nothing is kept of.
func podOf(service, replica int) *corev1.Pod {
	template := templateOfPods(service)
	now := metav1.Now()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: template.Namespace, Name: fmt.Sprintf("s%d-5c677749d9-%d", service, replica), Labels: template.Labels,
		GenerateName: fmt.Sprintf("s%d-5c677749d9-", service), UID: types.UID(fmt.Sprintf("6f0a4a5c-54b4-4b3a-8c9e-%012d", service*100+replica)),
		ResourceVersion: strconv.Itoa(service*100 + replica + 2), CreationTimestamp: now,
		Annotations:     map[string]string{"prometheus.io/scrape": "true", "checksum/config": strings.Repeat("5c67", 16)},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: fmt.Sprintf("s%d-5c677749d9", service), UID: "6f0a4a5c-54b4-4b3a-8c9e-6b3a5c8d7e9f"}},
	}}
	for _, manager := range []string{"kube-controller-manager", "kubelet"} {
		pod.ManagedFields = append(pod.ManagedFields, metav1.ManagedFieldsEntry{
			Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &now, FieldsType: "FieldsV1",
			FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:metadata":{` + strings.Repeat(`"f:labels":{".":{},"f:app":{}},`, 30) + `"f:name":{}}}`)},
		})
	}
	probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz"}}, PeriodSeconds: 10, TimeoutSeconds: 1}
	room := corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("128Mi")}
	container := func(name string, ports ...corev1.ContainerPort) corev1.Container {
		c := corev1.Container{
			Name: name, Image: "registry.example.com/team/" + name + ":1.24.3", Ports: ports, LivenessProbe: probe, ReadinessProbe: probe,
			Resources:    corev1.ResourceRequirements{Requests: room, Limits: room},
			VolumeMounts: []corev1.VolumeMount{{Name: "kube-api-access", ReadOnly: true, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}},
		}
		for i := range 12 {
			c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", i), Value: "http://backend.shop.svc.cluster.local:8080/v1"})
		}
		return c
	}
	app := container("app", corev1.ContainerPort{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP})
	pod.Spec = corev1.PodSpec{
		NodeName: fmt.Sprintf("node-%d", (service+replica)%podNodes), ServiceAccountName: template.ServiceAccount, InitContainers: []corev1.Container{container("weft-proxy")},
		Containers: []corev1.Container{app}, Volumes: []corev1.Volume{{Name: "kube-api-access"}}, RestartPolicy: corev1.RestartPolicyAlways,
		Tolerations: []corev1.Toleration{{Key: "node.kubernetes.io/not-ready", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}},
	}
	ip := fmt.Sprintf("10.%d.%d.%d", replica, service/250, service%250)
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}, HostIP: "192.0.2.1", StartTime: &now}
	for _, kind := range []corev1.PodConditionType{corev1.PodInitialized, corev1.PodScheduled, corev1.ContainersReady, corev1.PodReady} {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	for _, c := range []string{"app", "weft-proxy"} {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: c, Ready: true, Image: "registry.example.com/team/" + c + ":1.24.3", ImageID: "registry.example.com/team/app@sha256:" + strings.Repeat("5c67", 16),
			ContainerID: "containerd://" + strings.Repeat("5c67", 16), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return pod
}
