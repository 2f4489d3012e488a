package join

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/gateway"
)

// routeClaim is the wish of one route of the Gateway API to be at a listener.
type routeClaim struct {
	Gateway, Listener string
	Hosts             []string // the route's, as far as the listener serves them
}

func (c routeClaim) id() string { return c.Gateway + "|" + c.Listener }

// contest is a listener that routes of several kinds want for the same host. They
// do not merge: the older has it, and the other is not there at all. Key: the claims'.
type contest struct {
	Gateway, Listener string
	Lost              []defeat
}

// defeat is a route that is not at a listener because another is.
type defeat struct{ Object, By model.Key }

func (c contest) Key() string          { return c.Gateway + "|" + c.Listener }
func (c contest) Equal(o contest) bool { return c.Key() == o.Key() && slices.Equal(c.Lost, o.Lost) }

// wireContests gives the contests by gateway and loser.
func (m *Mesh) wireContests() *flow.Index[contest] {
	claims := items(m.parts, "route claims", m.routeClaims, routeClaim.id)
	byListener := flow.NewIndex(claims, func(i item[routeClaim]) []string { return []string{i.Value.id()} })
	contests := flow.Group(byListener, "route contests", func(_ *flow.Ctx, _ string, all []item[routeClaim]) *contest { return decide(all) })
	return flow.NewIndex(contests, func(c contest) (all []string) {
		for _, lost := range c.Lost {
			all = append(all, defeatID(c.Gateway, lost.Object))
		}
		return all
	})
}

func defeatID(gateway string, loser model.Key) string { return gateway + "|" + loser.String() }

// routeClaims are those of one part, once for each listener.
func (m *Mesh) routeClaims(x *flow.Ctx, p Part) (all []routeClaim) {
	for _, t := range Of[model.RouteTable](p) {
		for _, name := range t.Gateways {
			if !owned(t, name) {
				all = append(all, m.claimsAt(x, t, name)...)
			}
		}
	}
	slices.SortFunc(all, func(a, b routeClaim) int { return strings.Compare(a.id(), b.id()) })
	return slices.CompactFunc(all, func(a, b routeClaim) bool { return a.id() == b.id() })
}

// claimsAt are those at each listener of a gateway that would take the table.
func (m *Mesh) claimsAt(x *flow.Ctx, t model.RouteTable, name string) (all []routeClaim) {
	for _, g := range flow.Lookup(x, m.gatewaysOf, name) {
		for _, l := range takers(speakers(meant(g, t), t), t) {
			if hosts := common(l.Hosts, t.Hosts); len(hosts) > 0 {
				all = append(all, routeClaim{name, l.Name, hosts})
			}
		}
	}
	return all
}

// decide lets claims win by age, each against those that have won before it.
func decide(all []item[routeClaim]) *contest {
	byAge := slices.SortedFunc(slices.Values(all), func(a, b item[routeClaim]) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), strings.Compare(a.Object.Namespace+"/"+a.Object.Name, b.Object.Namespace+"/"+b.Object.Name), a.older(b))
	})
	out := contest{Gateway: all[0].Value.Gateway, Listener: all[0].Value.Listener}
	var won []item[routeClaim]
	for _, c := range byAge {
		i := slices.IndexFunc(won, func(o item[routeClaim]) bool {
			return o.Object.Kind != c.Object.Kind && len(common(o.Value.Hosts, c.Value.Hosts)) > 0
		})
		if i < 0 {
			won = append(won, c)
		} else {
			out.Lost = append(out.Lost, defeat{c.Object, won[i].Object})
		}
	}
	if len(out.Lost) == 0 {
		return nil
	}
	return &out
}

// undefeated leaves of the listeners those that the table has not lost, and says
// why not the others.
func (r *resolver) undefeated(t model.RouteTable, name, place string, all []model.GatewayListener) (left []model.GatewayListener, why string) {
	left = all
	for _, c := range flow.Lookup(r.x, r.contests, defeatID(name, t.Object)) {
		i := slices.IndexFunc(left, func(l model.GatewayListener) bool { return l.Name == c.Listener })
		lost := slices.IndexFunc(c.Lost, func(d defeat) bool { return d.Object == t.Object })
		if i < 0 || lost < 0 {
			continue
		}
		left = slices.DeleteFunc(slices.Clone(left), func(l model.GatewayListener) bool { return l.Name == c.Listener })
		why = fmt.Sprintf("at the listener %s of the %s the older %s has a host of this route, and the two kinds do not merge; choose another host, or a listener of its own", c.Listener, gateway.Called(name), c.Lost[lost].By)
		r.add(model.ProblemHostConflict, place, why)
	}
	return left, why
}

// common are the hosts that are meant by both.
func common(some, others []string) (all []string) {
	for _, a := range some {
		for _, b := range others {
			switch {
			case within(a, b):
				all = append(all, a)
			case within(b, a):
				all = append(all, b)
			}
		}
	}
	return all
}
