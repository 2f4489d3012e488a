package store

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"

	"weft.dev/api"
)

// Follower is told what there is of a kind, by one goroutine.
type Follower interface {
	// Replace says that all is everything: at first, and again after a lost connection.
	Replace(all []api.Object)
	Set(o api.Object)
	Delete(namespace, name string)
}

// Follow tells f of every object of a kind and of each change, until ctx ends.
// Errors are retried, ever slower, for as long as it takes. An object that cannot
// be read is told of too, with its Err. A kind that the server does not have is
// one without objects; but if it had the kind once, the objects stay until it has
// it again: taking a CRD away is no order to stop all traffic.
func (c *Client) Follow(ctx context.Context, kind api.Kind, f Follower) error {
	info, ok := kind.Info()
	if !ok {
		return fmt.Errorf("kind %q is not accepted", kind)
	}
	return follow(ctx, c.resource(kind, ""), info, rowFollower{info, f})
}

// follower is a Follower of objects in the form in which they arrive.
type follower interface {
	// keeps says whether an object is to be told of, and may leave of it what it reads.
	keeps(u *unstructured.Unstructured) bool
	replace(all []*unstructured.Unstructured)
	set(u *unstructured.Unstructured)
	delete(u *unstructured.Unstructured)
}

// labelsOf selects among the objects of a kind: of EndpointSlices those that
// people write. The others follow from pods, and there are as many.
var labelsOf = map[api.Kind]string{
	api.EndpointSlice: discoveryv1.LabelManagedBy + "!=endpointslice-controller.k8s.io",
}

func follow(ctx context.Context, r dynamic.ResourceInterface, info api.Info, f follower) error {
	had := false
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = labelsOf[info.Kind]
			list, err := r.List(ctx, o)
			if apierrors.IsNotFound(err) && !had {
				return &unstructured.UnstructuredList{Object: map[string]any{"metadata": map[string]any{"resourceVersion": "0"}}}, nil
			}
			had = had || err == nil
			if err == nil { // page by page, so that no more than one is in memory as a whole
				list.Items = slices.DeleteFunc(list.Items, func(u unstructured.Unstructured) bool { return !f.keeps(&u) })
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = labelsOf[info.Kind]
			w, err := r.Watch(ctx, o)
			had = had || err == nil
			if err != nil {
				return nil, err
			}
			return watch.Filter(w, func(e watch.Event) (watch.Event, bool) { return kept(f, e), true }), nil
		},
	}
	reflector := cache.NewReflectorWithOptions(source, &unstructured.Unstructured{}, reflectorStore{f}, cache.ReflectorOptions{
		Name: "weft", TypeDescription: string(info.Kind),
	})
	reflector.WatchListPageSize = pageSize
	reflector.RunWithContext(ctx)
	return ctx.Err()
}

// kept is an event about what is left of its object. One that is not to be told of is gone.
func kept(f follower, e watch.Event) watch.Event {
	u, ok := e.Object.(*unstructured.Unstructured)
	if ok && (e.Type == watch.Added || e.Type == watch.Modified) && !f.keeps(u) {
		e.Type = watch.Deleted
	}
	return e
}

// reflectorStore lets a reflector tell a follower instead of keeping a copy.
type reflectorStore struct{ f follower }

func (s reflectorStore) Add(o any) error    { s.f.set(o.(*unstructured.Unstructured)); return nil }
func (s reflectorStore) Update(o any) error { s.f.set(o.(*unstructured.Unstructured)); return nil }
func (s reflectorStore) Delete(o any) error { s.f.delete(o.(*unstructured.Unstructured)); return nil }
func (s reflectorStore) Resync() error      { return nil }

func (s reflectorStore) Replace(list []any, _ string) error {
	all := make([]*unstructured.Unstructured, len(list))
	for i, o := range list {
		all[i] = o.(*unstructured.Unstructured)
	}
	s.f.replace(all)
	return nil
}

// rowFollower makes rows of what arrives; of the rest, managed fields above
// all, nothing is kept.
type rowFollower struct {
	info api.Info
	f    Follower
}

// authority is the field of a ConfigMap that says whom to trust.
const authority = "ca.crt"

// keeps passes over ConfigMaps that do not say whom to trust, and over what else those say that do: there are more than
// of most kinds, and they are large.
func (r rowFollower) keeps(u *unstructured.Unstructured) bool {
	if r.info.Kind != api.ConfigMap {
		return true
	}
	ca, found, err := unstructured.NestedString(u.Object, "data", authority)
	if !found || err != nil {
		return false
	}
	delete(u.Object, "binaryData")
	u.Object["data"] = map[string]any{authority: ca}
	return true
}

func (r rowFollower) set(u *unstructured.Unstructured)    { r.f.Set(r.row(u)) }
func (r rowFollower) delete(u *unstructured.Unstructured) { r.f.Delete(u.GetNamespace(), u.GetName()) }

func (r rowFollower) replace(all []*unstructured.Unstructured) {
	rows := make([]api.Object, len(all))
	for i, u := range all {
		rows[i] = r.row(u)
		all[i] = nil // so that both forms of a large kind are never in memory together
	}
	r.f.Replace(rows)
}

func (r rowFollower) row(u *unstructured.Unstructured) api.Object {
	u.SetManagedFields(nil)
	text, err := u.MarshalJSON()
	if err == nil {
		var o api.Object
		if o, err = api.Decode(text); err == nil {
			return o
		}
	}
	return api.Object{
		Kind: r.info.Kind, Namespace: u.GetNamespace(), Name: u.GetName(), UID: string(u.GetUID()),
		ResourceVersion: u.GetResourceVersion(), Generation: u.GetGeneration(), Created: u.GetCreationTimestamp().Time,
		Err: err.Error(),
	}
}

// typedFollower serves Resource.Watch.
type typedFollower[T any] struct {
	resource Resource[T]
	changed  func(o *T, deleted bool)
	last     map[string]*T // without their statuses, which are most of a record
}

func (t *typedFollower[T]) keeps(*unstructured.Unstructured) bool { return true }

func (t *typedFollower[T]) set(u *unstructured.Unstructured) {
	o, err := t.resource.typed(u, nil)
	if err != nil {
		return // the server's schema is the type's, so this is a newer server with a field of another type
	}
	t.last[u.GetNamespace()+"/"+u.GetName()] = withoutStatus(o)
	t.changed(o, false)
}

// withoutStatus is a copy of o that shares the rest with it.
func withoutStatus[T any](o *T) *T {
	short := *o
	if status := reflect.ValueOf(&short).Elem().FieldByName("Status"); status.IsValid() {
		status.SetZero()
	}
	return &short
}

func (t *typedFollower[T]) delete(u *unstructured.Unstructured) {
	t.gone(u.GetNamespace() + "/" + u.GetName())
}

func (t *typedFollower[T]) gone(key string) {
	if o, known := t.last[key]; known {
		delete(t.last, key)
		t.changed(o, true)
	}
}

func (t *typedFollower[T]) replace(all []*unstructured.Unstructured) {
	there := map[string]bool{}
	for _, u := range all {
		there[u.GetNamespace()+"/"+u.GetName()] = true
		t.set(u)
	}
	for key := range t.last {
		if !there[key] {
			t.gone(key)
		}
	}
}
