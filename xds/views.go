package xds

import (
	"slices"
	"sync"

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
	outlines *flow.Collection[*model.Outline]
	layers   *flow.Collection[*model.Layer]
	assigned *flow.Collection[model.Assignment]
	families *flow.Index[model.Assignment]

	users map[string]map[string]struct{} // layer -> scopes that have it; for observers, which run one at a time

	mu     sync.Mutex
	scopes map[string]*resolved // those that somebody looked at
}

// resolved is the view of a scope, and what it was made of.
type resolved struct {
	outline *model.Outline
	names   []string       // of the outline's layers
	layers  []*model.Layer // of these names; nil: there is none
	view    *model.View
	at      flow.Revision // the newest at which the view is known to be right
	dirty   bool          // a layer changed after that
}

// GraphViews serves the outlines of one collection, made of the layers of
// another, by the assignments of a third, which are found by their families.
func GraphViews(g *flow.Graph, outlines *flow.Collection[*model.Outline], layers *flow.Collection[*model.Layer],
	assigned *flow.Collection[model.Assignment], families *flow.Index[model.Assignment]) Views {
	return &graphViews{
		g: g, outlines: outlines, layers: layers, assigned: assigned, families: families,
		users: map[string]map[string]struct{}{}, scopes: map[string]*resolved{},
	}
}

// View resolves a scope once for all of its proxies. While a commit is told to
// observers, what they have not heard of yet is compared instead.
func (gv *graphViews) View(proxy string) (scope string, v *model.View, rev uint64) {
	var outline *model.Outline
	read := func(x *flow.Ctx) {
		scope = model.ScopeOf(flow.Lookup(x, gv.families, model.Family(proxy)), proxy)
		outline, _ = flow.Get(x, gv.outlines, scope)
	}
	at := gv.g.View(read)
	gv.mu.Lock()
	defer gv.mu.Unlock()
	known := gv.scopes[scope]
	if known != nil && known.outline == outline {
		if !known.dirty && known.at < at && gv.g.Published() >= at {
			known.at = at
		}
		if known.at == at {
			return scope, known.view, uint64(at)
		}
	}
	var now *resolved
	at = gv.g.View(func(x *flow.Ctx) {
		read(x)
		now = gv.collect(x, outline, gv.scopes[scope])
	})
	if now == nil {
		return scope, nil, uint64(at)
	}
	now.at, now.dirty = at, false
	gv.scopes[scope] = now
	return scope, now.view, uint64(at)
}

// collect makes the view of an outline. It is the view as it was, if nothing
// in it changed.
func (gv *graphViews) collect(x *flow.Ctx, outline *model.Outline, was *resolved) *resolved {
	if outline == nil {
		return nil
	}
	now := &resolved{outline: outline}
	if same := was != nil && was.outline == outline; same {
		now.names = was.names
	} else {
		now.names = slices.AppendSeq(make([]string, 0, len(outline.Layers)+model.ShelfSize*len(outline.Shelves)), outline.LayerNames())
		was = nil
	}
	now.layers = make([]*model.Layer, len(now.names))
	for i, name := range now.names {
		now.layers[i], _ = flow.Get(x, gv.layers, name)
	}
	if was != nil && slices.Equal(was.layers, now.layers) {
		return was
	}
	now.view = outline.Of(now.layers)
	return now
}

func (gv *graphViews) OnChange(f func(rev uint64, scopes, proxies []string)) {
	gv.layers.Observe(func(rev flow.Revision, changes []flow.Change[*model.Layer]) {
		if scopes := gv.usersOf(changes); len(scopes) > 0 {
			gv.soil(rev, scopes)
			f(uint64(rev), scopes, nil)
		}
	})
	gv.outlines.Observe(func(rev flow.Revision, changes []flow.Change[*model.Outline]) {
		for _, c := range changes {
			gv.file(c)
		}
		f(uint64(rev), keysOf(changes), nil)
	})
	gv.assigned.Observe(func(rev flow.Revision, changes []flow.Change[model.Assignment]) {
		var proxies []string
		for _, c := range changes {
			proxies = append(proxies, model.Moved(c.Old, c.New)...)
		}
		if len(proxies) > 0 {
			slices.Sort(proxies)
			f(uint64(rev), nil, slices.Compact(proxies))
		}
	})
}

// usersOf are the scopes that have any of the changed layers, each once.
func (gv *graphViews) usersOf(changes []flow.Change[*model.Layer]) []string {
	if len(changes) == 1 {
		return sortedNames(gv.users[changes[0].Key])
	}
	all := map[string]struct{}{}
	for _, c := range changes {
		for scope := range gv.users[c.Key] {
			all[scope] = struct{}{}
		}
	}
	return sortedNames(all)
}

// soil has scopes resolved anew of which the view is older than a revision.
func (gv *graphViews) soil(rev flow.Revision, scopes []string) {
	gv.mu.Lock()
	defer gv.mu.Unlock()
	for _, scope := range scopes {
		if known := gv.scopes[scope]; known != nil && known.at < rev {
			known.dirty = true
		}
	}
}

// file keeps the index from layers to scopes.
func (gv *graphViews) file(c flow.Change[*model.Outline]) {
	if c.Old != nil {
		for name := range (*c.Old).LayerNames() {
			if delete(gv.users[name], c.Key); len(gv.users[name]) == 0 {
				delete(gv.users, name)
			}
		}
	}
	if c.New == nil {
		gv.mu.Lock()
		defer gv.mu.Unlock()
		delete(gv.scopes, c.Key)
		return
	}
	for name := range (*c.New).LayerNames() {
		if gv.users[name] == nil {
			gv.users[name] = map[string]struct{}{}
		}
		gv.users[name][c.Key] = struct{}{}
	}
}

func keysOf[V flow.Row[V]](changes []flow.Change[V]) []string {
	keys := make([]string, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	return keys
}
