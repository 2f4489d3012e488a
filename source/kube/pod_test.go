package kube

import (
	"reflect"
	"slices"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"weft.dev/flow"
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
		Instance: &model.Instance{Workload: "shop/web-1", Address: "10.244.0.5", Health: model.Healthy},
		PodTemplate: &model.PodTemplate{
			Namespace: "shop", Labels: pod.Labels, ServiceAccount: "web", Proxy: true, Ports: []model.PodPort{{Name: "http", Number: 8080}}, Datagrams: []model.PodPort{{Name: "dns", Number: 53}},
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
	pod.Status.Conditions[0].Status, want.Health = corev1.ConditionFalse, model.Unhealthy
	is("not ready")
	pod.Status.PodIPs, want.DualStack = pod.Status.PodIPs[:1], false
	proxy := corev1.Container{Name: "weft-proxy", Ports: []corev1.ContainerPort{{Name: model.MetricsPortName, ContainerPort: 9900}}}
	pod.Spec.InitContainers, want.MetricsPort = []corev1.Container{proxy}, 9900
	is("whose proxy is scraped")
	pod.Spec.InitContainers, pod.Spec.Containers = nil, append(pod.Spec.Containers, proxy)
	is("that is a gateway, where it is")
	pod.Spec.Containers, want.MetricsPort = pod.Spec.Containers[:1], 0
	now := metav1.Now()
	pod.DeletionTimestamp, pod.Spec.HostNetwork, want.Health, want.Proxy = &now, true, model.Draining, false
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

// lists is a server that gives what it has when it is asked, and tells of no change.
type lists struct {
	all   chan []corev1.Pod // one for each time that it is asked
	watch chan *watch.FakeWatcher
}

func (l lists) List(metav1.ListOptions) (runtime.Object, error) {
	return &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: <-l.all}, nil
}

func (l lists) Watch(o metav1.ListOptions) (watch.Interface, error) {
	if o.SendInitialEvents != nil && *o.SendInitialEvents {
		return nil, apierrors.NewInvalid(schema.GroupKind{}, "", nil) // an older server: it lists
	}
	w := watch.NewFake()
	l.watch <- w
	return w, nil
}

// The pods of a server that lists none stay, but for those whose address another one has.
func TestPodsAreMissing(t *testing.T) {
	l := lists{make(chan []corev1.Pod), make(chan *watch.FakeWatcher)}
	s := newPods(flow.New(flow.Options{}), l, func(string) map[string]string { return nil })
	go s.Run(t.Context()) //nolint:errcheck // it ends with the test
	has := func(when string, held int, want ...string) {
		t.Helper()
		var got []string
		for _, p := range s.All() {
			got = append(got, p.Name()+" "+p.Address)
		}
		if !slices.Equal(got, want) || s.Problems.Len() != held {
			t.Errorf("%s: %v and %v, want %v", when, got, s.Problems.All(), want)
		}
	}
	again := func(from *watch.FakeWatcher, all ...corev1.Pod) *watch.FakeWatcher {
		if from != nil {
			from.Error(&metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonExpired, Code: 410})
		}
		l.all <- all
		return <-l.watch // it has taken the list when it asks what follows
	}
	a, b, c := *podAt("a", "10.0.0.1"), *podAt("b", "10.0.0.2"), *podAt("c", "10.0.0.3")
	w := again(nil, a, b, c)
	has("at first", 0, "a 10.0.0.1", "b 10.0.0.2", "c 10.0.0.3")
	w = again(w)
	has("it lists none", 1, "a 10.0.0.1", "b 10.0.0.2", "c 10.0.0.3")
	w = again(w, *podAt("d", "10.0.0.2"))
	has("d has the address of b", 1, "a 10.0.0.1", "c 10.0.0.3", "d 10.0.0.2")
	again(w, *podAt("d", "10.0.0.2"), *podAt("e", "10.0.0.4"), *podAt("f", "10.0.0.5"))
	has("as many as before", 0, "d 10.0.0.2", "e 10.0.0.4", "f 10.0.0.5")
}
