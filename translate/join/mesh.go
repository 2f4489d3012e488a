package join

import (
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/gateway"
	"weft.dev/translate/weft"
)

// Mesh is the mesh in our words, and what is wrong with what was written.
type Mesh struct {
	Services       *flow.Collection[model.Service]  // key: host
	Replicas       *flow.Collection[model.Replicas] // those that registered, and pods
	Policies       *flow.Collection[model.Policy]   // at most one for a host
	Limits         *flow.Collection[model.Policy]   // what of them Resilience says, for one host each
	Splits         *flow.Collection[model.Split]
	Fallbacks      *flow.Collection[model.Fallback] // of whole services
	Concurrencies  *flow.Collection[model.Concurrency]
	Gateways       *flow.Collection[model.Gateway]
	GatewayPods    *flow.Collection[model.GatewayPods]
	Certificates   *flow.Collection[model.Certificate] // of Secrets, and whom gateways trust
	Routes         *flow.Collection[model.RouteTable]
	RateLimits     *flow.Collection[model.RateLimit]
	PeerAuths      *flow.Collection[model.PeerAuth]
	EnvoyFilters   *flow.Collection[model.EnvoyFilter]
	Authorizations *flow.Collection[model.Authorization]
	RequestAuths   *flow.Collection[model.RequestAuth]
	Telemetries    *flow.Collection[model.Telemetry]
	Plugins        *flow.Collection[model.Plugin]
	ModuleSources  *flow.Collection[model.Named[model.ModuleSource]] // that plugins name
	PullSecrets    *flow.Collection[model.PullSecret]
	KeySources     *flow.Collection[model.Named[model.KeySource]] // that request authentications name
	Authorizers    *flow.Collection[model.Authorizer]
	Egresses       *flow.Collection[model.Egress]
	Inbounds       *flow.Collection[model.Inbound]
	Declared       *flow.Collection[model.Declared]
	Problems       *flow.Collection[model.Problem]

	parts      *flow.Collection[Part]
	registered *flow.Collection[model.Replicas]
	apps       *flow.Collection[weft.App]        // by host of their service
	resilience *flow.Collection[weft.Resilience] // by host of their service
	instances  *flow.Index[model.Replicas]       // by host of their application
	proxiesOf  *flow.Index[model.Replicas]       // of gateways, by name
	policiesOf *flow.Index[model.Policy]         // by host
	peersOf    *flow.Index[item[model.PeerAuth]] // by namespace, those of whole namespaces
	defaultsOf *flow.Index[model.Egress]         // by namespace, those of whole namespaces
	gatewaysOf *flow.Index[model.Gateway]        // by name
	grantsTo   *flow.Index[item[gateway.Grant]]  // by namespace of what is named
	namespaces *flow.Collection[item[map[string]string]]
	secrets    *flow.Collection[model.Certificate]   // of Secrets
	holders    *flow.Collection[item[holder]]        // of certificates
	backendTLS *flow.Index[item[gateway.BackendTLS]] // by host
	owners     *flow.Collection[owner]
	delegating *flow.Index[Part]              // by whom their rules delegate to
	setsOf     *flow.Index[item[gateway.Set]] // by their Gateway
	contests   *flow.Index[contest]           // of listeners
	gates      *flow.Collection[outcome]      // of gateways
	routed     *flow.Collection[outcome]      // of routes
}

// New wires the mesh behind the parts, and pods, which may be nil.
func New(parts *flow.Collection[Part], pods *flow.Collection[model.Pod]) *Mesh {
	m := &Mesh{parts: parts}
	written := m.wireWorkloads(pods)
	m.wireGrants()
	m.wireTrust()
	m.wireBackendTLS()
	m.EnvoyFilters = rows(parts, "envoy filters", Of[model.EnvoyFilter])
	m.wireServices(written)
	m.wireApplications()
	m.wireAccess()
	m.wirePlugins()
	m.wireResilience()
	m.wirePolicies()
	m.wirePeers()
	m.wireScopes()
	m.delegating = flow.NewIndex(parts, delegating)
	m.gates = m.wireGateways()
	m.Certificates = flow.Union("certificates", m.secrets, rows(m.gates, "certificates of callers", func(o outcome) []model.Certificate { return o.Trusts }))
	m.GatewayPods = gatewayPods(parts, m.gates)
	m.routed = m.wireRoutes()
	m.wireLimits()
	m.Problems = flow.Union("problems",
		rows(parts, "problems of objects", func(p Part) []model.Problem { return p.Problems }),
		rows(m.gates, "problems of gateways", func(o outcome) []model.Problem { return o.Problems }),
		rows(m.routed, "problems of routes", func(o outcome) []model.Problem { return o.Problems }),
		flow.Derive(parts, "problems of references", m.references),
	)
	return m
}

// references are the problems of all that is neither gateway nor route.
func (m *Mesh) references(x *flow.Ctx, part Part) []model.Problem {
	p := &problems{part: part}
	m.checkServices(x, p)
	m.checkApplications(x, p)
	m.checkPolicies(x, p)
	m.checkSplits(x, p)
	m.checkBackendTLS(x, p)
	m.checkResilience(x, p)
	m.checkPeers(x, p)
	m.checkAccess(x, p)
	m.checkScopes(x, p)
	m.checkLimits(x, p)
	m.checkDelegates(x, p)
	return p.all
}
