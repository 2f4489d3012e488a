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
	Owner  string // who has it, for people
	Host   string // key of the virtual host that has it; "": only callers of one namespace do
}

func (c contest) Key() string              { return c.Domain }
func (c contest) Equal(o contest) bool     { return c == o }
func (v virtualHost) everywhere() []string { return v.domains("") }

// withinNamespace are the domains that only callers of its own namespace use.
func (v virtualHost) withinNamespace() []string {
	return v.domains(v.Service.Namespace)[len(v.everywhere()):]
}

// domains are all names of a virtual host, with and without port, in lower
// case. Those of callers in the service's own namespace come last.
func (v virtualHost) domains(namespace string) []string {
	var all []string
	for _, name := range v.Service.Names(namespace) {
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
	first := slices.MinFunc(claimants, func(a, b virtualHost) int {
		return cmp.Or(-model.CompareBool(a.Service.hasNames(), b.Service.hasNames()), model.CompareBool(a.Service.External, b.Service.External), cmp.Compare(a.Service.Host, b.Service.Host), cmp.Compare(a.Port, b.Port))
	})
	return &contest{Domain: domain, Owner: first.Key(), Host: first.Key()}
}

// domainsOf are those that the virtual host has, for callers of its own
// namespace or for all others.
func (c *compiler) domainsOf(x *flow.Ctx, v virtualHost, local bool) (got []string) {
	for _, domain := range v.everywhere() {
		if k, contested := flow.Get(x, c.contests, domain); !contested || k.Host == v.Key() {
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
		if k, contested := flow.Get(x, c.contests, domain); contested {
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
		if k, contested := flow.Get(x, c.contests, domain); contested && k.Host != v.Key() {
			all = append(all, model.Problem{
				Object: v.Service.From[0].Key, Code: model.ProblemHostConflict,
				Message: fmt.Sprintf("calls to %s go to %s, to which the name belongs; choose another host", domain, k.Owner),
			})
		}
	}
	return reportOf("domains of "+v.Key(), all)
}
