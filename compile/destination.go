package compile

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"

	"weft.dev/model"
)

// VersionLabel is the label of a workload that says which build it runs.
const VersionLabel = "version"

// destination is an Envoy cluster to be: one port of a service, or the part of
// its endpoints that a subset names. Key: the cluster's name.
type destination struct {
	Service model.Service
	Port    model.Port
	Subset  string            // "": all endpoints
	Labels  map[string]string // that endpoints of the subset have
	Traffic model.TrafficPolicy
	Mixed   bool   // some instances have no proxy
	Edge    bool   // all instances are gateways: callers speak what these listen for, which no service says
	Shown   string // Certificate that a gateway shows where the port says how TLS is spoken to it; "": none
	Alone   bool   // proxies have no identity
	At      place  // of the caller, where that matters
	From    []model.Key
}

func (d destination) Key() string {
	return model.ClusterName(d.Service.Host, d.Port.Number, d.Subset)
}

func (d destination) Equal(o destination) bool { return reflect.DeepEqual(d, o) }

// destinations are all clusters of a service.
func destinations(sh shape, p model.Policy, split *model.Split) []destination {
	s := sh.Service
	if s.Resolution == model.ByDNS && strings.HasPrefix(s.Host, "*") && len(s.Addresses) == 0 {
		return nil // a wildcard resolves to nothing; its routes are invalid and say so
	}
	from := keysOf(slices.Concat(s.From, p.From))
	bySplit := from
	if split != nil {
		bySplit = keysOf(slices.Concat(s.From, p.From, split.From))
	}
	var all []destination
	for _, port := range s.Ports {
		d := destination{Service: s, Port: port, Traffic: sh.trafficTo(port, p), Mixed: sh.Mixed, From: from}
		if d.byPort() {
			d.From = distinct(slices.Concat(from, keysOf(port.TLS.From)))
		}
		all = append(all, d)
		for _, subset := range subsets(p, split) {
			d.Subset, d.Labels, d.From = subset.Name, subset.Labels, distinct(append(slices.Clone(d.From), bySplit...))
			d.Traffic = overlay(sh.trafficTo(port, p), subset.Traffic)
			all = append(all, d)
		}
	}
	return append(all, sh.asTheyAre(all, p)...)
}

// mergePolicies makes one policy of all those of a host: the first one that
// says something is right.
func mergePolicies(all []model.Policy) model.Policy {
	slices.SortStableFunc(all, func(a, b model.Policy) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), a.Object.Compare(b.Object))
	})
	var merged model.Policy
	for i, p := range all {
		if i == 0 {
			merged = p
			merged.Subsets = slices.Clone(p.Subsets)
			continue
		}
		for _, s := range p.Subsets {
			if !slices.ContainsFunc(merged.Subsets, func(m model.Subset) bool { return m.Name == s.Name }) {
				merged.Subsets = append(merged.Subsets, s)
			}
		}
		if reflect.ValueOf(merged.Traffic).IsZero() {
			merged.Traffic = p.Traffic
		}
		merged.From = slices.Concat(merged.From, p.From)
	}
	return merged
}

// overlay is base with each part replaced that over says something about.
func overlay(base model.TrafficPolicy, over *model.TrafficPolicy) model.TrafficPolicy {
	if over == nil {
		return base
	}
	if over.Balancer != model.LeastRequest || over.Hash != nil {
		base.Balancer, base.Hash = over.Balancer, over.Hash
	}
	if over.Pool != (model.Pool{}) {
		base.Pool = over.Pool
	}
	if over.Outlier != nil {
		base.Outlier = over.Outlier
	}
	if over.TLS != nil {
		base.TLS = over.TLS
	}
	if over.Warmup != (model.Warmup{}) {
		base.Warmup = over.Warmup
	}
	if over.Budget != nil {
		base.Budget = over.Budget
	}
	if over.Local != nil {
		base.Local = over.Local
	}
	if over.ProxyHeader != 0 {
		base.ProxyHeader = over.ProxyHeader
	}
	return base
}

// subsets are those of the policy and one for each version of the split, with the traffic policy
// of the one that has exactly that version.
func subsets(p model.Policy, split *model.Split) []model.Subset {
	all := slices.Clone(p.Subsets)
	if split == nil {
		return all
	}
	for _, v := range split.Versions {
		labels := map[string]string{VersionLabel: v.Version}
		own := model.Subset{Name: versionSubset(p, v.Version), Labels: labels}
		if slices.ContainsFunc(all, func(s model.Subset) bool { return s.Name == own.Name }) {
			continue
		}
		if i := slices.IndexFunc(p.Subsets, func(s model.Subset) bool { return maps.Equal(s.Labels, labels) }); i >= 0 {
			own.Traffic = p.Subsets[i].Traffic
		}
		all = append(all, own)
	}
	return all
}

// versionSubset is the name of the subset that holds exactly one version: its own, by which its requests are
// counted. Where a user's subset of another meaning has that, it is another one: a release must never send to
// instances that it does not mean.
func versionSubset(p model.Policy, version string) string {
	taken := slices.ContainsFunc(p.Subsets, func(s model.Subset) bool {
		return s.Name == version && !maps.Equal(s.Labels, map[string]string{VersionLabel: version})
	})
	if taken {
		return model.VersionPrefix + version
	}
	return version
}

// patterns are the hosts under which rows for a host may be filed, most
// specific first: a.b.c, *.b.c, *.c, *.
func patterns(host string) []string {
	all := []string{host}
	rest := strings.TrimPrefix(host, "*.")
	for {
		i := strings.IndexByte(rest, '.')
		if i < 0 {
			return append(all, "*")
		}
		rest = rest[i+1:]
		all = append(all, "*."+rest)
	}
}
