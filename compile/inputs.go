package compile

import (
	"weft.dev/flow"
	"weft.dev/model"
)

// Inputs are the rows that views follow from. Of most, nil means that there are none.
type Inputs struct {
	Services       *flow.Collection[model.Service]
	Replicas       *flow.Collection[model.Replicas]
	RouteTables    *flow.Collection[model.RouteTable]
	Policies       *flow.Collection[model.Policy]
	Splits         *flow.Collection[model.Split]
	Concurrencies  *flow.Collection[model.Concurrency]
	Inbounds       *flow.Collection[model.Inbound]
	Gateways       *flow.Collection[model.Gateway]
	Certificates   *flow.Collection[model.Certificate]
	EnvoyFilters   *flow.Collection[model.EnvoyFilter]
	PeerAuths      *flow.Collection[model.PeerAuth]
	RateLimits     *flow.Collection[model.RateLimit]
	Authorizations *flow.Collection[model.Authorization]
	RequestAuths   *flow.Collection[model.RequestAuth]
	Authorizers    *flow.Collection[model.Authorizer]
	Telemetries    *flow.Collection[model.Telemetry]
	Plugins        *flow.Collection[model.Plugin]
	// Modules are what was found where code of plugins is to be had.
	Modules *flow.Collection[model.Module]
	// KeySets are what was found where keys of tokens are to be had; nil: nobody looks, and there will be none.
	KeySets *flow.Collection[model.KeySet]
	Cohorts *flow.Collection[model.Cohort] // of the workloads that have a proxy
	// Spoiled are EnvoyFilters that a proxy refused.
	Spoiled *flow.Collection[model.Spoiled]
	// Known says what cohorts know. Who is not in it, or everybody if it is
	// nil, knows every service.
	Known *flow.Collection[model.Known]
	// Previews are the keys by which gateways verify previews.
	Previews *flow.Collection[model.PreviewKey]
}

// whole has a collection without rows for each that is missing, but for those whose absence says something.
func (in Inputs) whole(g *flow.Graph) Inputs {
	orNone(g, &in.Services, "services")
	orNone(g, &in.Replicas, "replicas")
	orNone(g, &in.RouteTables, "route tables")
	orNone(g, &in.Policies, "policies")
	orNone(g, &in.Splits, "splits")
	orNone(g, &in.Concurrencies, "concurrencies")
	orNone(g, &in.Inbounds, "inbounds")
	orNone(g, &in.Gateways, "gateways")
	orNone(g, &in.Certificates, "certificates")
	orNone(g, &in.EnvoyFilters, "envoy filters")
	orNone(g, &in.PeerAuths, "peer authentications")
	orNone(g, &in.RateLimits, "rate limits")
	orNone(g, &in.Authorizations, "authorizations")
	orNone(g, &in.RequestAuths, "request authentications")
	orNone(g, &in.Authorizers, "authorizers")
	orNone(g, &in.Telemetries, "telemetries")
	orNone(g, &in.Plugins, "plugins")
	orNone(g, &in.Modules, "modules")
	orNone(g, &in.Cohorts, "cohorts")
	orNone(g, &in.Spoiled, "spoiled")
	orNone(g, &in.Previews, "preview keys")
	return in
}

func orNone[V flow.Row[V]](g *flow.Graph, c **flow.Collection[V], name string) {
	if *c == nil {
		*c = flow.NewSource[V](g, "compile/no "+name).Collection
	}
}
