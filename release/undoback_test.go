package release_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pin"
	"weft.dev/release/provider/versions"
)

// team writes what stands beside an application's versions, while weft reads it.
type team struct {
	mu      sync.Mutex
	objects map[string]map[string]any // by kind/name
}

// write has an object say something; 0: there is none.
func (b *team) write(kind, name string, says int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, kind+"/"+name)
	if says > 0 {
		b.objects[kind+"/"+name] = map[string]any{
			"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name}, "spec": map[string]any{"host": "shop", "says": fmt.Sprint(says)},
		}
	}
}

// random writes all objects that there may be.
func (b *team) random(source *rand.Rand) {
	for _, kind := range pin.RouteKinds() {
		b.write(kind, "one", source.IntN(4))
		b.write(kind, "two", source.IntN(4))
	}
	b.write("Application", "shop", 1+source.IntN(3))
}

func (b *team) Get(_ context.Context, kind, _, name string) (map[string]any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.objects[kind+"/"+name], nil
}

func (b *team) List(ctx context.Context, kind, _ string) (all []map[string]any, _ error) {
	for _, name := range []string{"one", "two"} {
		if o, _ := b.Get(ctx, kind, "", name); o != nil {
			all = append(all, o)
		}
	}
	return all, nil
}

func (b *team) Put(_ context.Context, kind string, o map[string]any, _ bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.objects[kind+"/"+o["metadata"].(map[string]any)["name"].(string)] = o
	return nil
}

// standing is what stands beside a version.
func standing(t *testing.T, r versions.Records, version string) (v *v1alpha1.Version, is []pin.Object) {
	t.Helper()
	v, err := r.Find(context.Background(), "shop", "shop", version)
	if err == nil && v != nil {
		is, err = r.Standing(context.Background(), v)
	}
	if v == nil || err != nil {
		t.Fatalf("%s: %v %v", version, v, err)
	}
	return v, is
}

// Law: whatever people write after a version served, and whenever weft is killed, an undo that is asked to has
// each object that stood beside the version be as it was.
func TestUndoPutsBack(t *testing.T) {
	for seed := range 3 * len(chances) {
		inWorld(t, uint64(seed), chances[seed%len(chances)], func(w *world) {
			source := rand.New(rand.NewPCG(uint64(seed), 1))
			w.beside.random(source)
			w.deploy("shop", 0.001, 200, v1alpha1.Canary)
			w.release("r", "shop", "v3")
			w.says("r", "5%")
			records := w.records(immortal())
			v, before := standing(t, records, "v2")
			w.beside.random(source)
			w.await("r", final...)
			w.beside.random(source)
			_, is := standing(t, records, "v2")
			was, err := records.Pinned(context.Background(), v)
			if err != nil || len(pin.Changes(was, before)) > 0 {
				t.Fatalf("seed %d: v2 stood beside %+v, and %+v is recorded: %v", seed, before, was, err)
			}
			w.undo("u", "shop")
			w.await("u", final...)
			for _, part := range []pin.Part{pin.Config, pin.Routes} {
				if err := records.PutBack(context.Background(), w.beside, "shop", pin.Changes(was, is), part); err != nil {
					t.Error(err)
				}
			}
			v, is = standing(t, records, "v2")
			for _, c := range pin.Changes(was, is) {
				if c.Was != nil {
					t.Errorf("seed %d: %+v", seed, c)
				}
			}
			if then, err := records.Pinned(context.Background(), v); err != nil || len(pin.Changes(was, then)) > 0 {
				t.Errorf("seed %d: the undo wrote down %+v, want %+v: %v", seed, then, was, err)
			}
		})
	}
}
