package compile

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	inspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/http_inspector/v3"
	originalv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/flow"
	"weft.dev/model"
)

// passage is a port of a service whose connections are led on as they are. Key: its cluster.
type passage struct {
	Cluster, Host string
	Port          uint32
	VIPs          []string // by which they are told
	Name          string   // or by this one, for which TLS asks
	Names         bool     // to whichever name below Host they ask for
	Private       bool     // as in Service
}

func (t passage) Key() string { return t.Cluster }
func (t passage) Equal(o passage) bool {
	return t.Cluster == o.Cluster && t.Host == o.Host && t.Port == o.Port && slices.Equal(t.VIPs, o.VIPs) &&
		t.Name == o.Name && t.Names == o.Names && t.Private == o.Private
}

func (t passage) isOf(namespace string) bool {
	_, of, _ := model.SplitHost(t.Host)
	return of == namespace
}

// httpPort is a port number at which some service of the mesh speaks HTTP. Only
// there is redirected traffic looked into, for as long as it takes: clients open
// connections of HTTP before they need them, and one that was taken for something
// else stays with one instance and past every rule. Key: the number.
type httpPort uint32

func (p httpPort) Key() string           { return strconv.Itoa(int(p)) }
func (p httpPort) Equal(o httpPort) bool { return p == o }

// wireRedirection is what listeners for redirected calls ask of services.
func (c *compiler) wireRedirection() {
	c.passages = flow.Derive(c.shapes, "compile/passages", passagesTo)
	c.passagesOf = flow.NewIndex(c.passages, func(t passage) []string { return []string{t.Host} })
	c.httpPorts = flow.Group(flow.NewIndex(c.shapes, httpNumbers), "compile/http ports", func(_ *flow.Ctx, number string, _ []shape) *httpPort {
		n, _ := strconv.ParseUint(number, 10, 16) // httpNumbers wrote it
		port := httpPort(n)
		return &port
	})
}

func passagesTo(_ *flow.Ctx, s shape) []passage {
	var all []passage
	to := func(p model.Port) passage {
		return passage{
			Cluster: model.ClusterName(s.Host, p.Number, ""), Host: s.Host, Port: p.Number,
			Names: s.Resolution == model.Dynamic, Private: s.Private,
		}
	}
	for _, p := range s.Opaque() {
		t := to(p)
		if t.VIPs = s.VIPs; !t.Names || p.Protocol == model.TLS {
			all = append(all, t)
		}
	}
	for _, p := range s.ByName() {
		t := to(p)
		if t.Name = s.Host; !model.ServerFirst(p.Number) {
			all = append(all, t)
		}
	}
	return all
}

// httpNumbers leave out ports of protocols in which the client would wait for ever if we waited for
// its first word. A service that speaks HTTP there does so for all but redirected
// callers: one team's mistake must not stop everybody's database.
func httpNumbers(s shape) (all []string) {
	for _, p := range s.Ports {
		if p.Protocol.IsHTTP() && !model.ServerFirst(p.Number) {
			all = append(all, strconv.Itoa(int(p.Number)))
		}
	}
	return all
}

// tunnelsLayer has the listeners that take all calls of an application, wherever
// they go.
func (c *compiler) tunnelsLayer(x *flow.Ctx, key string, s scope) *model.Layer {
	resources, _ := c.patched(x, s, c.tunnels(x, s))
	return model.NewLayer(key, resources...)
}

// tunnels are the listener to which calls are led, and those of addresses that have their own.
func (c *compiler) tunnels(x *flow.Ctx, s scope) []*model.Resource {
	var known []passage
	if s.All {
		known = flow.All(x, c.passages)
	}
	for _, host := range s.Hosts {
		known = append(known, flow.Lookup(x, c.passagesOf, host)...)
	}
	slices.SortStableFunc(known, func(a, b passage) int { // of two that say to have one address, its own
		return -model.CompareBool(a.isOf(s.Namespace), b.isOf(s.Namespace))
	})
	var resources []*model.Resource
	known = onceEach(known)
	needs := []string{straysName}
	if s.redirected() {
		known, resources = c.addressed(s, known)
	}
	for _, t := range known {
		needs = append(needs, t.Cluster)
	}
	identity := model.SPIFFE(c.TrustDomain, s.Namespace, s.Account)
	return append(resources, c.intern.resource(model.TypeListener, OutboundListener, redirectedListener(s, identity, flow.All(x, c.httpPorts), known), needs))
}

// onceEach leaves each address to the first: Envoy refuses a listener where two chains take the same connections.
func onceEach(known []passage) (all []passage) {
	taken := map[string]bool{}
	for _, t := range known {
		addressed := len(t.VIPs) > 0
		t.VIPs = slices.DeleteFunc(slices.Clone(t.VIPs), func(ip string) bool {
			at := net.JoinHostPort(ip, strconv.Itoa(int(t.Port)))
			had := taken[at]
			taken[at] = true
			return had
		})
		if !addressed || len(t.VIPs) > 0 {
			all = append(all, t)
		}
	}
	return all
}

// addressed gives each address of a passage a listener, to which the one for all calls hands its connections
// on, and leaves over what cannot have one. What that one looks into follows from all services
// of the mesh, and with it go its connections: whoever's service is new must not end sessions with a database.
// On a host the ports at which callers connect would be handed what is called elsewhere by the same number.
func (c *compiler) addressed(s scope, known []passage) (left []passage, listeners []*model.Resource) {
	for _, t := range known {
		var others []string
		for _, ip := range t.VIPs {
			address, err := netip.ParseAddr(ip)
			if err != nil || t.Names || address.Unmap().IsLoopback() || address.IsUnspecified() { // a range, a name that TLS asks for, or an address of ours
				others = append(others, ip)
			} else if s.DualStack || address.Is6() == (loopbackOf(s.Address) == loopbackOf("::")) {
				l := t.listener(ip)
				listeners = append(listeners, c.intern.resource(model.TypeListener, l.Name, l, []string{t.Cluster}))
			}
		}
		if len(t.VIPs) == 0 || len(others) > 0 {
			t.VIPs = others
			left = append(left, t)
		}
	}
	return left, listeners
}

// listener takes what is handed on that was called by an address.
func (t passage) listener(ip string) *listenerv3.Listener {
	name := OutboundListener + "." + net.JoinHostPort(ip, strconv.Itoa(int(t.Port)))
	return &listenerv3.Listener{
		Name:                          name,
		StatPrefix:                    name,
		Address:                       address(ip, t.Port),
		BindToPort:                    no(),
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		TrafficDirection:              corev3.TrafficDirection_OUTBOUND,
		FilterChains:                  []*listenerv3.FilterChain{{Name: t.Cluster, Filters: leadOn(t.Cluster)}},
	}
}

func redirectedListener(s scope, identity string, http []httpPort, known []passage) *listenerv3.Listener {
	l := &listenerv3.Listener{
		Name:                          OutboundListener,
		StatPrefix:                    OutboundListener,
		Metadata:                      identityOf(identity),
		Address:                       address(loopbackOf(s.Address), s.Outbound),
		AdditionalAddresses:           s.twin(loopbackOf, s.Outbound),
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		TrafficDirection:              corev3.TrafficDirection_OUTBOUND,
		ListenerFilters:               append([]*listenerv3.ListenerFilter{originalDestination(), httpInspector(http)}, namesInspector(known)...),
		ListenerFiltersTimeout:        durationpb.New(0), // none
		FilterChains:                  redirectedChains(traced(outboundManager(OutboundListener, s.learns()), s.Calls), http, known),
		DefaultFilterChain:            s.straysChain(),
	}
	if s.redirected() {
		l.UseOriginalDst = yes()
	}
	return l
}

// straysChain leads on what no chain matches; nil: it is closed.
func (s scope) straysChain() *listenerv3.FilterChain {
	if s.Closed {
		return nil
	}
	return &listenerv3.FilterChain{Name: straysName, Filters: leadOn(straysName)}
}

// namesInspector looks for the name that TLS asks for at ports where some is known: as
// long as it takes, like that of HTTP.
func namesInspector(known []passage) []*listenerv3.ListenerFilter {
	var ports []httpPort
	for _, t := range known {
		if (t.Name != "" || t.Names) && !slices.Contains(ports, httpPort(t.Port)) {
			ports = append(ports, httpPort(t.Port))
		}
	}
	if len(ports) == 0 {
		return nil
	}
	slices.Sort(ports)
	inspector := tlsInspector()
	inspector.FilterDisabled = otherPorts(ports)
	return []*listenerv3.ListenerFilter{inspector}
}

// redirectedChains are one for each passage, and one for HTTP. Envoy chooses by
// port first and does not come back: so a port that has passages has HTTP, too.
func redirectedChains(m *hcmv3.HttpConnectionManager, http []httpPort, known []passage) []*listenerv3.FilterChain {
	filters := managed(m)
	chains := []*listenerv3.FilterChain{{
		Name: "http", Filters: filters, FilterChainMatch: &listenerv3.FilterChainMatch{ApplicationProtocols: httpVersions},
	}}
	var shared []uint32
	for _, t := range known {
		if slices.Contains(http, httpPort(t.Port)) && !slices.Contains(shared, t.Port) {
			shared = append(shared, t.Port)
			chains = append(chains, &listenerv3.FilterChain{
				Name: "http." + strconv.Itoa(int(t.Port)), Filters: filters,
				FilterChainMatch: &listenerv3.FilterChainMatch{DestinationPort: u32(t.Port), ApplicationProtocols: httpVersions},
			})
		}
		chains = append(chains, t.chain())
	}
	return chains
}

func (t passage) chain() *listenerv3.FilterChain {
	match := &listenerv3.FilterChainMatch{DestinationPort: u32(t.Port), PrefixRanges: prefixes(t.VIPs)}
	if t.Name != "" {
		match.TransportProtocol, match.ServerNames = "tls", []string{t.Name}
	}
	f := &listenerv3.FilterChain{Name: t.Cluster, Filters: leadOn(t.Cluster), FilterChainMatch: match}
	if t.Names {
		f.Filters = append([]*listenerv3.Filter{sniFilter(model.Service{Host: t.Host, Private: t.Private}, t.Port)}, f.Filters...)
	}
	return f
}

// httpVersions are what the inspector finds.
var httpVersions = []string{"http/1.0", "http/1.1", "h2c"}

// leadOn passes the bytes of a connection to a cluster.
func leadOn(cluster string) []*listenerv3.Filter {
	return []*listenerv3.Filter{networkFilter(tcpFilter, passOn(cluster))}
}

func passOn(cluster string) *tcpv3.TcpProxy {
	return &tcpv3.TcpProxy{StatPrefix: cluster, ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: cluster}}
}

func originalDestination() *listenerv3.ListenerFilter {
	return &listenerv3.ListenerFilter{
		Name:       "envoy.filters.listener.original_dst",
		ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: pack(&originalv3.OriginalDst{})},
	}
}

// httpInspector looks at the first bytes of connections to these ports.
func httpInspector(ports []httpPort) *listenerv3.ListenerFilter {
	return &listenerv3.ListenerFilter{
		Name:           "envoy.filters.listener.http_inspector",
		ConfigType:     &listenerv3.ListenerFilter_TypedConfig{TypedConfig: pack(&inspectorv3.HttpInspector{})},
		FilterDisabled: otherPorts(ports),
	}
}

// otherPorts matches connections to any port but these.
func otherPorts(ports []httpPort) *listenerv3.ListenerFilterChainMatchPredicate {
	if len(ports) == 0 {
		return &listenerv3.ListenerFilterChainMatchPredicate{Rule: &listenerv3.ListenerFilterChainMatchPredicate_AnyMatch{AnyMatch: true}}
	}
	rules := make([]*listenerv3.ListenerFilterChainMatchPredicate, len(ports))
	for i, p := range ports {
		rules[i] = &listenerv3.ListenerFilterChainMatchPredicate{Rule: &listenerv3.ListenerFilterChainMatchPredicate_DestinationPortRange{
			DestinationPortRange: &typev3.Int32Range{Start: int32(p), End: int32(p) + 1},
		}}
	}
	these := rules[0]
	if len(rules) > 1 {
		these = &listenerv3.ListenerFilterChainMatchPredicate{Rule: &listenerv3.ListenerFilterChainMatchPredicate_OrMatch{
			OrMatch: &listenerv3.ListenerFilterChainMatchPredicate_MatchSet{Rules: rules},
		}}
	}
	return &listenerv3.ListenerFilterChainMatchPredicate{Rule: &listenerv3.ListenerFilterChainMatchPredicate_NotMatch{NotMatch: these}}
}

// prefixes are ranges, of one address each where nothing else is said.
func prefixes(ips []string) []*corev3.CidrRange {
	all := make([]*corev3.CidrRange, 0, len(ips))
	for _, ip := range ips {
		if parsed, err := netip.ParsePrefix(ip); err == nil {
			all = append(all, &corev3.CidrRange{AddressPrefix: parsed.Addr().String(), PrefixLen: u32(uint32(parsed.Bits()))})
		} else if parsed, err := netip.ParseAddr(ip); err == nil {
			all = append(all, &corev3.CidrRange{AddressPrefix: ip, PrefixLen: u32(uint32(parsed.BitLen()))})
		}
	}
	return all
}

// loopbackOf is the address of an IP's own machine in the same family, straySource
// that of what a proxy leads on to its application.
func loopbackOf(ip string) string { return model.ByVersion(ip, "127.0.0.1", "::1") }
func straySource(ip string) string {
	return model.ByVersion(ip, model.PassedSource4, model.PassedSource6)
}

// twin is the address of the other version of IP, where the workload has both.
func (s scope) twin(kind func(ip string) string, port uint32) []*listenerv3.AdditionalAddress {
	if !s.DualStack {
		return nil
	}
	return []*listenerv3.AdditionalAddress{{Address: address(kind(otherVersion(s.Address)), port)}}
}

func otherVersion(ip string) string { return model.ByVersion(ip, "::", "0.0.0.0") }
