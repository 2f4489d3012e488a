package xds

import (
	"weft.dev/flow"
	"weft.dev/model"
)

// Views are what proxies are to receive.
type Views interface {
	// View returns the scope of a proxy, "" if the proxy is not known (yet), and
	// the scope's view at a revision, nil if there is none (yet).
	View(proxy string) (scope string, v *model.View, rev uint64)
	// OnChange has f called after each commit that changed the views of scopes,
	// or the scopes of proxies. f returns quickly and may call View. Called
	// once, before anything changes.
	OnChange(f func(rev uint64, scopes, proxies []string))
}

// graphViews are views in a graph of collections.
type graphViews struct {
	g        *flow.Graph
	views    *flow.Collection[*model.View]
	assigned *flow.Collection[model.Assignment]
}

// GraphViews serves the views of one collection by the assignments of another.
func GraphViews(g *flow.Graph, views *flow.Collection[*model.View], assigned *flow.Collection[model.Assignment]) Views {
	return &graphViews{g: g, views: views, assigned: assigned}
}

func (gv *graphViews) View(proxy string) (scope string, v *model.View, rev uint64) {
	at := gv.g.View(func(x *flow.Ctx) {
		a, _ := flow.Get(x, gv.assigned, proxy)
		scope = a.Scope
		v, _ = flow.Get(x, gv.views, scope)
	})
	return scope, v, uint64(at)
}

func (gv *graphViews) OnChange(f func(rev uint64, scopes, proxies []string)) {
	gv.views.Observe(func(rev flow.Revision, changes []flow.Change[*model.View]) {
		f(uint64(rev), keysOf(changes), nil)
	})
	gv.assigned.Observe(func(rev flow.Revision, changes []flow.Change[model.Assignment]) {
		f(uint64(rev), nil, keysOf(changes))
	})
}

func keysOf[V flow.Row[V]](changes []flow.Change[V]) []string {
	keys := make([]string, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	return keys
}
