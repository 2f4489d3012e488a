package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weft.dev/flow"
	"weft.dev/model"
)

// Envoy refuses virtual hosts that have a domain in common, and with them all
// that came along. Who has a domain is decided for the whole mesh, so that no
// table has to be put together to find out.

// contest is a domain that several virtual hosts claim. Key: the domain.
type contest struct {
	Domain string
	Owner  string // who has it, for people; "": in each namespace its own service
	Host   string // key of the virtual host that has it; "": only callers of one namespace do
}

func (c contest) Key() string          { return c.Domain }
func (c contest) Equal(o contest) bool { return c == o }

// everywhere are the domains that all callers use: its names, and the addresses of a service of a namespace.
func (v virtualHost) everywhere() []string {
	return v.domains(append(v.Service.Names(""), v.Service.Literals()...))
}

// withinNamespace are the domains that only callers of its own namespace use.
func (v virtualHost) withinNamespace() []string {
	return v.domains(v.Service.Names(v.Service.Namespace)[len(v.Service.Names("")):])
}

// domains are names of a virtual host with and without port, in lower case.
func (v virtualHost) domains(names []string) []string {
	var all []string
	for _, name := range names {
		name = strings.ToLower(name)
		all = append(all, name+":"+strconv.Itoa(int(v.Port)))
		if v.Bare {
			all = append(all, name)
		}
	}
	return all
}

// decide finds the owner of a domain. What the mesh owns is named before what is
// outside of it; the short name of a service, within its namespace, too.
func (c *compiler) decide(x *flow.Ctx, domain string, claimants []virtualHost) *contest {
	if isShort(domain) {
		if local := flow.Lookup(x, c.shortNames, domain); len(local) > 0 {
			return &contest{Domain: domain, Owner: local[0].Key()}
		}
	}
	if len(claimants) == 1 {
		return nil
	}
	if isAddress(domain) && several(claimants, func(v virtualHost) bool { return v.Service.hasNames() }) {
		return &contest{Domain: domain} // Kubernetes gives each its own; who says to have another's must not get its calls
	}
	first := slices.MinFunc(claimants, func(a, b virtualHost) int {
		return cmp.Or(-model.CompareBool(a.Service.hasNames(), b.Service.hasNames()), model.CompareBool(a.Service.External, b.Service.External), cmp.Compare(a.Service.Host, b.Service.Host), cmp.Compare(a.Port, b.Port))
	})
	return &contest{Domain: domain, Owner: first.Key(), Host: first.Key()}
}

// several says whether something holds of more than one.
func several[T any](all []T, holds func(T) bool) bool {
	first := slices.IndexFunc(all, holds)
	return first >= 0 && slices.ContainsFunc(all[first+1:], holds)
}

// domainsOf are those that the virtual host has, for callers of its own
// namespace or for all others.
func (c *compiler) domainsOf(x *flow.Ctx, v virtualHost, local bool) (got []string) {
	for _, domain := range v.everywhere() {
		k, contested := flow.Get(x, c.contests, domain)
		if !contested || k.Host == v.Key() || local && k.Owner == "" && c.atHome(x, domain, v.Service.Namespace) == v.Key() {
			got = append(got, domain)
		}
	}
	if !local {
		return got
	}
	for _, domain := range v.withinNamespace() {
		// A name with a dot may be another service's everywhere.
		if isShort(domain) || len(flow.Lookup(x, c.claims, domain)) == 0 {
			got = append(got, domain)
		}
	}
	return got
}

// atHome is the virtual host that has a contested address for callers of a namespace; "": none.
func (c *compiler) atHome(x *flow.Ctx, domain, namespace string) (first string) {
	for _, v := range flow.Lookup(x, c.claims, domain) {
		if v.Service.Namespace == namespace && v.Service.hasNames() && (first == "" || v.Key() < first) {
			first = v.Key()
		}
	}
	return first
}

// hostCalled is the service that an authority names, for callers of a
// namespace; "": none.
func (c *compiler) hostCalled(x *flow.Ctx, authority, namespace string) string {
	authority = strings.ToLower(authority)
	for _, v := range flow.Lookup(x, c.shortNames, authority) {
		if v.Service.Namespace == namespace {
			return v.Service.Host
		}
	}
	for _, domain := range patterns(authority) {
		if k, contested := flow.Get(x, c.contests, domain); contested && k.Owner == "" {
			return hostOfKey(c.atHome(x, domain, namespace))
		} else if contested {
			return hostOfKey(k.Host)
		}
		if all := flow.Lookup(x, c.claims, domain); len(all) > 0 {
			return all[0].Service.Host
		}
	}
	return ""
}

func hostOfKey(key string) string {
	host, _, _, _ := model.ParseClusterName(key)
	return host
}

// lostDomains are a virtual host's problems with domains that others have.
func (c *compiler) lostDomains(x *flow.Ctx, v virtualHost) []report {
	if len(v.Service.From) == 0 {
		return nil
	}
	var all []model.Problem
	for _, domain := range v.everywhere() {
		k, contested := flow.Get(x, c.contests, domain)
		if !contested || k.Host == v.Key() {
			continue
		}
		message := fmt.Sprintf("calls to %s go to %s, to which the name belongs; choose another host", domain, k.Owner)
		if k.Owner == "" {
			message = fmt.Sprintf("another service says to have the address %s, too, so callers of other namespaces reach neither by it; give each its own", domain)
		}
		all = append(all, model.Problem{Object: v.Service.From[0].Key, Code: model.ProblemHostConflict, Message: message})
	}
	return reportOf("domains of "+v.Key(), all)
}
