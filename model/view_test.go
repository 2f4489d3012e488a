package model

import (
	"fmt"
	"slices"
	"testing"
)

// Every resource of a view is found, at its place in the list, on shelves and beside them.
func TestPlaceIsThatInTheList(t *testing.T) {
	o := &Outline{Scope: "s", Layers: []string{"own", "nowhere"}, Shelves: []string{"one", "two"}}
	layers := map[string]*Layer{}
	put := func(layer, name string) {
		r := NewResource(Resource{Type: TypeCluster, Name: name, Body: []byte(name)})
		if old := layers[layer]; old != nil {
			layers[layer] = NewLayer(layer, append(slices.Clone(old.Resources[TypeCluster]), r)...)
		} else {
			layers[layer] = NewLayer(layer, r)
		}
	}
	for i := range 300 {
		name := fmt.Sprintf("service-%d", i)
		put(ShelfLayer([]string{"one", "two"}[i%2], ShelfIndex(name)), name)
	}
	put("own", "mine")
	v := o.View(func(layer string) *Layer { return layers[layer] })
	all, spans := v.List(TypeCluster)
	if len(all) != 301 || v.Count(TypeCluster) != len(all) || !slices.Equal(all, slices.Collect(v.All(TypeCluster))) {
		t.Fatalf("%d resources in the list, %d in the view", len(all), v.Count(TypeCluster))
	}
	for i, r := range all {
		if found, at := v.Place(TypeCluster, r.Name); found != r || at != i {
			t.Errorf("%s: found %v at %d, is at %d", r.Name, found, at, i)
		}
	}
	if found, _ := v.Place(TypeCluster, "service-300"); found != nil {
		t.Errorf("found %v, which is nowhere", found)
	}
	for _, span := range spans {
		var want []byte
		for _, r := range all[span.From:span.To] {
			want = append(append(want, r.Head...), r.Body...)
		}
		if !slices.Equal(span.Run(TypeCluster), want) || span.Size(TypeCluster) != len(want) {
			t.Errorf("layer %s: its bytes are not those of its resources", span.Name)
		}
	}
}
