package versions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pin"
	"weft.dev/release/pipeline"
)

// town is objects as an API server has them, by kind/name.
type town map[string]map[string]any

func (b town) set(kind, name string, content map[string]any) {
	o := map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name, "resourceVersion": fmt.Sprint(content)}}
	maps.Copy(o, content)
	b[kind+"/"+name] = o
}

func (b town) Get(_ context.Context, kind, _, name string) (map[string]any, error) {
	if b["forbidden "+kind] != nil {
		return nil, apierrors.NewForbidden(schema.GroupResource{}, name, nil)
	}
	return b[kind+"/"+name], nil
}

func (b town) List(_ context.Context, kind, _ string) (all []map[string]any, _ error) {
	for key, o := range b {
		if strings.HasPrefix(key, kind+"/") {
			all = append(all, o)
		}
	}
	return all, nil
}

func (b town) Put(_ context.Context, kind string, o map[string]any, there bool) error {
	key := kind + "/" + o["metadata"].(map[string]any)["name"].(string)
	if there != (b[key] != nil) {
		return errors.New("conflict")
	}
	b[key] = o
	return nil
}

func (b town) Remove(_ context.Context, kind string, o map[string]any) error {
	delete(b, kind+"/"+o["metadata"].(map[string]any)["name"].(string))
	return nil
}

const mentions = "kind: Deployment\nspec: {template: {spec: {volumes: [{configMap: {name: texts}}, {secret: {secretName: key}}]}}}\n"

// TestPin: what stood beside a version comes back after anything was done to it, and only the parts that are asked for.
func TestPin(t *testing.T) {
	s, beside := newStores(), town{}
	s.Beside = beside
	if err := s.Pin(t.Context(), "shop", "reviews", "v1"); err != nil || len(s.blobs.objects) != 0 {
		t.Errorf("a version without a record: %v", err)
	}
	s.deployed(t, "a", pipeline.VersionWork{Application: "reviews", Version: "v1", Manifests: mentions})
	write := func(timeout, text string) {
		beside.set("Application", "reviews", map[string]any{"spec": map[string]any{"owner": text}})
		beside.set("VirtualService", "reviews", map[string]any{"spec": map[string]any{"hosts": []any{"reviews"}, "timeout": timeout}})
		beside.set("ConfigMap", "texts", map[string]any{"data": map[string]any{"a": text}})
		beside.set("Secret", "key", map[string]any{"data": map[string]any{"k": text}})
	}
	write("1s", "zero")
	for range 2 { // the second replaces the first
		if err := s.Pin(t.Context(), "shop", "reviews", "v1"); err != nil {
			t.Fatal(err)
		}
		write("2s", "one")
	}
	if len(s.blobs.objects) != 2 {
		t.Errorf("%d blobs, want the manifests' and the pins'", len(s.blobs.objects))
	}
	before := maps.Clone(beside)
	write("5s", "two")
	delete(beside, "ConfigMap/texts")
	v, _ := s.Find(t.Context(), "shop", "reviews", "v1")
	changes := s.changes(t, v)
	if len(changes) != 4 {
		t.Fatalf("%+v", changes)
	}
	back := Restorer{s.Records, beside}
	for _, step := range []struct {
		back pin.Back
		same []string
		left int
	}{{pin.Back{Routes: true}, []string{"VirtualService/reviews"}, 3}, {pin.Back{Config: true}, []string{"Application/reviews", "ConfigMap/texts"}, 1}} {
		begun := 0
		if err := back.Undo(t.Context(), "shop", "reviews", "v1", step.back, func() error { begun++; return nil }); err != nil || begun != 1 {
			t.Fatal(err, begun)
		}
		for _, key := range step.same {
			if got, want := pin.Of(beside[key]).Hash, pin.Of(before[key]).Hash; got != want {
				t.Errorf("%s is %v, want %v", key, beside[key], before[key])
			}
		}
		if changes = s.changes(t, v); len(changes) != step.left {
			t.Errorf("after %+v: %+v", step.back, changes)
		}
	}
	if len(changes) != 1 || changes[0].Kind != "Secret" {
		t.Errorf("%+v", changes)
	}
	beside["forbidden Secret"] = map[string]any{}
	if changes := s.changes(t, v); len(changes) != 0 {
		t.Errorf("of what may not be read: %+v", changes)
	}
	s.deployed(t, "b", pipeline.VersionWork{Application: "reviews", Version: "v1", Manifests: "other: 1"})
	if v, _ = s.Find(t.Context(), "shop", "reviews", "v1"); v.Spec.Pins == "" || len(s.blobs.objects) != 2 {
		t.Errorf("deployed anew it lost what stood beside it: %+v, %d blobs", v.Spec, len(s.blobs.objects))
	}
}

func (s *stores) changes(t *testing.T, v *v1alpha1.Version) []pin.Change {
	t.Helper()
	was, err := s.Pinned(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	is, err := s.Standing(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return pin.Changes(was, is)
}
