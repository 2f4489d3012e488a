package compile

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"weft.dev/flow"
	"weft.dev/model"
)

// place is what of a caller matters to services that are not called alike from everywhere. Key: its digest.
type place struct {
	Locality string            `json:",omitempty"`
	Labels   map[string]string `json:",omitempty"`
}

func (p place) Key() string          { return digest(p) }
func (p place) Equal(o place) bool   { return p.Locality == o.Locality && maps.Equal(p.Labels, o.Labels) }
func (p place) isZero() bool         { return p.Locality == "" && len(p.Labels) == 0 }
func (p place) at(key string) string { return labelAt(p.Locality, p.Labels, key) }

// labelAt is a label of something at a place, whose own labels may leave out where that is.
func labelAt(locality string, labels map[string]string, key string) string {
	parts := model.SplitLocality(locality)
	return cmp.Or(labels[key], map[string]string{model.RegionLabel: parts[0], model.ZoneLabel: parts[1], model.SubzoneLabel: parts[2]}[key])
}

// seenFrom is the place of a workload as far as the labels of somebody's interest say it.
func seenFrom(labels map[string]string, interest []string) (p place) {
	for _, key := range interest {
		switch v := labels[key]; {
		case key == model.LocalityLabel:
			p.Locality = model.LocalityOf(labels)
		case v != "" && p.Labels == nil:
			p.Labels = map[string]string{key: v}
		case v != "":
			p.Labels[key] = v
		}
	}
	return p
}

// only is the place as far as some labels say it.
func (p place) only(interest []string) place {
	out := seenFrom(p.Labels, interest)
	if out.Locality = ""; slices.Contains(interest, model.LocalityLabel) {
		out.Locality = p.Locality
	}
	return out
}

// interest is a label of callers that some policy asks. Key: the label.
type interest string

func (i interest) Key() string           { return string(i) }
func (i interest) Equal(o interest) bool { return i == o }

// interests are the labels that policies ask of callers; model.LocalityLabel stands for all that say where they are.
func interests(all ...model.TrafficPolicy) (labels []string) {
	for _, t := range all {
		if t.Local == nil {
			continue
		}
		labels = append(labels, model.LocalityLabel)
		for _, near := range t.Local.Near {
			if key, _, fixed := strings.Cut(near, "="); !fixed && key != model.RegionLabel && key != model.ZoneLabel && key != model.SubzoneLabel {
				labels = append(labels, key)
			}
		}
	}
	slices.Sort(labels)
	return slices.Compact(labels)
}

// scattered is a service whose endpoints are not the same for all callers. Key: host.
type scattered struct {
	Host   string
	Labels []string // that it asks of them
}

func (p scattered) Key() string { return p.Host }
func (p scattered) Equal(o scattered) bool {
	return p.Host == o.Host && slices.Equal(p.Labels, o.Labels)
}

// layer has the endpoints of a service as they are called from a place; base has all else of it.
func (p scattered) layer(base string, from place) string {
	from = from.only(p.Labels)
	name := base + "@place/" + from.Locality
	if len(from.Labels) > 0 {
		name += "#" + digest(from.Labels)
	}
	return name
}

// wireScattered is the way from destinations to services that are not called alike from everywhere, and to what they
// ask of callers.
func (c *compiler) wireScattered() {
	c.interests = flow.Group(flow.NewIndex(c.Policies, func(p model.Policy) []string { return interests(p.AllTraffic()...) }), "compile/interests",
		func(_ *flow.Ctx, label string, _ []model.Policy) *interest { return (*interest)(&label) })
	c.scatteredOf = flow.NewIndex(c.destinations, func(d destination) []string {
		if d.Traffic.Local == nil {
			return nil
		}
		return []string{d.Service.Host}
	})
	c.scattered = flow.Group(c.scatteredOf, "compile/scattered", func(_ *flow.Ctx, host string, all []destination) *scattered {
		p := &scattered{Host: host}
		for _, d := range all {
			p.Labels = append(p.Labels, interests(d.Traffic)...)
		}
		slices.Sort(p.Labels)
		p.Labels = slices.Compact(p.Labels)
		return p
	})
}

// placesOf are those of all callers.
func (c *compiler) placesOf() *flow.Collection[place] {
	somewhere := flow.NewIndex(c.scopes, func(s scope) []string {
		if s.Place.isZero() {
			return nil
		}
		return []string{s.Place.Key()}
	})
	return flow.Group(somewhere, "compile/places", func(_ *flow.Ctx, _ string, sharing []scope) *place { return &sharing[0].Place })
}

func (c *compiler) scatteredLayers(x *flow.Ctx, p scattered) []*model.Layer {
	return c.placedLayers(x, p, serviceLayer(p.Host), flow.Lookup(x, c.scatteredOf, p.Host))
}

// placedLayers are those of the endpoints of a service, one for each place from which they are called otherwise.
func (c *compiler) placedLayers(x *flow.Ctx, p scattered, base string, all []destination) (layers []*model.Layer) {
	made := map[string]bool{}
	for _, from := range append([]place{{}}, flow.All(x, c.places)...) {
		name := p.layer(base, from)
		if made[name] {
			continue
		}
		made[name] = true
		var resources []*model.Resource
		for _, d := range all {
			if d.Traffic.Local == nil {
				continue
			}
			d.At = from.only(p.Labels)
			for _, piece := range c.located(x, d) {
				resources = append(resources, piece.Resource)
			}
		}
		layers = append(layers, model.NewLayer(name, resources...))
	}
	return layers
}

// ranked are the endpoints of a destination for its caller: those of each place a group, in groups that are called
// only when those before them are not well.
func (d destination) ranked(all []located) *endpointv3.ClusterLoadAssignment {
	local := d.Traffic.Local
	switch {
	case local == nil:
	case len(local.Shares) > 0:
		cla := assignment(d.Key(), all)
		cla.Endpoints = inShares(cla.Endpoints, sharesFrom(local.Shares, d.At.Locality))
		return cla
	case d.Traffic.Outlier != nil: // else nobody would find out that those before them are not well
		ranks := map[int]uint32{}
		for i := range all {
			all[i].rank = rank(*local, d.At, all[i])
			ranks[all[i].rank] = 0
		}
		for i, r := range slices.Sorted(maps.Keys(ranks)) {
			ranks[r] = uint32(i) // Envoy wants them without gaps
		}
		for i := range all {
			all[i].rank = int(ranks[all[i].rank])
		}
	}
	return assignment(d.Key(), all)
}

// distances of an endpoint from its caller; strange is in a region which is not that which comes next.
const (
	farther = 3
	strange = 4
	ranks   = 5
)

// rank of an endpoint for its caller, the lower the sooner it is called.
func rank(l model.Localities, from place, ep located) int {
	tier := 0
	for i, near := range l.Near {
		key, want, fixed := strings.Cut(near, "=")
		if !fixed {
			want = from.at(key)
		}
		if labelAt(ep.locality, ep.labels, key) != want {
			tier = len(l.Near) - i
			break
		}
	}
	if len(l.Near) > 0 && len(l.Failover) == 0 {
		return tier * ranks
	}
	return tier*ranks + distance(l.Failover, from.Locality, ep.locality)
}

// distance is none for a caller of whom nobody says where it is.
func distance(failover []model.RegionFailover, from, to string) int {
	if from == "" {
		return 0
	}
	here, there := model.SplitLocality(from), model.SplitLocality(to)
	for i := range here {
		if here[i] == there[i] {
			continue
		}
		if i == 0 && slices.ContainsFunc(failover, func(f model.RegionFailover) bool { return f.Callers == here[0] }) &&
			!slices.Contains(failover, model.RegionFailover{Callers: here[0], To: there[0]}) {
			return strange
		}
		return farther - i
	}
	return 0
}

// sharesFrom are those that a caller in a place gives; nil: nobody says any.
func sharesFrom(all []model.LocalityShares, locality string) []model.LocalityShare {
	for _, s := range all {
		if model.InPlace(locality, s.Callers) {
			return s.To
		}
	}
	return nil
}

// shareUnit is what a percent is cut into, so that shares of a place can be shared by its parts.
const shareUnit = 1000

// inShares gives groups of endpoints their weight: a share of those that name their place, without any that of their endpoints.
func inShares(groups []*endpointv3.LocalityLbEndpoints, shares []model.LocalityShare) []*endpointv3.LocalityLbEndpoints {
	if shares == nil {
		for _, g := range groups {
			g.LoadBalancingWeight = u32(uint32(min(weightOfGroup(g), 1<<24)))
		}
		return groups
	}
	var left []*endpointv3.LocalityLbEndpoints
	for _, share := range shares {
		in := func(g *endpointv3.LocalityLbEndpoints) bool {
			l := g.Locality
			return model.InPlace(model.JoinLocality(l.GetRegion(), l.GetZone(), l.GetSubZone()), share.Place)
		}
		var sum uint64
		for _, g := range groups {
			if in(g) {
				sum += weightOfGroup(g)
			}
		}
		for _, g := range groups {
			if in(g) && share.Percent > 0 {
				g.LoadBalancingWeight = u32(uint32(max(1, uint64(share.Percent)*shareUnit*weightOfGroup(g)/sum)))
				left = append(left, g)
			}
		}
		groups = slices.DeleteFunc(groups, in)
	}
	return left
}

func weightOfGroup(g *endpointv3.LocalityLbEndpoints) (sum uint64) {
	for _, ep := range g.LbEndpoints {
		sum += uint64(max(1, ep.GetLoadBalancingWeight().GetValue()))
	}
	return sum
}

// scatteredOnShelf are the layers of what the shelves of a scope leave out, as it is not the same for all.
func (c *compiler) scatteredOnShelf(x *flow.Ctx, s scope, o *model.Outline) (layers []string) {
	if len(o.Shelves) == 0 {
		return nil
	}
	for _, p := range flow.All(x, c.scattered) {
		layers = append(layers, p.layer(serviceLayer(p.Host), s.Place))
	}
	return layers
}
