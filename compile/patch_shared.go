package compile

import (
	"slices"
	"strings"

	"weft.dev/flow"
	"weft.dev/model"
)

// Clusters and routes are in layers that proxies of all namespaces share. A scope whose EnvoyFilters change some has variants
// of those layers, which it shares with the scopes that the same EnvoyFilters select: everybody else's stay as they are.
const variantPrefix = "patched/"

// variantOf is before the names of the layers of a scope: "" where it has no variants.
func variantOf(s scope) string {
	if len(s.Shared) == 0 {
		return ""
	}
	return variantPrefix + digest([]any{s.Gateway != "", s.Shared}) + "/"
}

// varied is the outline of a scope with variants of its layers. What it has alone is patched by itself, and certificates are nobody's to change.
func (s scope) varied(o *model.Outline) *model.Outline {
	if s.variant == "" {
		return o
	}
	for i, name := range o.Layers {
		if name != s.own && name != s.tunnels && !strings.HasPrefix(name, credentialLayer(s.Namespace, "")) {
			o.Layers[i] = s.variant + name
		}
	}
	o.Shelves = slices.Clone(o.Shelves)
	for i, name := range o.Shelves {
		o.Shelves[i] = s.variant + name
	}
	return o
}

// wanted is a layer that some outline has a variant of. Key: the variant's name.
type wanted struct {
	name   string
	AtGate bool
	Shared []string // keys of the EnvoyFilters
}

func (w wanted) Key() string { return w.name }
func (w wanted) Equal(o wanted) bool {
	return w.name == o.name && w.AtGate == o.AtGate && slices.Equal(w.Shared, o.Shared)
}

// variant is a layer with what EnvoyFilters make of it. Key: its name.
type variant struct {
	*model.Layer
	problems []model.Problem
}

func (v variant) Equal(o variant) bool {
	return v.Layer.Equal(o.Layer) && slices.Equal(v.problems, o.problems)
}

// variants are those of the layers that outlines name.
func (l *layers) variants(outlines *flow.Collection[*model.Outline]) *flow.Collection[variant] {
	named := flow.NewIndex(outlines, func(o *model.Outline) (names []string) {
		for name := range o.LayerNames() {
			if strings.HasPrefix(name, variantPrefix) {
				names = append(names, name)
			}
		}
		return names
	})
	all := flow.Group(named, "compile/variants wanted", func(x *flow.Ctx, name string, by []*model.Outline) *wanted {
		s, ok := flow.Get(x, l.scopes, by[0].Scope)
		if !ok {
			return nil
		}
		return &wanted{name: name, AtGate: s.Gateway != "", Shared: s.Shared}
	})
	return flow.Derive(all, "compile/variants", l.variant)
}

func (l *layers) variant(x *flow.Ctx, w wanted) []variant {
	_, name, _ := strings.Cut(strings.TrimPrefix(w.name, variantPrefix), "/")
	layer, ok := flow.Get(x, l.all, name)
	if !ok {
		return nil
	}
	filters, _ := l.good(x, allFound(x, l.EnvoyFilters, w.Shared))
	var resources []*model.Resource
	var problems []model.Problem
	for t := range model.NumTypes {
		for _, r := range layer.Resources[t] {
			next, more := l.patchedBy(filters, r, w.AtGate)
			resources, problems = append(resources, next), append(problems, more...)
		}
	}
	return []variant{{model.NewLayer(w.name, resources...), sortedOnce(problems)}}
}
