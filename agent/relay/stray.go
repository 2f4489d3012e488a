package relay

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/model"
)

// Strays are calls to what nobody knows, of a workload whose traffic is led into
// its proxy: they go where they were going, with a server or without one. The
// server gives the virtual host for them once, under the name of
// model.StrayHost; here it is made one for each authority that is asked for.
// What is made is between the relay and its Envoy: the server never hears of it.

const (
	strayVersion = "stray"
	maxStrays    = 10_000 // Envoy keeps each for as long as it lives
)

// stray is the resource for a name that nobody knows; nil: such calls are refused.
func (k *kind) stray(name string) *resource {
	pattern := k.held[model.StrayHost]
	authority, ok := strings.CutPrefix(name, model.AskPrefix)
	if pattern == nil || !ok || authority == "" || strings.ContainsAny(authority, "*") || len(k.strays) >= maxStrays && !k.strays[name] {
		return nil
	}
	body := renamed(pattern.GetResource().GetValue(), name, authority)
	return &resource{Name: name, Aliases: []string{name}, Version: strayVersion, Resource: &anypb.Any{TypeUrl: k.url, Value: body}}
}

// Fields of Envoy's VirtualHost.
const (
	fieldName    = 1
	fieldDomains = 2
)

// renamed is a virtual host with another name and domain.
func renamed(host []byte, name, domain string) []byte {
	out := protowire.AppendString(protowire.AppendTag(nil, fieldName, protowire.BytesType), name)
	out = protowire.AppendString(protowire.AppendTag(out, fieldDomains, protowire.BytesType), domain)
	for len(host) > 0 {
		field, _, size := protowire.ConsumeField(host)
		if size < 0 {
			break // it cannot be: Envoy has accepted these bytes
		}
		if field != fieldName && field != fieldDomains {
			out = append(out, host[:size]...)
		}
		host = host[size:]
	}
	return out
}

// goAstray turns what the server calls unknown, or removes while requests may come,
// into strays.
func (k *kind) goAstray(p *response) {
	if k.held[model.StrayHost] == nil {
		return
	}
	for i, one := range p.Resources {
		if one.Resource == nil {
			p.Resources[i] = k.nobodys(one.Name)
		}
	}
	answered := map[string]bool{}
	for _, one := range p.Resources {
		for _, name := range append(slices.Clone(one.Aliases), one.Name) {
			answered[name] = true
		}
	}
	for _, removed := range p.RemovedResources {
		for _, name := range k.held[removed].GetAliases() {
			if one := k.stray(name); one != nil && k.names[name] && !answered[name] {
				answered[name] = true
				p.Resources = append(p.Resources, one)
			}
		}
	}
	// A stray of the same name takes the place of what goes.
	p.RemovedResources = slices.DeleteFunc(p.RemovedResources, func(name string) bool {
		return slices.ContainsFunc(p.Resources, func(one *resource) bool { return one.Name == name && one.Version == strayVersion })
	})
}

// makeRoom removes strays whose domains the resources of a response have: Envoy
// would refuse two virtual hosts of one domain.
func (k *kind) makeRoom(p *response) {
	if len(k.strays) == 0 {
		return
	}
	sent := map[string]bool{}
	for _, one := range p.Resources {
		sent[one.Name] = true
	}
	for _, one := range p.Resources {
		if one.Version == strayVersion {
			continue
		}
		for _, name := range k.straysOf(one) {
			if !sent[name] && !slices.Contains(p.RemovedResources, name) {
				p.RemovedResources = append(p.RemovedResources, name)
			}
		}
	}
}

// straysOf are those that a resource's names, or patterns of names, have.
func (k *kind) straysOf(one *resource) (all []string) {
	for _, alias := range one.Aliases {
		before, after, pattern := strings.Cut(alias, "*")
		switch {
		case !pattern && k.strays[alias]:
			all = append(all, alias)
		case pattern:
			for name := range k.strays {
				if strings.HasPrefix(name, before) && strings.HasSuffix(name, after) {
					all = append(all, name)
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

// tookStrays notes which of them Envoy has.
func (k *kind) tookStrays(accepted *response) {
	for _, name := range accepted.RemovedResources {
		delete(k.strays, name)
	}
	for _, one := range accepted.Resources {
		if one.Version == strayVersion {
			k.strays[one.Name] = true
		} else {
			delete(k.strays, one.Name)
		}
	}
}
