package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
)

const namespace = "shop"

// cluster is an API server in memory, with fields that are owned and resourceVersions
// that count, and the controllers of Deployments and StatefulSets.
type cluster struct {
	*fake.FakeDynamicClient
	mapper   meta.RESTMapper
	mu       sync.Mutex
	inner    clienttesting.ReactionFunc
	versions map[string]int
	writes   int
	fault    func(clienttesting.Action) error // of a request that does not arrive
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{
		FakeDynamicClient: fake.NewSimpleDynamicClient(scheme.Scheme), mapper: testrestmapper.TestOnlyStaticRESTMapper(scheme.Scheme), versions: map[string]int{},
	}
	tracker := clienttesting.NewFieldManagedObjectTracker(scheme.Scheme, scheme.Codecs.UniversalDecoder(), applyconfigurations.NewTypeConverter(scheme.Scheme))
	c.inner = clienttesting.ObjectReaction(tracker)
	c.PrependReactor("*", "*", c.react)
	t.Cleanup(func() {
		if t.Failed() {
			c.dump(t)
		}
	})
	return c
}

// react does a request as an API server does: over the resourceVersion that it names, or not at all.
func (c *cluster) react(a clienttesting.Action) (bool, runtime.Object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault != nil {
		if err := c.fault(a); err != nil {
			return true, nil, err
		}
	}
	key, wanted := target(a)
	if now := strconv.Itoa(c.versions[key]); wanted != "" && wanted != now {
		return true, nil, apierrors.NewConflict(a.GetResource().GroupResource(), key, fmt.Errorf("it is at %s, not %s", now, wanted))
	}
	a, err := withType(a)
	if err != nil {
		return true, nil, err
	}
	_, o, err := c.inner(a)
	if err != nil || o == nil {
		return true, nil, err
	}
	if a.GetVerb() != "get" && a.GetVerb() != "list" {
		c.writes++
		c.versions[key] = c.writes
	}
	o, err = c.stamped(a.GetResource(), o)
	return true, o, err
}

// withType is a request with an object of Go's type, as the tracker wants it.
func withType(a clienttesting.Action) (clienttesting.Action, error) {
	switch a := a.(type) {
	case clienttesting.CreateActionImpl:
		o, err := goType(a.Object)
		a.Object = o
		return a, err
	case clienttesting.UpdateActionImpl:
		o, err := goType(a.Object)
		a.Object = o
		return a, err
	}
	return a, nil
}

func goType(o runtime.Object) (runtime.Object, error) {
	into, err := scheme.Scheme.New(o.GetObjectKind().GroupVersionKind())
	if err != nil {
		return nil, err
	}
	return into, runtime.DefaultUnstructuredConverter.FromUnstructured(o.(*unstructured.Unstructured).Object, into)
}

// target is what a request is about, and the resourceVersion that it wants there.
func target(a clienttesting.Action) (key, version string) {
	var name string
	switch a := a.(type) {
	case clienttesting.CreateActionImpl:
		o := a.Object.(*unstructured.Unstructured)
		if name = o.GetName(); o.GetUID() == "" {
			o.SetUID(types.UID("uid-" + o.GetKind() + "-" + name))
		}
	case clienttesting.UpdateActionImpl:
		o := a.Object.(*unstructured.Unstructured)
		name, version = o.GetName(), o.GetResourceVersion()
	case clienttesting.PatchActionImpl:
		var o metav1.PartialObjectMetadata
		_ = json.Unmarshal(a.Patch, &o)
		name, version = a.Name, o.ResourceVersion
	case clienttesting.DeleteActionImpl:
		name = a.Name
		if p := a.DeleteOptions.Preconditions; p != nil && p.ResourceVersion != nil {
			version = *p.ResourceVersion
		}
	}
	return a.GetResource().Resource + "/" + a.GetNamespace() + "/" + name, version
}

// stamped is an object, or a list of them, with the resourceVersions.
func (c *cluster) stamped(what schema.GroupVersionResource, o runtime.Object) (runtime.Object, error) {
	if meta.IsListType(o) {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion(what.GroupVersion().String())
		list.SetKind("List")
		return list, meta.EachListItem(o, func(item runtime.Object) error {
			one, err := c.stamped(what, item)
			if err == nil {
				list.Items = append(list.Items, *one.(*unstructured.Unstructured))
			}
			return err
		})
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	kind, err := c.mapper.KindFor(what)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	fields["apiVersion"], fields["kind"] = kind.GroupVersion().String(), kind.Kind
	text, _ = json.Marshal(fields)
	if err := u.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	u.SetResourceVersion(strconv.Itoa(c.versions[what.Resource+"/"+u.GetNamespace()+"/"+u.GetName()]))
	return u, nil
}

// typed reads objects, put stores one.
func typed[T any](t testing.TB, c *cluster, what schema.GroupVersionResource) (all []*T) {
	t.Helper()
	list, err := c.Resource(what).Namespace(namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range list.Items {
		o := new(T)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, o); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

func (c *cluster) put(t testing.TB, what schema.GroupVersionResource, kind string, o metav1.Object) {
	t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: fields}
	u.SetNamespace(namespace)
	u.SetGroupVersionKind(what.GroupVersion().WithKind(kind))
	at := c.Resource(what).Namespace(namespace)
	if o.GetResourceVersion() == "" {
		_, err = at.Create(context.Background(), u, metav1.CreateOptions{FieldManager: "team"})
	} else {
		_, err = at.Update(context.Background(), u, metav1.UpdateOptions{FieldManager: "controller"})
	}
	if err != nil && !apierrors.IsConflict(err) {
		t.Fatal(err)
	}
}

func (c *cluster) remove(t testing.TB, what schema.GroupVersionResource, name string) {
	t.Helper()
	if err := c.Resource(what).Namespace(namespace).Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// pass has the controllers do one round.
func (c *cluster) pass(t testing.TB) {
	for _, d := range typed[appsv1.Deployment](t, c, deployments) {
		c.roll(t, d)
	}
	owners := map[types.UID]bool{}
	for _, d := range typed[appsv1.Deployment](t, c, deployments) {
		owners[d.UID] = true
	}
	for _, rs := range typed[appsv1.ReplicaSet](t, c, replicaSets) {
		if !owners[rs.OwnerReferences[0].UID] {
			c.remove(t, replicaSets, rs.Name)
			continue
		}
		owners[rs.UID] = true
		c.populate(t, rs.UID, rs.Name, int(*rs.Spec.Replicas), rs.Spec.Template)
	}
	for _, s := range typed[appsv1.StatefulSet](t, c, statefulSets) {
		owners[s.UID] = true
		c.ordinals(t, s)
	}
	for _, pod := range typed[corev1.Pod](t, c, pods) {
		c.live(t, pod, owners)
	}
}

// roll is what the Deployment's controller does, as its code says.
func (c *cluster) roll(t testing.TB, d *appsv1.Deployment) {
	var fresh *appsv1.ReplicaSet
	var old []*appsv1.ReplicaSet
	newest, before := 0, map[string]string{}
	for _, rs := range typed[appsv1.ReplicaSet](t, c, replicaSets) {
		if rs.OwnerReferences[0].UID != d.UID {
			continue
		}
		newest = max(newest, revision(unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"annotations": anyOf(rs.Annotations)}}}))
		before[rs.Name] = asJSON(rs.Spec)
		if same(rs.Spec.Template, d.Spec.Template) {
			fresh = rs
		} else {
			old = append(old, rs)
		}
	}
	if fresh == nil {
		fresh = &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{
				Name: d.Name + "-" + strconv.Itoa(newest+1), UID: types.UID(d.Name + strconv.Itoa(newest+1)), Labels: d.Spec.Template.Labels,
				Annotations:     map[string]string{"deployment.kubernetes.io/revision": strconv.Itoa(newest + 1)},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: d.Name, UID: d.UID}},
			},
			Spec: appsv1.ReplicaSetSpec{Replicas: new(int32), Template: d.Spec.Template, Selector: d.Spec.Selector},
		}
	}
	fresh.Spec.MinReadySeconds = d.Spec.MinReadySeconds
	wanted := int(*d.Spec.Replicas)
	surge, down := d.Spec.Strategy.RollingUpdate.MaxSurge.IntValue(), d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue()
	total := int(*fresh.Spec.Replicas)
	available := c.available(t, fresh)
	unready := total - available
	for _, rs := range old {
		total += int(*rs.Spec.Replicas)
		available += c.available(t, rs)
	}
	if n := int(*fresh.Spec.Replicas); n < wanted && total < wanted+surge {
		*fresh.Spec.Replicas += int32(min(wanted+surge-total, wanted-n))
	} else if n > wanted {
		*fresh.Spec.Replicas = int32(wanted)
	} else if most := total - (wanted - down) - unready; most > 0 {
		most -= shrink(old, most, func(rs *appsv1.ReplicaSet) int { return int(*rs.Spec.Replicas) - c.available(t, rs) })
		shrink(old, min(most, available-(wanted-down)), func(rs *appsv1.ReplicaSet) int { return int(*rs.Spec.Replicas) })
	}
	for _, rs := range append(old, fresh) {
		if rs.ResourceVersion == "" || asJSON(rs.Spec) != before[rs.Name] {
			c.put(t, replicaSets, "ReplicaSet", rs)
		}
	}
}

func anyOf(texts map[string]string) map[string]any {
	all := map[string]any{}
	for k, v := range texts {
		all[k] = v
	}
	return all
}

func shrink(old []*appsv1.ReplicaSet, most int, by func(*appsv1.ReplicaSet) int) (done int) {
	for _, rs := range old {
		n := min(max(0, most-done), by(rs))
		*rs.Spec.Replicas -= int32(n)
		done += n
	}
	return done
}

func same(a, b corev1.PodTemplateSpec) bool {
	return a.Spec.Containers[0].Image == b.Spec.Containers[0].Image && maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Annotations, b.Annotations)
}

// available are the instances of a set that were ready for as long as it wants.
func (c *cluster) available(t testing.TB, rs *appsv1.ReplicaSet) (n int) {
	for _, pod := range typed[corev1.Pod](t, c, pods) {
		if pod.OwnerReferences[0].UID == rs.UID && rs.Spec.MinReadySeconds < forever && ready(*pod) && pod.DeletionTimestamp == nil {
			n++
		}
	}
	return n
}

// populate makes or ends pods of a set.
func (c *cluster) populate(t testing.TB, owner types.UID, name string, wanted int, template corev1.PodTemplateSpec) {
	n, next := 0, 0
	for _, pod := range typed[corev1.Pod](t, c, pods) {
		if pod.OwnerReferences[0].UID != owner {
			continue
		}
		i, _ := strconv.Atoi(pod.Name[len(name)+1:])
		next = max(next, i+1)
		if pod.DeletionTimestamp != nil {
			continue
		}
		if n++; n > wanted {
			c.leave(t, pod)
		}
	}
	for ; n < wanted; n++ {
		c.start(t, owner, name+"-"+strconv.Itoa(next), template)
		next++
	}
}

func (c *cluster) start(t testing.TB, owner types.UID, name string, template corev1.PodTemplateSpec) {
	c.put(t, pods, "Pod", &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: template.Labels, OwnerReferences: []metav1.OwnerReference{{UID: owner, Name: string(owner), Kind: "x", APIVersion: "v1"}}},
		Spec:       template.Spec,
	})
}

func (c *cluster) leave(t testing.TB, pod *corev1.Pod) {
	now := metav1.Now()
	pod.DeletionTimestamp = &now
	c.put(t, pods, "Pod", pod)
}

// ordinals is what the StatefulSet's controller does, with all pods at once.
func (c *cluster) ordinals(t testing.TB, s *appsv1.StatefulSet) {
	there := map[string]*corev1.Pod{}
	before := s.Spec.Template // of the pods below the partition: what they have
	for _, pod := range typed[corev1.Pod](t, c, pods) {
		if pod.OwnerReferences[0].UID == s.UID {
			there[pod.Name] = pod
		}
	}
	if first := there[s.Name+"-0"]; first != nil {
		before.Labels, before.Spec = first.Labels, first.Spec
	}
	partition := int32(0)
	if r := s.Spec.UpdateStrategy.RollingUpdate; r != nil && r.Partition != nil {
		partition = *r.Partition
	}
	for i := range *s.Spec.Replicas {
		name := fmt.Sprintf("%s-%d", s.Name, i)
		want := s.Spec.Template
		if i < partition {
			want = before
		}
		switch pod := there[name]; {
		case pod == nil:
			c.start(t, s.UID, name, want)
		case pod.DeletionTimestamp == nil && (pod.Spec.Containers[0].Image != want.Spec.Containers[0].Image || !maps.Equal(pod.Labels, want.Labels)):
			c.leave(t, pod)
		}
	}
}

// live is what a node does with a pod.
func (c *cluster) live(t testing.TB, pod *corev1.Pod, owners map[types.UID]bool) {
	switch container := pod.Spec.Containers[0]; {
	case pod.DeletionTimestamp != nil:
		c.remove(t, pods, pod.Name)
		return
	case !owners[pod.OwnerReferences[0].UID]:
		c.leave(t, pod)
		return
	case ready(*pod) || len(pod.Status.ContainerStatuses) > 0:
		return
	case container.Image == "bad":
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: container.Name, State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"},
		}}}
	default:
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: container.Name, ImageID: "registry/" + container.Image + "@sha256:1"}}
	}
	c.put(t, pods, "Pod", pod)
}

func (c *cluster) dump(t testing.TB) {
	for _, what := range []schema.GroupVersionResource{deployments, statefulSets, replicaSets, pods} {
		for _, o := range typed[unstructured.Unstructured](t, c, what) {
			o.SetManagedFields(nil)
			text, _ := json.Marshal(o.Object)
			t.Logf("%s", text)
		}
	}
}
