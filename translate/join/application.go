package join

import (
	"fmt"
	"slices"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/weft"
)

// wireApplications finds which Application decides for a service: the oldest of those that say
// something of its calls.
func (m *Mesh) wireApplications() {
	claims := items(m.parts, "application claims", func(_ *flow.Ctx, p Part) []weft.App {
		return slices.DeleteFunc(slices.Clone(Of[weft.App](p)), func(a weft.App) bool { return a.Service == nil && a.Calls.IsZero() })
	}, weft.App.Key)
	m.apps = oldestOf(claims, "applications")
}

// authorizationsOfApplications are the callers that applications name. It is as with
// several policies: what one allows is allowed, what one denies is denied.
func (m *Mesh) authorizationsOfApplications(x *flow.Ctx, p Part) (all []model.Authorization) {
	for _, app := range Of[weft.App](p) {
		if len(app.Callers) > 0 {
			all = append(all, m.allowed(x, p.Object, app))
		}
	}
	return all
}

func (m *Mesh) allowed(x *flow.Ctx, object model.Key, app weft.App) model.Authorization {
	a := model.Authorization{
		Object: object, Reach: model.Reach{Namespace: object.Namespace, Selector: map[string]string{appLabel: object.Name}},
		Action: model.Allow, From: app.From,
	}
	for _, c := range app.Callers {
		if c.Name == "" {
			continue
		}
		var principals []string
		for _, account := range m.accounts(x, c) {
			principals = append(principals, "*/ns/"+c.Namespace+"/sa/"+account)
		}
		a.Rules = append(a.Rules, model.AuthzRule{From: []model.AuthzSource{{Principals: principals}}, Origin: c.Origin})
	}
	return a
}

// sharedAccount is Kubernetes' for pods that name none: it says nothing of who calls.
const sharedAccount = "default"

// accounts are the identities of a caller: its name, and in Kubernetes those that its pods
// run as, but for the one that any pod of the namespace may have.
func (m *Mesh) accounts(x *flow.Ctx, c weft.Caller) []string {
	all := []string{c.Name}
	for _, w := range m.running(x, c) {
		if account := w.Account(); account != sharedAccount && !slices.Contains(all, account) {
			all = append(all, account)
		}
	}
	slices.Sort(all[1:])
	return all
}

// running are the instances of a caller.
func (m *Mesh) running(x *flow.Ctx, c weft.Caller) []model.Replicas {
	proxies := flow.Lookup(x, m.proxiesOf, c.Namespace+"/"+c.Name)
	return slices.Concat(flow.Lookup(x, m.instances, model.HostOf(c.Namespace, c.Name)), proxies)
}

// known says whether somebody wrote down a caller, that may run later or elsewhere.
func (m *Mesh) known(x *flow.Ctx, c weft.Caller) bool {
	_, ok := flow.Get(x, m.parts, model.Key{Kind: string(api.Application), Namespace: c.Namespace, Name: c.Name}.String())
	return ok || c.Name == sharedAccount || len(flow.Lookup(x, m.gatewaysOf, c.Namespace+"/"+c.Name)) > 0
}

// checkApplications reports what an Application needs and is not there, and what it says in vain.
func (m *Mesh) checkApplications(x *flow.Ctx, p *problems) {
	for _, app := range Of[weft.App](p.part) {
		s, ok := flow.Get(x, m.Services, app.Host)
		if !ok {
			p.add(model.ProblemMissingService, "spec.service", missing(app.Host))
		}
		winner, ok := flow.Get(x, m.apps, app.Host)
		if (app.Service != nil || !app.Calls.IsZero()) && ok && winner.From[0].Key != p.part.Object {
			p.add(model.ProblemConflict, "spec.service", fmt.Sprintf("%s is older and decides for the service; remove one of them", winner.From[0].Key))
			continue
		}
		checkPorts(p, app, s)
		for _, c := range app.Callers {
			m.checkCaller(x, p, c)
		}
	}
}

// checkPorts reports ports that the service, which somebody else wrote, has not.
func checkPorts(p *problems, app weft.App, s model.Service) {
	if app.Service == nil || len(s.From) == 0 || s.From[0].Key == p.part.Object {
		return
	}
	for _, port := range app.Service.Ports {
		if _, has := s.Port(port.Number); !has {
			p.add(model.ProblemMissingPort, app.Service.From[0].Path, fmt.Sprintf("%s decides the ports of the service, and has no %d (has %s); add it there, or remove it here", s.From[0].Key, port.Number, numbers(s.Ports)))
		}
	}
}

func (m *Mesh) checkCaller(x *flow.Ctx, p *problems, c weft.Caller) {
	all := m.running(x, c)
	shared := slices.ContainsFunc(all, func(w model.Replicas) bool { return w.Account() == sharedAccount && w.App != sharedAccount })
	switch {
	case c.Name == "":
	case shared:
		p.add(model.ProblemMissingCaller, c.Origin.Path, fmt.Sprintf("pods of %s run as the service account %q, which any pod of the namespace %s may be, so they are refused; give them a service account of their own, or name %s/%s to let in all of these", c.Name, sharedAccount, c.Namespace, c.Namespace, sharedAccount))
	case len(all) == 0 && !m.known(x, c):
		p.add(model.ProblemMissingCaller, c.Origin.Path, fmt.Sprintf("no application and no gateway %s runs in the namespace %s; start it, or correct the name", c.Name, c.Namespace))
	}
}

// byApplication says whether a claim is that of an Application's ports.
func byApplication(i item[claim]) bool { return i.Object.Kind == string(api.Application) }
