package store

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

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
