package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"

	"weft.dev/compile"
	"weft.dev/model"
)

// resourceKey is a resource as proxies name it.
type resourceKey struct {
	Type model.Type
	Name string
}

// variants are what proxies get under one name: callers at home may get another one than others.
type variants struct {
	bodies  map[uint64]*model.Resource // by version
	proxies map[string]bool
}

// resources are all that the mesh would have for anybody.
func (r *rehearsal) resources() map[resourceKey]*variants {
	all := map[resourceKey]*variants{}
	for _, layer := range r.compiled.Layers.All() {
		for _, resources := range layer.Resources {
			for _, one := range resources {
				of(all, one).bodies[one.Version] = one
			}
		}
	}
	for _, w := range r.workloads() {
		view := r.compiled.View(w.Key(), "")
		if view == nil {
			continue
		}
		for t := range model.NumTypes {
			for one := range view.All(t) {
				of(all, one).proxies[w.Key()] = true
			}
		}
	}
	return all
}

func of(all map[resourceKey]*variants, r *model.Resource) *variants {
	key := resourceKey{r.Type, r.Name}
	if all[key] == nil {
		all[key] = &variants{map[uint64]*model.Resource{}, map[string]bool{}}
	}
	return all[key]
}

// same compares versions: equal ones have equal bytes.
func (v *variants) same(o *variants) bool {
	return v != nil && o != nil && maps.EqualFunc(v.bodies, o.bodies, func(_, _ *model.Resource) bool { return true })
}

func proxiesOf(both ...*variants) []string {
	all := map[string]bool{}
	for _, v := range both {
		if v != nil {
			maps.Copy(all, v.proxies)
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func keysOfBoth(a, b map[resourceKey]*variants) []resourceKey {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.SortedFunc(maps.Keys(all), func(a, b resourceKey) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
}

// diffOf is a unified diff of a resource as YAML.
func diffOf(key resourceKey, old, now *variants) string {
	name := fmt.Sprintf("%s/%s", key.Type, key.Name)
	return string(diff.Diff("a/"+name, []byte(old.text()), "b/"+name, []byte(now.text())))
}

// text is all variants, in an order of their own.
func (v *variants) text() string {
	if v == nil {
		return ""
	}
	var texts []string
	for _, r := range v.bodies {
		texts = append(texts, textOf(r))
	}
	slices.Sort(texts)
	return strings.Join(texts, "---\n")
}

// textOf is a resource as YAML with sorted keys. That its bytes are one is certain: this process made them.
func textOf(r *model.Resource) string {
	message, err := compile.Message(r)
	if err != nil {
		panic("plan: " + r.Name + ": " + err.Error())
	}
	body, err := protojson.Marshal(message)
	if err == nil {
		body, err = yaml.JSONToYAML(body)
	}
	if err != nil {
		panic("plan: " + r.Name + ": " + err.Error())
	}
	return string(body)
}
