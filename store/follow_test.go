package store

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"weft.dev/api"
)

var errNoKind = apierrors.NewNotFound(schema.GroupResource{Group: "weft.dev", Resource: "all"}, "")

// vanishing is a server that has a kind with one object until it is told to
// forget it.
type vanishing struct {
	dynamic.ResourceInterface
	has    atomic.Bool
	asked  chan struct{} // one for each list after it forgot
	stream *watch.FakeWatcher
}

func (v *vanishing) List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	if !v.has.Load() {
		v.asked <- struct{}{}
		return nil, errNoKind
	}
	o := unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "weft.dev/v1alpha1", "kind": "Resilience", "metadata": map[string]any{"name": "a", "resourceVersion": "7"},
	}}
	list := &unstructured.UnstructuredList{Items: []unstructured.Unstructured{o}}
	list.SetResourceVersion("7")
	return list, nil
}

func (v *vanishing) Watch(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if !v.has.Load() {
		return nil, errNoKind
	}
	if o.SendInitialEvents != nil && *o.SendInitialEvents {
		return nil, apierrors.NewInvalid(schema.GroupKind{}, "", nil) // an older server: it lists
	}
	return v.stream, nil
}

// counts is a follower that remembers how many rows it was left with.
type counts struct{ replaced chan int }

func (c counts) replace(all []*unstructured.Unstructured) { c.replaced <- len(all) }
func (c counts) keeps(*unstructured.Unstructured) bool    { return true }
func (c counts) set(*unstructured.Unstructured)           {}
func (c counts) delete(*unstructured.Unstructured)        {}

// A kind that a server never had is empty, and one that it has lost is as it was.
func TestFollowOfAMissingKind(t *testing.T) {
	info, _ := api.Resilience.Info()
	for name, test := range map[string]struct {
		has  bool
		want int
	}{"never there": {false, 0}, "lost": {true, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &vanishing{asked: make(chan struct{}, 100), stream: watch.NewFake()}
			v.has.Store(test.has)
			c := counts{make(chan int, 100)}
			go follow(t.Context(), v, info, c) //nolint:errcheck // it ends with the test
			select {
			case n := <-c.replaced:
				if n != test.want {
					t.Errorf("%d rows, want %d", n, test.want)
				}
			case <-time.After(time.Minute):
				t.Fatal("never synced")
			}
			if !test.has {
				return
			}
			v.has.Store(false)
			v.stream.Error(&metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonExpired, Code: 410})
			for range 2 { // the first one's result has arrived when the second is asked for
				select {
				case <-v.asked:
				case <-time.After(time.Minute):
					t.Fatal("the server was not asked again")
				}
			}
			if len(c.replaced) > 0 {
				t.Errorf("the rows were replaced by %d", <-c.replaced)
			}
		})
	}
}

// configs is a server with ConfigMaps.
type configs struct {
	dynamic.ResourceInterface
	all    []unstructured.Unstructured
	stream *watch.FakeWatcher
}

func (c configs) List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	list := &unstructured.UnstructuredList{Items: c.all}
	list.SetResourceVersion("7")
	return list, nil
}

func (c configs) Watch(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if o.SendInitialEvents != nil && *o.SendInitialEvents {
		return nil, apierrors.NewInvalid(schema.GroupKind{}, "", nil)
	}
	return c.stream, nil
}

// told writes down what a Follower is told.
type told chan string

func (t told) Replace(all []api.Object) {
	for _, o := range all {
		t.Set(o)
	}
}
func (t told) Set(o api.Object) {
	config := o.Spec.(*corev1.ConfigMap)
	t <- fmt.Sprintf("%s %v %d", o.Name, config.Data, len(config.BinaryData))
}
func (t told) Delete(_, name string) { t <- "no " + name }

// Of ConfigMaps those are kept that say whom to trust, and of them that alone.
func TestFollowOfConfigMaps(t *testing.T) {
	config := func(name string, data map[string]any) unstructured.Unstructured {
		return unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": "shop"},
			"data": data, "binaryData": map[string]any{"large": "AAAA"},
		}}
	}
	info, _ := api.ConfigMap.Info()
	stream, heard := watch.NewFake(), make(told, 100)
	server := configs{all: []unstructured.Unstructured{config("settings", map[string]any{"a": "b"}), config("ca", map[string]any{"ca.crt": "x", "a": "b"})}, stream: stream}
	go follow(t.Context(), server, info, rowFollower{info, heard}) //nolint:errcheck // it ends with the test
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-heard:
			if got != want {
				t.Fatalf("told %q, want %q", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("not told %q", want)
		}
	}
	expect("ca map[ca.crt:x] 0")
	more, now := config("more", map[string]any{"ca.crt": "y", "a": "b"}), config("ca", map[string]any{"a": "b"})
	stream.Add(&more)
	expect("more map[ca.crt:y] 0")
	stream.Modify(&now)
	expect("no ca")
}
