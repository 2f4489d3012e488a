package join

import (
	"fmt"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
)

// wireAccess is who may call, by what policies say and applications name.
func (m *Mesh) wireAccess() {
	m.Authorizers = flow.Derive(m.parts, "authorizers", func(x *flow.Ctx, p Part) []model.Authorizer {
		var all []model.Authorizer
		for _, a := range Of[model.Authorizer](p) {
			a.Host = m.host(x, a.Host)
			all = append(all, a)
		}
		return all
	})
	m.RequestAuths = rows(m.parts, "request authentications", Of[model.RequestAuth])
	m.Telemetries = rows(m.parts, "telemetries", Of[model.Telemetry])
	m.KeySources = flow.Group(flow.NewIndex(m.RequestAuths, func(a model.RequestAuth) (keys []string) {
		for _, s := range keySources(a) {
			keys = append(keys, s.Key())
		}
		return keys
	}), "key sources", func(_ *flow.Ctx, key string, all []model.RequestAuth) *model.Named[model.KeySource] {
		for _, s := range keySources(all[0]) {
			if s.Key() == key {
				return &model.Named[model.KeySource]{Thing: s, By: namespacesOf(all, func(a model.RequestAuth) model.Key { return a.Object })}
			}
		}
		return nil
	})
	m.Authorizations = flow.Union("authorizations",
		flow.Derive(m.parts, "written authorizations", func(x *flow.Ctx, p Part) []model.Authorization {
			var all []model.Authorization
			for _, a := range Of[model.Authorization](p) {
				a.Provider = m.provider(x, a)
				all = append(all, a)
			}
			return all
		}),
		flow.Derive(m.parts, "authorizations of applications", m.authorizationsOfApplications))
}

func keySources(a model.RequestAuth) (all []model.KeySource) {
	for _, rule := range a.Rules {
		if rule.KeysFrom != (model.KeySource{}) {
			all = append(all, rule.KeysFrom)
		}
	}
	return all
}

// provider is the authorizer that a policy names: that of its own namespace, else the mesh's.
func (m *Mesh) provider(x *flow.Ctx, a model.Authorization) string {
	for _, namespace := range []string{a.Object.Namespace, model.RootNamespace} {
		key := model.Key{Kind: string(api.ExternalAuthorizer), Namespace: namespace, Name: a.Provider}.String()
		if _, ok := flow.Get(x, m.Authorizers, key); ok && a.Action == model.Custom {
			return key
		}
	}
	return ""
}

func (m *Mesh) checkAccess(x *flow.Ctx, p *problems) {
	for _, a := range Of[model.Authorization](p.part) {
		m.checkTargets(x, p, a.Targets)
		if a.Action == model.Custom && a.Provider != "" && m.provider(x, a) == "" {
			p.add(model.ProblemMissingService, "spec.provider.name", fmt.Sprintf("there is no ExternalAuthorizer %q in the namespaces %s and %s, so what the rules match is denied; create it, or correct the name", a.Provider, a.Object.Namespace, model.RootNamespace))
		}
	}
	for _, a := range Of[model.RequestAuth](p.part) {
		m.checkTargets(x, p, a.Targets)
	}
	for _, a := range Of[model.Authorizer](p.part) {
		m.checkAuthorizer(x, p, a)
	}
}

// checkTargets reports what a policy is attached to and does not exist.
func (m *Mesh) checkTargets(x *flow.Ctx, p *problems, all []model.Target) {
	for i, t := range all {
		place := fmt.Sprintf("spec.targetRefs[%d]", i)
		switch {
		case t.Gateway != "" && len(flow.Lookup(x, m.gatewaysOf, t.Gateway)) == 0:
			p.add(model.ProblemMissingGateway, place, fmt.Sprintf("there is no Gateway %s of the Gateway API; create it, or correct the name", t.Gateway))
		case t.Service != "" && !m.has(x, t.Service):
			p.add(model.ProblemMissingService, place, missing(t.Service))
		}
	}
}

func (m *Mesh) checkAuthorizer(x *flow.Ctx, p *problems, a model.Authorizer) {
	const closed = "; until then, what it would be asked is denied"
	s, ok := flow.Get(x, m.Services, m.host(x, a.Host))
	if !ok {
		p.add(model.ProblemMissingService, "spec.service", missing(a.Host)+closed)
		return
	}
	port, ok := s.Port(a.Port)
	switch {
	case !ok:
		p.add(model.ProblemMissingPort, "spec.port", fmt.Sprintf("the service %s has no port %d%s", s.Host, a.Port, closed))
	case a.HTTP == nil && port.Protocol != model.HTTP2:
		p.add(model.ProblemInvalid, "spec.port", fmt.Sprintf("it is asked by gRPC, and port %d of %s does not say that it speaks that; name its protocol grpc, or set http%s", a.Port, s.Host, closed))
	case a.HTTP != nil && !port.Protocol.IsHTTP():
		p.add(model.ProblemInvalid, "spec.port", fmt.Sprintf("port %d of %s does not say that it speaks HTTP; name its protocol http%s", a.Port, s.Host, closed))
	}
}
