package gateway

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weft.dev/model"
)

const (
	managedBy  = "app.kubernetes.io/managed-by"
	nameSuffix = "-weft" // the Gateway API: GATEWAY-CLASS
	targetLoad = 80      // percent of the requested CPU at which pods are added
	settle     = 5       // seconds that a pod serves before one of the version before goes
)

// Object is one object to apply, or to remove.
type Object struct {
	Resource schema.GroupVersionResource
	Body     any
	Gone     bool
	Offered  bool // applied only where that changes nothing that others have decided, and is valid
}

var (
	serviceAccounts = corev1.SchemeGroupVersion.WithResource("serviceaccounts")
	services        = corev1.SchemeGroupVersion.WithResource("services")
	deployments     = appsv1.SchemeGroupVersion.WithResource("deployments")
	budgets         = policyv1.SchemeGroupVersion.WithResource("poddisruptionbudgets")
	autoscalers     = autoscalingv2.SchemeGroupVersion.WithResource("horizontalpodautoscalers")
)

// Objects run a gateway whose pods are like pod.
func Objects(g model.GatewayPods, pod corev1.PodSpec) []Object {
	m := maker{g: g, name: g.Name + nameSuffix}
	m.labels = maps.Clone(g.Labels)
	if m.labels == nil {
		m.labels = map[string]string{}
	}
	maps.Copy(m.labels, map[string]string{model.GatewayNameLabel: g.Name, managedBy: "weft"})
	all := []Object{
		{Resource: serviceAccounts, Body: m.account()},
		{Resource: services, Body: m.service()},
		{Resource: deployments, Body: m.deployment(pod)},
		{Resource: budgets, Body: m.budget()},
		{Resource: autoscalers, Body: m.autoscaler(), Gone: !m.scaled()},
	}
	if m.scaled() {
		all = slices.Insert(all, 2, Object{Resource: deployments, Body: m.size(), Offered: true})
	}
	return all
}

type maker struct {
	g      model.GatewayPods
	name   string
	labels map[string]string
}

func (m maker) meta() metav1.ObjectMeta {
	meta := metav1.ObjectMeta{Namespace: m.g.Namespace, Name: m.name, Labels: m.labels, Annotations: m.g.Annotations}
	for _, o := range m.g.Owners {
		meta.OwnerReferences = append(meta.OwnerReferences, metav1.OwnerReference{APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, UID: types.UID(o.UID)})
	}
	return meta
}

func (m maker) selector() map[string]string {
	return map[string]string{model.GatewayNameLabel: m.g.Name}
}

func (m maker) account() *corev1.ServiceAccount {
	return &corev1.ServiceAccount{TypeMeta: kind(corev1.SchemeGroupVersion, "ServiceAccount"), ObjectMeta: m.meta()}
}

func (m maker) service() *corev1.Service {
	s := &corev1.Service{
		TypeMeta: kind(corev1.SchemeGroupVersion, "Service"), ObjectMeta: m.meta(),
		Spec: corev1.ServiceSpec{Type: cmp.Or(corev1.ServiceType(m.g.ServiceType), corev1.ServiceTypeLoadBalancer), Selector: m.selector()},
	}
	if s.Spec.Type == corev1.ServiceTypeLoadBalancer {
		s.Spec.LoadBalancerIP = m.g.Address
	}
	add := func(name string, protocol corev1.Protocol, ports []uint32) {
		for _, port := range ports {
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{
				Name: fmt.Sprintf("%s-%d", name, port), Port: int32(port), TargetPort: intstr.FromInt32(int32(port)), Protocol: protocol,
			})
		}
	}
	add("tcp", corev1.ProtocolTCP, m.g.Ports)
	add("udp", corev1.ProtocolUDP, m.g.UDP)
	return s
}

// scaled says whether the load decides how many pods there are.
func (m maker) scaled() bool { return m.g.Max > m.g.Min }

// size is a number of pods for the time in which a fixed one is given up and no
// autoscaler has decided yet: one that nobody owns falls to 1.
func (m maker) size() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": appsv1.SchemeGroupVersion.String(), "kind": "Deployment",
		"metadata": map[string]any{"namespace": m.g.Namespace, "name": m.name},
		"spec":     map[string]any{"replicas": int64(m.g.Min)},
	}}
}

// deployment has its number of pods from the autoscaler, where there is one. No
// pod goes before another serves, and is known to serve.
func (m maker) deployment(pod corev1.PodSpec) *appsv1.Deployment {
	none, one := intstr.FromInt32(0), intstr.FromInt32(1)
	pod.ServiceAccountName, pod.TopologySpreadConstraints = m.name, m.spread()
	labels := maps.Clone(m.labels)
	maps.Copy(labels, map[string]string{model.ProxyLabel: model.ProxySidecar, model.InjectLabel: "false"})
	d := &appsv1.Deployment{
		TypeMeta: kind(appsv1.SchemeGroupVersion, "Deployment"), ObjectMeta: m.meta(),
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: m.selector()},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &none, MaxSurge: &one},
			},
			MinReadySeconds: settle,
			Template:        corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: m.g.Annotations}, Spec: pod},
		},
	}
	if !m.scaled() {
		n := int32(m.g.Min)
		d.Spec.Replicas = &n
	}
	return d
}

// spread keeps the loss of a node, or of a zone, from being that of all pods. Those
// of the version before do not count: they leave.
func (m maker) spread() (all []corev1.TopologySpreadConstraint) {
	for _, place := range []string{corev1.LabelHostname, corev1.LabelTopologyZone} {
		all = append(all, corev1.TopologySpreadConstraint{
			MaxSkew: 1, TopologyKey: place, WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector:  &metav1.LabelSelector{MatchLabels: m.selector()},
			MatchLabelKeys: []string{appsv1.DefaultDeploymentUniqueLabelKey},
		})
	}
	return all
}

func (m maker) budget() *policyv1.PodDisruptionBudget {
	one := intstr.FromInt32(1)
	return &policyv1.PodDisruptionBudget{
		TypeMeta: kind(policyv1.SchemeGroupVersion, "PodDisruptionBudget"), ObjectMeta: m.meta(),
		Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &one, Selector: &metav1.LabelSelector{MatchLabels: m.selector()}},
	}
}

func (m maker) autoscaler() *autoscalingv2.HorizontalPodAutoscaler {
	least, load := int32(m.g.Min), int32(targetLoad)
	return &autoscalingv2.HorizontalPodAutoscaler{
		TypeMeta: kind(autoscalingv2.SchemeGroupVersion, "HorizontalPodAutoscaler"), ObjectMeta: m.meta(),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment", Name: m.name},
			MinReplicas:    &least, MaxReplicas: int32(m.g.Max),
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
				Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &load},
			}}},
		},
	}
}

func kind(version schema.GroupVersion, name string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: version.String(), Kind: name}
}
