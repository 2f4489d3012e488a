package model

import (
	"cmp"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Domain is the suffix of the canonical host of every service of the mesh,
// the one that Kubernetes uses, so that a host reads the same on every site.
const Domain = "svc.cluster.local"

// HostOf is the canonical host of a service of the mesh.
func HostOf(namespace, name string) string { return name + "." + namespace + "." + Domain }

// SplitHost is the inverse of HostOf; false for a host outside of the mesh. A
// host below that of a service (db-0.db.shop) is of the same namespace.
func SplitHost(host string) (name, namespace string, ok bool) {
	rest, ok := strings.CutSuffix(host, "."+Domain)
	i := strings.LastIndexByte(rest, '.')
	if !ok || i <= 0 || i == len(rest)-1 {
		return "", "", false
	}
	return rest[:i], rest[i+1:], true
}

// Protocol of a port.
type Protocol string

const (
	HTTP  Protocol = "http"  // HTTP/1.1 to the application
	HTTP2 Protocol = "http2" // HTTP/2 without TLS to the application; gRPC too
	TCP   Protocol = "tcp"
	TLS   Protocol = "tls" // opaque TLS, routed by server name
	UDP   Protocol = "udp" // of datagrams alone, which go past the mesh
)

// IsHTTP says whether requests of the protocol can be routed one by one.
func (p Protocol) IsHTTP() bool { return p == HTTP || p == HTTP2 }

// serverFirst are ftp, ssh, smtp, pop3, imap, submission, mysql, nats and vnc.
var serverFirst = []uint32{21, 22, 25, 110, 143, 587, 3306, 4222, 5900}

// ServerFirst says whether a port is known for a protocol in which the client waits for the server's first word.
func ServerFirst(port uint32) bool { return slices.Contains(serverFirst, port) }

// Resolution is how the endpoints of a service are found.
type Resolution string

const (
	ByWorkload Resolution = "workload" // workloads that the selector matches
	Static     Resolution = "static"   // the addresses that the object lists
	ByDNS      Resolution = "dns"      // the addresses that the hosts resolve to, asked by the proxy
	Dynamic    Resolution = "dynamic"  // of "*.suffix": what the name resolves to that is called, asked then
)

// Service is a name that is called. Key: its host.
type Service struct {
	Host       string // canonical, lower case, unique in the mesh
	Namespace  string // that owns the host
	Name       string // short name; for an external service its host
	External   bool   // outside of the mesh: no sidecar, no mesh identity
	Resolution Resolution
	Selector   map[string]string // of workload labels in Namespace, for ByWorkload
	Ports      []Port            // of TCP, by number, ascending
	// Datagrams are its ports of UDP, which may have the numbers of those of TCP. Only routes of gateways lead there.
	Datagrams []Port
	Addresses []Address // for Static and ByDNS; for ByWorkload: instances without a proxy, beside the workloads
	VIPs      []string  // IPs of the service itself, or ranges of them, to which callers without a proxy connect
	// Private says that names of a Dynamic one may lead to addresses that are not the world's: of this machine, of
	// a private network. Else whoever answers for a name could have a caller reach what is not theirs.
	Private bool
	SANs    []string // of which its instances prove one; none: what follows from all else
	From    []Origin
}

// Port of a service.
type Port struct {
	Number uint32 // the port that callers name
	Target uint32 // the port of the workload's service port it leads to; 0: Number
	// TargetName is the name of that port, for workloads whose ports have names.
	TargetName string
	Name       string
	Protocol   Protocol
	// TLS is how gateways call it, and callers of the mesh if the port speaks HTTP, unless a policy for the
	// service's host says it. Bytes of other ports are of applications, which open TLS themselves. Nil: as ever.
	TLS *ClientTLS
}

// Equal says whether both are the same port, called alike.
func (p Port) Equal(o Port) bool {
	alike := p.TLS == o.TLS || reflect.DeepEqual(p.TLS, o.TLS)
	p.TLS, o.TLS = nil, nil
	return alike && p == o
}

// Address is one given endpoint of an external service.
type Address struct {
	Host   string            // IP, or a name for ByDNS
	Ports  map[string]uint32 // port name to port number where it differs from the service's
	Labels map[string]string
	Weight uint32 // 0 means 1
	// Locality is "region/zone/subzone", or the front of it; "": unknown.
	Locality string
	Account  string // of the identity that it proves, in the service's namespace; "": nobody says
}

func (a Address) Equal(o Address) bool {
	return a.Host == o.Host && a.Weight == o.Weight && a.Locality == o.Locality && a.Account == o.Account && maps.Equal(a.Ports, o.Ports) && maps.Equal(a.Labels, o.Labels)
}

// Callable says whether a proxy can call the text: an IP address of one machine.
// One with a zone (fe80::1%eth0) means something on that machine only, and Envoy
// refuses all endpoints of the service for it.
func Callable(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.Zone() == "" && !ip.IsUnspecified() && !ip.IsMulticast()
}

// Key is the host.
func (s Service) Key() string { return s.Host }

// Equal is written out, as each change of an endpoint compares all of its service.
func (s Service) Equal(o Service) bool {
	return s.Host == o.Host && s.Namespace == o.Namespace && s.Name == o.Name &&
		s.External == o.External && s.Resolution == o.Resolution &&
		maps.Equal(s.Selector, o.Selector) && slices.EqualFunc(s.Ports, o.Ports, Port.Equal) && slices.EqualFunc(s.Datagrams, o.Datagrams, Port.Equal) &&
		slices.EqualFunc(s.Addresses, o.Addresses, Address.Equal) && slices.Equal(s.VIPs, o.VIPs) && slices.Equal(s.SANs, o.SANs) && s.Private == o.Private && slices.Equal(s.From, o.From)
}

// Port finds a port by number.
func (s Service) Port(number uint32) (Port, bool) { return portOf(s.Ports, number) }

// Datagram finds a port of UDP by number.
func (s Service) Datagram(number uint32) (Port, bool) { return portOf(s.Datagrams, number) }

func portOf(all []Port, number uint32) (Port, bool) {
	i := slices.IndexFunc(all, func(p Port) bool { return p.Number == number })
	if i < 0 {
		return Port{}, false
	}
	return all[i], true
}

// Opaque are the ports that are found by the service's own addresses alone: what is
// spoken there names no host.
func (s Service) Opaque() []Port {
	if len(s.VIPs) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Ports), func(p Port) bool { return p.Protocol.IsHTTP() })
}

// ByName are the ports of TLS outside of the mesh that connections find by the name that they ask for.
func (s Service) ByName() []Port {
	if !s.External || len(s.VIPs) > 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Ports), func(p Port) bool { return p.Protocol != TLS })
}

// Covers says whether every host of a second pattern is one of the first; "*.a.b" is any name below a.b.
func Covers(pattern, host string) bool {
	if pattern == "*" || pattern == host {
		return true
	}
	return strings.HasPrefix(pattern, "*.") && strings.HasSuffix(host, pattern[1:]) && host != pattern[2:]
}

// Names are the hosts by which a caller in the namespace may name the
// service, most specific last.
func (s Service) Names(caller string) []string {
	if s.External || !strings.HasSuffix(s.Host, "."+Domain) {
		return []string{s.Host}
	}
	full := s.Name + "." + s.Namespace
	names := []string{s.Host, full + ".svc", full}
	if caller == s.Namespace {
		names = append(names, s.Name)
	}
	return names
}

// Literal is an address as URLs have it, "10.0.0.1" and "[fd00::1]".
func Literal(ip netip.Addr) string {
	return strings.TrimSuffix(netip.AddrPortFrom(ip, 0).String(), ":0")
}

// Literals are the addresses of a service of a namespace as URLs have them, "10.0.0.1" and "[fd00::1]": who calls one
// means the service.
func (s Service) Literals() (all []string) {
	if len(s.Names("")) < 2 {
		return nil
	}
	for _, ip := range s.VIPs {
		if address, err := netip.ParseAddr(ip); err == nil && !address.IsLoopback() {
			all = append(all, Literal(address))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ClusterName names the Envoy cluster of a service's port and, if not empty,
// of one subset of it: "HOST:PORT" or "HOST:PORT/SUBSET".
func ClusterName(host string, port uint32, subset string) string {
	name := host + ":" + strconv.Itoa(int(port))
	if subset != "" {
		name += "/" + subset
	}
	return name
}

// ParseClusterName is the inverse of ClusterName: only what that writes is one.
func ParseClusterName(name string) (host string, port uint32, subset string, ok bool) {
	rest, subset, _ := strings.Cut(name, "/")
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return "", 0, "", false
	}
	n, err := strconv.ParseUint(rest[i+1:], 10, 16)
	host, port = rest[:i], uint32(n)
	return host, port, subset, err == nil && ClusterName(host, port, subset) == name
}

// Destination is where a cluster leads, for people.
type Destination struct {
	Host               string
	Namespace, Service string // of a host outside of the mesh there is no namespace, and the service is the host
	Version            string // or the name of a subset
	Port               uint32
}

// ParseDestination reads the name of a cluster.
func ParseDestination(cluster string) (d Destination, ok bool) {
	host, port, subset, ok := ParseClusterName(cluster)
	d = Destination{Host: host, Service: host, Version: strings.TrimPrefix(subset, VersionPrefix), Port: port}
	if name, namespace, inMesh := SplitHost(host); inMesh {
		d.Service, d.Namespace = name, namespace
	}
	return d, ok
}

// VersionPrefix stands before a version in the name of a subset, where somebody else has given its name to something else.
const VersionPrefix = "version-"

// Health of a workload.
type Health string

const (
	Healthy   Health = "Healthy"
	Unhealthy Health = "Unhealthy"
	Draining  Health = "Draining"
	Lost      Health = "Lost" // lease ended, yet kept: see WorkloadStatus
)

// Interception is how traffic gets into a workload's proxy.
type Interception string

const (
	Explicit   Interception = ""           // callers and application connect to its ports
	Redirected Interception = "redirected" // all TCP of the workload is led into it
	Caught     Interception = "caught"     // what its application calls is, and callers connect to its ports
	NoProxy    Interception = "none"       // it has none
)

// Transparent says whether what an application calls is led into its proxy.
func (i Interception) Transparent() bool { return i == Redirected || i == Caught }

// DefaultOutbound is where a proxy takes its application's calls if nobody says where.
const DefaultOutbound = 15001

// Where the proxy of a workload with Redirected traffic takes it.
const (
	RedirectedOutbound = 15001
	RedirectedInbound  = 15006
)

// Workload is one running instance, or a gateway's proxy. Key: namespace/name.
type Workload struct {
	Namespace, Name string
	App, Version    string
	ServiceAccount  string // of its identity, where that is given apart from the application
	Interception    Interception
	Gateway         string            // the gateway that this proxy is; "" for a sidecar
	Labels          map[string]string // app and version included
	Address         string            // IP at which its proxy is reached
	Ports           []WorkloadPort    // of TCP, by number, ascending
	Datagrams       []WorkloadPort    `json:",omitempty"` // of UDP: the application takes them itself, its proxy knows nothing of them
	InlineRoutes    bool              // its proxy speaks state of the world, which has no virtual hosts apart
	Outbound        uint32            // where its Envoy takes the application's own calls, on loopback; 0: nowhere
	DualStack       bool              // what is led into its proxy comes by IPv4 and by IPv6
	MetricsPort     uint32            // where a Prometheus can read what its Envoy counted; 0: nowhere
	Health          Health
}

// WorkloadPort is a port of the service that the workload serves.
type WorkloadPort struct {
	Number    uint32   `json:"number"` // the service's port, the one that callers name
	Name      string   `json:"name,omitempty"`
	Protocol  Protocol `json:"protocol"`
	ProxyPort uint32   `json:"proxyPort"`         // where its Envoy accepts calls for this port; of UDP: where the application does
	AppPort   uint32   `json:"appPort,omitempty"` // where the application listens, on loopback
}

func (w Workload) Key() string { return w.Namespace + "/" + w.Name }

// Equal is written out, as there are as many workloads as endpoints.
func (w Workload) Equal(o Workload) bool {
	return w.Namespace == o.Namespace && w.Name == o.Name && w.App == o.App && w.Version == o.Version &&
		w.Gateway == o.Gateway && w.ServiceAccount == o.ServiceAccount && w.Interception == o.Interception && w.Address == o.Address && w.Outbound == o.Outbound && w.Health == o.Health && w.InlineRoutes == o.InlineRoutes && w.DualStack == o.DualStack && w.MetricsPort == o.MetricsPort &&
		slices.Equal(w.Ports, o.Ports) && slices.Equal(w.Datagrams, o.Datagrams) && maps.Equal(w.Labels, o.Labels)
}

// Account is the name in the workload's identity.
func (w Workload) Account() string { return cmp.Or(w.ServiceAccount, w.Gateway, w.App) }

// GatewayApp is what the proxies of a gateway have in place of an application where
// a repository names no Workload for them.
func GatewayApp(gateway string) string { return "gateway-" + gateway }

// Port finds a port by the service's number.
func (w Workload) Port(number uint32) (WorkloadPort, bool) {
	return workloadPort(w.Ports, func(p WorkloadPort) bool { return p.Number == number })
}

// Serving finds the port to which a port of a service leads: by name, where the
// workload's ports have names.
func (w Workload) Serving(p Port) (WorkloadPort, bool) { return serving(w.Ports, p) }

// ServingDatagrams is Serving for a port of UDP.
func (w Workload) ServingDatagrams(p Port) (WorkloadPort, bool) { return serving(w.Datagrams, p) }

func serving(all []WorkloadPort, p Port) (WorkloadPort, bool) {
	named := slices.ContainsFunc(all, func(q WorkloadPort) bool { return q.Name != "" })
	if p.TargetName != "" && named {
		return workloadPort(all, func(q WorkloadPort) bool { return q.Name == p.TargetName })
	}
	return workloadPort(all, func(q WorkloadPort) bool { return q.Number == cmp.Or(p.Target, p.Number) })
}

func workloadPort(all []WorkloadPort, is func(WorkloadPort) bool) (WorkloadPort, bool) {
	i := slices.IndexFunc(all, is)
	if i < 0 {
		return WorkloadPort{}, false
	}
	return all[i], true
}

// Matches says whether the labels hold all that the selector asks. An empty
// selector matches everything.
func Matches(selector, labels map[string]string) bool {
	for k, v := range selector {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// SPIFFE is the identity of an account: spiffe://TRUST/ns/NS/sa/ACCOUNT.
func SPIFFE(trust, namespace, account string) string {
	return "spiffe://" + trust + "/ns/" + namespace + "/sa/" + account
}

// SortedKeys are the keys of a map, in order, for output that repeats.
func SortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// CompareBool orders as cmp.Compare does: false comes first.
func CompareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
