package compile

import (
	"cmp"
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// Entrance is a host at which requests enter by a gateway.
type Entrance struct {
	Host  string // "*.suffix" and "*" for several
	Port  uint32 // of the gateway's listener
	TLS   bool
	Leads bool // a route leads to the service that was asked for
}

// Entrances are those of the gateways that run, at the last commit.
func (c *Compiled) Entrances(service string) (all []Entrance) {
	c.graph.View(func(x *flow.Ctx) {
		for _, a := range flow.All(x, c.layers.gateways.attached) {
			t, _ := flow.Get(x, c.layers.RouteTables, a.Table)
			e := Entrance{Host: a.Domain, Port: a.At.port, TLS: a.Chain != GatewayName(a.At.port), Leads: leadsTo(t, service)}
			i := slices.IndexFunc(all, func(o Entrance) bool { return o.Host == e.Host && o.Port == e.Port && o.TLS == e.TLS })
			if i < 0 {
				all = append(all, e)
			} else if e.Leads {
				all[i].Leads = true
			}
		}
	})
	slices.SortFunc(all, func(a, b Entrance) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Port, b.Port)) })
	return all
}

func leadsTo(t model.RouteTable, service string) bool {
	return slices.ContainsFunc(t.Rules, func(r model.Rule) bool {
		return slices.ContainsFunc(r.Backends, func(b model.Backend) bool { return b.Host == service && b.Subset == "" })
	})
}

// Covers says whether requests for a host, in lower case, may enter there.
func (e Entrance) Covers(host string) bool { return model.Covers(e.Host, host) }

// Scheme is how the entrance is called.
func (e Entrance) Scheme() string {
	if e.TLS {
		return "https"
	}
	return "http"
}
