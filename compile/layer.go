package compile

import (
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// piece is a resource as a row. Key: its type and name.
type piece struct{ *model.Resource }

func (p piece) Key() string        { return p.Type.String() + " " + p.Name }
func (p piece) Equal(o piece) bool { return p.Resource.Equal(o.Resource) }

// Shelves that hold the whole mesh. Virtual hosts are on shelves by caller.
const meshShelf = "mesh"

// layers are the parts of which views are made.
type layers struct {
	*compiler
	gateways *gateways
	all      *flow.Collection[*model.Layer]
}

func (c *compiler) layers() *layers {
	l := &layers{compiler: c, gateways: c.gateways()}
	byScope := func(name string, key func(scope) string, fn func(*flow.Ctx, string, scope) *model.Layer) *flow.Collection[*model.Layer] {
		index := flow.NewIndex(c.scopes, func(s scope) []string { return keyOrNone(key(s)) })
		return flow.Group(index, "compile/layers/"+name, func(x *flow.Ctx, key string, sharing []scope) **model.Layer {
			layer := fn(x, key, sharing[0])
			return &layer
		})
	}
	l.all = flow.Union("compile/layers",
		byScope("own", func(s scope) string { return s.own }, c.ownLayer),
		byScope("inbound", func(s scope) string { return s.inbound }, c.inboundLayer),
		byScope("base", func(s scope) string { return s.base() }, c.baseLayer),
		byScope("tunnels", func(s scope) string { return s.tunnels }, c.tunnelsLayer),
		byScope("table", func(s scope) string { return s.table }, c.tableLayer),
		l.gateways.routeLayer,
		l.gateways.datagrams,
		flow.Derive(c.spaces, "compile/layers/credentials", c.credentialLayers),
		piecesLayer("service", flow.Union("compile/service pieces",
			flow.Derive(c.destinations, "compile/clusters", c.clusterOf),
			flow.Derive(c.destinations, "compile/endpoints", c.endpointsOf)), servicePlaces),
		flow.Derive(c.scattered, "compile/layers/service by place", c.scatteredLayers),
		flow.Derive(c.shapes, "compile/layers/service at gateways", l.gateways.serviceLayers),
		piecesLayer("host", c.hostsFor[everywhere], func(p piece) []string { return []string{hostLayer(hostOfPiece(p), false, nil)} }),
		piecesLayer("host at home", c.hostsFor[atHome], func(p piece) []string { return []string{hostLayer(hostOfPiece(p), true, nil)} }),
		flow.Derive(c.facts, "compile/layers/host for some", c.conditionalLayers),
		flow.Derive(c.shelves(), "compile/layers/hosts", c.shelfLayer),
	)
	return l
}

func keyOrNone(key string) []string {
	if key == "" {
		return nil
	}
	return []string{key}
}

// piecesLayer puts pieces into the layers that places names.
func piecesLayer(name string, pieces *flow.Collection[piece], places func(piece) []string) *flow.Collection[*model.Layer] {
	return flow.Group(flow.NewIndex(pieces, places), "compile/layers/"+name, func(_ *flow.Ctx, layer string, rows []piece) **model.Layer {
		resources := make([]*model.Resource, len(rows))
		for i, p := range rows {
			resources[i] = p.Resource
		}
		l := model.NewLayer(layer, resources...)
		return &l
	})
}

// servicePlaces are the layers of a cluster and of its endpoints: that of its
// service, and one of the shelf of those who know everything.
func servicePlaces(p piece) []string {
	return []string{serviceLayer(hostOfKey(p.Name)), model.ShelfLayer(meshShelf, model.ShelfIndex(p.Name))}
}

// hostOfPiece is the service of a virtual host.
func hostOfPiece(p piece) string {
	return hostOfKey(p.Name[len(OutboundRoutes)+1:])
}

// conditionalLayers have the virtual hosts of a service for callers of whom
// some conditions of its routes hold.
func (c *compiler) conditionalLayers(x *flow.Ctx, f facts) []*model.Layer {
	if len(f.When) == 0 {
		return nil
	}
	var all []*model.Layer
	made := map[string]bool{}
	for _, set := range flow.All(x, c.callerSets) {
		holding := common(f.When, set.Holding)
		for _, local := range []bool{false, f.Short} {
			name := hostLayer(f.Host, local, holding)
			if len(holding) == 0 || made[name] {
				continue
			}
			made[name] = true
			var resources []*model.Resource
			for _, v := range flow.Lookup(x, c.hostsOf, f.Host) {
				if r := c.hostResource(x, v, local, holding); r != nil {
					resources = append(resources, r)
				}
			}
			all = append(all, model.NewLayer(name, resources...))
		}
	}
	return all
}

// callerSet is who calls alike: callers of whom the same conditions hold. Key: digest.
type callerSet struct {
	key     string
	Holding []condition
}

func (c callerSet) Key() string            { return c.key }
func (c callerSet) Equal(o callerSet) bool { return slices.Equal(c.Holding, o.Holding) }

// shelf is a layer of the virtual hosts of the whole mesh, as some callers see
// them. Key: the layer's name.
type shelf struct {
	name      string
	index     int
	Namespace string
	Holding   []condition
}

func (s shelf) Key() string { return s.name }
func (s shelf) Equal(o shelf) bool {
	return s.index == o.index && s.Namespace == o.Namespace && slices.Equal(s.Holding, o.Holding)
}

// shelves are those of all callers who know everything.
func (c *compiler) shelves() *flow.Collection[shelf] {
	callers := flow.Group(flow.NewIndex(c.scopes, func(s scope) []string { return keyOrNone(s.shelf) }), "compile/shelves/callers",
		func(_ *flow.Ctx, key string, sharing []scope) *shelf {
			return &shelf{name: key, Namespace: sharing[0].Namespace, Holding: sharing[0].Callers}
		})
	return flow.Derive(callers, "compile/shelves", func(_ *flow.Ctx, s shelf) []shelf {
		all := make([]shelf, model.ShelfSize)
		for i := range all {
			all[i] = shelf{name: model.ShelfLayer(s.name, i), index: i, Namespace: s.Namespace, Holding: s.Holding}
		}
		return all
	})
}

func (c *compiler) shelfLayer(x *flow.Ctx, s shelf) []*model.Layer {
	var resources []*model.Resource
	for _, v := range flow.Lookup(x, c.hostsOnShelf, shelfPlace(s.index)) {
		if r := c.hostFor(x, v, s.Namespace, s.Holding); r != nil {
			resources = append(resources, r)
		}
	}
	return []*model.Layer{model.NewLayer(s.name, resources...)}
}

// hostFor is a virtual host as a caller sees it; nil: not at all.
func (c *compiler) hostFor(x *flow.Ctx, v virtualHost, namespace string, holding []condition) *model.Resource {
	local := v.Service.Namespace == namespace && v.Service.hasShortName()
	if holding = common(v.when(), holding); len(holding) > 0 {
		return c.hostResource(x, v, local, holding)
	}
	from := everywhere
	if local {
		from = atHome
	}
	p, _ := flow.Get(x, c.hostsFor[from], piece{&model.Resource{Type: model.TypeVirtualHost, Name: v.resourceName()}}.Key())
	return p.Resource
}

// baseLayer has what every sidecar of one way of knowing services has.
func (c *compiler) baseLayer(_ *flow.Ctx, key string, s scope) *model.Layer {
	resources := []*model.Resource{
		c.intern.resource(model.TypeCluster, connectName, connectCluster(), nil),
		c.intern.resource(model.TypeListener, connectName, connectListener(s.learns(), s.Calls), nil),
	}
	if s.transparent() {
		resources = append(resources, c.intern.resource(model.TypeCluster, straysName, straysCluster(), nil))
		if !s.Closed {
			resources = append(resources, c.strays(s.strays()))
		}
	}
	if !s.Inline {
		ready := readyHost(OutboundRoutes)
		resources = append(resources,
			c.intern.resource(model.TypeRoute, OutboundRoutes, discoveredTable(OutboundRoutes), nil),
			c.intern.resource(model.TypeVirtualHost, ready.Name, ready, nil))
	}
	return model.NewLayer(key, resources...)
}

// tableLayer is the whole table, for proxies that cannot have it in pieces.
func (c *compiler) tableLayer(x *flow.Ctx, key string, s scope) *model.Layer {
	t := table{config: newTable(OutboundRoutes)}
	for _, v := range flow.All(x, c.hosts) {
		domains, routes := c.domainsOf(x, v, v.Service.Namespace == s.Namespace), visible(v.Routes, s.Callers)
		if len(domains) > 0 && len(routes) > 0 {
			t.config.VirtualHosts = append(t.config.VirtualHosts, hostConfig(v, domains, routes))
			t.needs, t.from = append(t.needs, clustersOf(routes...)...), append(t.from, v.From...)
		}
	}
	slices.Sort(t.needs)
	t.needs = slices.Compact(t.needs)
	return model.NewLayer(key, c.table(t))
}
