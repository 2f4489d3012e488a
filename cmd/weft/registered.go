package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/flow"
	"weft.dev/identity"
	"weft.dev/model"
)

// registered gives source/host the Workloads of a mesh without a store: rows
// among the other objects, each with a file in the data directory, so that
// endpoints survive a restart.
type registered struct {
	objects *flow.Source[api.Object]
	graph   *flow.Graph
	dir     string

	mu  sync.Mutex
	all map[string]v1alpha1.Workload // by namespace/name
}

// registeredOrigin has the rows that are no files.
const registeredOrigin = "registered"

// newRegistered reads what was registered before.
func newRegistered(objects *flow.Source[api.Object], graph *flow.Graph, dir string) (*registered, error) {
	r := &registered{objects: objects, graph: graph, dir: dir, all: map[string]v1alpha1.Workload{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var w v1alpha1.Workload
		if err := json.Unmarshal(text, &w); err != nil {
			return nil, fmt.Errorf("registered workload %s: %w; remove the file, its agent registers again", file, err)
		}
		r.all[w.Namespace+"/"+w.Name] = w
	}
	return r, nil
}

// begin makes the rows of those that were registered before.
func (r *registered) begin(ctx context.Context) error {
	known, err := r.List(ctx)
	for _, w := range known {
		err = errors.Join(err, r.set(w))
	}
	return err
}

func (r *registered) List(context.Context) ([]v1alpha1.Workload, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []v1alpha1.Workload
	for _, key := range model.SortedKeys(r.all) {
		all = append(all, r.all[key])
	}
	return all, nil
}

func (r *registered) Apply(_ context.Context, w v1alpha1.Workload) error {
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	if err := identity.Dir(r.dir).Write(fileName(w.Namespace, w.Name), text); err != nil {
		return err
	}
	return r.set(w)
}

// set makes the row of a workload.
func (r *registered) set(w v1alpha1.Workload) error {
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	row, err := api.Decode(text)
	if err != nil {
		return fmt.Errorf("workload %s/%s: %w", w.Namespace, w.Name, err)
	}
	r.mu.Lock()
	r.all[w.Namespace+"/"+w.Name] = w
	r.mu.Unlock()
	r.graph.Submit(func(tx *flow.Tx) { r.objects.SetFrom(tx, registeredOrigin, row) })
	return nil
}

func (r *registered) SetHealth(ctx context.Context, namespace, name string, health model.Health) error {
	r.mu.Lock()
	w, ok := r.all[namespace+"/"+name]
	r.mu.Unlock()
	if !ok {
		return nil
	}
	copied := *w.DeepCopy()
	copied.Annotations[v1alpha1.HealthAnnotation] = string(health)
	return r.Apply(ctx, copied)
}

func (r *registered) Delete(_ context.Context, namespace, name string) error {
	err := os.Remove(filepath.Join(r.dir, fileName(namespace, name)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.mu.Lock()
	delete(r.all, namespace+"/"+name)
	r.mu.Unlock()
	key := api.Object{Kind: api.Workload, Namespace: namespace, Name: name}.Key()
	r.graph.Submit(func(tx *flow.Tx) { r.objects.Delete(tx, key) })
	return nil
}

// fileName has no two meanings: no name of an object has a "_".
func fileName(namespace, name string) string { return namespace + "_" + name + ".json" }
