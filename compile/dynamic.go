package compile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	dynamicv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dynamic_forward_proxy/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/dynamic_forward_proxy/v3"
	sniv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3"
	upstreamsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"weft.dev/model"
)

// maxNames bounds how many names of one wildcard a proxy holds at once; one that
// nobody calls is forgotten after minutes.
const maxNames = 1024

// dynamic asks for the address of the name that is called. The cluster does that
// by itself for requests; connections need sniFilter.
func dynamic(c *clusterv3.Cluster, d destination) {
	config := &dynamicv3.ClusterConfig{
		ClusterImplementationSpecifier: &dynamicv3.ClusterConfig_DnsCacheConfig{DnsCacheConfig: namesOf(d.Service)},
		// Plain text, and TLS with names that a policy gives, do not follow the request.
		AllowInsecureClusterOptions: !d.follows(),
	}
	c.ClusterDiscoveryType = &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
		Name: "envoy.clusters.dynamic_forward_proxy", TypedConfig: pack(config),
	}}
	c.LbPolicy = clusterv3.Cluster_CLUSTER_PROVIDED
}

// asks says whether TLS asks for the name that is called; follows, whether the server must have that, too.
func (d destination) asks() bool {
	t := d.Traffic.TLS
	return d.Service.Resolution == model.Dynamic && t.Originates() && t.SNI == ""
}

func (d destination) follows() bool {
	return d.asks() && !d.Traffic.TLS.Insecure && len(d.names(*d.Traffic.TLS)) == 0
}

// following has TLS follow the request.
func following(o *upstreamsv3.HttpProtocolOptions, d destination) {
	if d.Edge && d.Traffic.TLS != nil && d.Traffic.TLS.Mode == model.TLSMutual && d.meshName() == "" {
		o.UpstreamHttpProtocolOptions = &corev3.UpstreamHttpProtocolOptions{AutoSni: true}
	}
	if d.asks() {
		o.UpstreamHttpProtocolOptions = &corev3.UpstreamHttpProtocolOptions{AutoSni: true, AutoSanValidation: d.follows()}
	}
}

// namesOf is where a proxy keeps the addresses of a wildcard's names. Who asks
// must ask with the very same.
func namesOf(s model.Service) *cachev3.DnsCacheConfig {
	config := &cachev3.DnsCacheConfig{
		Name: s.Host, DnsLookupFamily: clusterv3.Cluster_V4_PREFERRED, MaxHosts: u32(maxNames),
	}
	if s.Private {
		config.Name += "/private" // Envoy refuses two of one name that differ
	} else {
		config.ResolvedAddressFilter = &matcherv3.AddressMatcher{Ranges: notTheWorlds}
	}
	return config
}

// notTheWorlds are addresses that mean something in some place only, and those that stand for them.
var notTheWorlds = ranges(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
	"::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

func ranges(texts ...string) []*xdscorev3.CidrRange {
	all := make([]*xdscorev3.CidrRange, len(texts))
	for i, text := range texts {
		p := netip.MustParsePrefix(text)
		all[i] = &xdscorev3.CidrRange{AddressPrefix: p.Addr().String(), PrefixLen: u32(uint32(p.Bits()))}
	}
	return all
}

// sniFilter asks for the address of the host that a connection of TLS asks for.
func sniFilter(s model.Service, port uint32) *listenerv3.Filter {
	return networkFilter("envoy.filters.network.sni_dynamic_forward_proxy", &sniv3.FilterConfig{
		DnsCacheConfig: namesOf(s), PortSpecifier: &sniv3.FilterConfig_PortValue{PortValue: port},
	})
}

// outsideOf says why requests of the router's host must not go to a wildcard: they
// would ask for a name that is none of it.
func (r *router) outsideOf(b model.Backend, rewritten string) string {
	if s, ok := r.service(b.Host); !ok || s.Resolution != model.Dynamic {
		return ""
	}
	name, _, _ := strings.Cut(strings.ToLower(rewritten), ":")
	if name == "" {
		name = r.domain
	}
	if model.Covers(b.Host, name) {
		return ""
	}
	return fmt.Sprintf("requests for %s ask for no name of %s; rewrite the authority to one", name, b.Host)
}

// authorityOf is the host that a rule has its requests ask for; "": what they ask for.
func authorityOf(rule model.Rule, b model.Backend) string {
	for _, rewrite := range []*model.Rewrite{b.Rewrite, rule.Rewrite} {
		if rewrite != nil && rewrite.Host != "" {
			return rewrite.Host
		}
	}
	if host := headerChange(b.RequestHeaders).host; host != "" {
		return host
	}
	return headerChange(rule.RequestHeaders).host
}

// heldIn has backends that are wildcards take no other names than theirs, and mirrors none: a copy has another name.
func (r *router) heldIn(rule model.Rule) model.Rule {
	refuse := func(b *model.Backend, why string) bool {
		if why != "" {
			b.Invalid = why
			r.problem(b.Origin, model.ProblemInvalid, why)
		}
		return why != ""
	}
	rule.Backends = slices.Clone(rule.Backends)
	for i := range rule.Backends {
		b := &rule.Backends[i]
		refuse(b, r.outsideOf(*b, authorityOf(rule, *b)))
	}
	var mirrors []model.Mirror
	for _, m := range rule.Mirrors {
		if !refuse(&m.Backend, r.outsideOf(m.Backend, "a-copy.invalid")) {
			mirrors = append(mirrors, m)
		}
	}
	rule.Mirrors = mirrors
	return rule
}
