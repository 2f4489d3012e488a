package main

import (
	"maps"
	"slices"

	"weft.dev/model"
)

const (
	needsIdentity = "nobody has an identity where no server gives it, and proxies speak plain text to each other; " +
		"take it out of this folder, or serve the folder with weft serve"
	needsSecret = "its private key would be in the snapshot, for all who may read that; " +
		"terminate TLS before the mesh, or serve the folder with weft serve"
)

// aloneProblems are of what only a server can do. It is refused, not left out:
// who asks for protection relies on it.
func (r *rehearsal) aloneProblems() []model.Problem {
	found := map[string]model.Problem{}
	add := func(object model.Key, path, message string) {
		p := model.Problem{Object: object, Code: model.ProblemNotHonoured, Path: path, Message: message}
		found[p.Key()] = p
	}
	for _, p := range r.rows.PeerAuths.All() {
		if p.Mode == model.MTLSStrict || slices.Contains(slices.Collect(maps.Values(p.PortMode)), model.MTLSStrict) {
			add(p.Object, "spec", "it wants mTLS alone: "+needsIdentity)
		}
	}
	for _, a := range r.rows.Authorizations.All() {
		for _, rule := range a.Rules {
			if asksWho(rule) {
				add(a.Object, rule.Origin.Path, "it asks who calls: "+needsIdentity)
			}
		}
	}
	for _, p := range r.rows.Policies.All() {
		if slices.ContainsFunc(p.AllTraffic(), func(t model.TrafficPolicy) bool { return t.TLS != nil && t.TLS.Mode == model.TLSMutual }) {
			add(p.Object, "spec", "it wants to be called by mTLS: "+needsIdentity)
		}
	}
	for _, p := range r.rows.Policies.All() {
		if slices.ContainsFunc(p.AllTraffic(), func(t model.TrafficPolicy) bool { return t.TLS != nil && t.TLS.Secret != "" }) {
			add(p.Object, "spec", "it takes a certificate from a Secret: "+needsSecret)
		}
	}
	for _, g := range r.rows.Gateways.All() {
		for _, l := range g.Listeners {
			if l.TLS.OfMesh() {
				add(g.Object, l.Origin.Path, "it is for callers of the mesh: "+needsIdentity)
			}
		}
	}
	for _, w := range r.workloads() {
		for secret := range r.compiled.View(w.Key(), "").All(model.TypeSecret) {
			for _, key := range secret.From {
				add(key, "", needsSecret)
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b model.Problem) int { return a.Object.Compare(b.Object) })
}

// asksWho says whether a rule depends on the identity of the caller.
func asksWho(rule model.AuthzRule) bool {
	return slices.ContainsFunc(rule.From, func(s model.AuthzSource) bool {
		return len(s.Principals)+len(s.NotPrincipals)+len(s.Namespaces)+len(s.NotNamespaces)+len(s.TrustDomains)+len(s.NotTrust) > 0
	}) || slices.ContainsFunc(rule.When, func(c model.AuthzCondition) bool {
		return c.Key == "source.principal" || c.Key == "source.namespace"
	})
}
