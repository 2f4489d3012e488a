package model

import (
	"reflect"
	"slices"
)

// Gateway is a set of listeners of the proxies that are the gateway. Key: object.
type Gateway struct {
	Object   Key
	Name     string            // unique, by which routes name it: "namespace/name", with "istio:" before it for Istio's
	Selector map[string]string // Istio: labels of the proxies; matched in every namespace
	Class    string            // Gateway API: whose it is to run
	Proxy    string            // Gateway API: name of the proxies' gateway; "" with Selector
	Home     string            // and their namespace; "": that of the object
	// Shows is the Certificate, "namespace/name", by which its proxies prove themselves to ports that
	// say how TLS is spoken to them (Port.TLS); "": they show none.
	Shows     string
	Listeners []GatewayListener
	From      []Origin
}

// GatewayListener is one port of a gateway.
type GatewayListener struct {
	Name       string
	Port       uint32
	Protocol   GatewayProtocol
	Hosts      []string  // "*" for all; "ns/host" is already resolved to host
	TLS        ServerTLS // for HTTPS, and for TLS that is opened
	ToHTTPS    bool      // plain requests are redirected to HTTPS
	HTTP3      bool      // of HTTPS: served at the same port of UDP, too
	RouteKinds []string  // kinds of routes that may attach; nil: all
	RouteSpace []string  // namespaces whose routes may attach; nil: all; Same is resolved
	Origin     Origin
}

// ServerTLS is how a listener proves itself, and what it asks of its callers.
type ServerTLS struct {
	// Secret is the Certificate's name. Without a namespace it is one of the proxy's own: who
	// names a gateway by labels does not say whose proxies may read a key.
	Secret  string
	Callers CallerCertificate
	// Trust is the Certificate that says whom it trusts; "": Secret does.
	Trust string
	// Versions that callers may speak, "1.2"; "": 1.2 is the oldest, 1.3 the newest.
	Oldest, Newest string
	// Ciphers are the suites of TLS 1.2 and older that it takes; none: all that a proxy takes by itself.
	Ciphers []string
	// Names of which a caller's certificate has one; none: any. KeyHashes and Hashes are SHA-256 of its public key, as base64,
	// and of all of it, as hex, one of which it has, too; none: any.
	Names, KeyHashes, Hashes []string
}

// Equal says whether both do and ask the same.
func (t ServerTLS) Equal(o ServerTLS) bool { return reflect.DeepEqual(t, o) }

// MeshCertificate in place of a Secret is the identity that a proxy has in the mesh: it is shown
// to callers of the mesh, and they show theirs.
const MeshCertificate = "mesh"

// OfMesh says whether it is for callers of the mesh.
func (t ServerTLS) OfMesh() bool { return t.Secret == MeshCertificate }

// CallerCertificate says whether callers show a certificate.
type CallerCertificate string

const (
	CallerUnasked  CallerCertificate = ""
	CallerOptional CallerCertificate = "optional" // a wrong one is refused
	CallerRequired CallerCertificate = "required"
	CallerUnproven CallerCertificate = "unproven" // asked, and let in with a wrong one or none: it proves nothing
)

type GatewayProtocol string

const (
	GatewayHTTP  GatewayProtocol = "HTTP"
	GatewayHTTPS GatewayProtocol = "HTTPS"
	GatewayTLS   GatewayProtocol = "TLS" // whose connections are led on, unopened without a certificate
	GatewayTCP   GatewayProtocol = "TCP"
	GatewayUDP   GatewayProtocol = "UDP" // whose datagrams are led on
)

// Connections is the protocol if whole connections, or the datagrams of a client, are led on by it, "" if it has requests.
func (p GatewayProtocol) Connections() GatewayProtocol {
	if p == GatewayTLS || p == GatewayTCP || p == GatewayUDP {
		return p
	}
	return ""
}

// Shares says whether listeners of both may have one port: TLS tells by the host who is meant.
func (p GatewayProtocol) Shares(o GatewayProtocol) bool {
	byHost := func(p GatewayProtocol) bool { return p == GatewayHTTPS || p == GatewayTLS }
	return p == o || byHost(p) && byHost(o)
}

func (g Gateway) Key() string          { return g.Object.String() }
func (g Gateway) Equal(o Gateway) bool { return reflect.DeepEqual(g, o) }

// Apart says whether listeners of both may have one port number, as ports of TCP are others than those of UDP.
func (p GatewayProtocol) Apart(o GatewayProtocol) bool { return (p == GatewayUDP) != (o == GatewayUDP) }

// UDP are the ports at which it takes datagrams, those of HTTP/3 among them, each once.
func (g Gateway) UDP() (ports []uint32) {
	for _, l := range g.Listeners {
		if (l.HTTP3 || l.Protocol == GatewayUDP) && !slices.Contains(ports, l.Port) {
			ports = append(ports, l.Port)
		}
	}
	return ports
}

// GatewayAddress is where a gateway is reached from outside. Key: Gateway.
type GatewayAddress struct {
	Gateway   string   // "namespace/name"
	Addresses []string // IPs and host names
}

func (a GatewayAddress) Key() string                 { return a.Gateway }
func (a GatewayAddress) Equal(o GatewayAddress) bool { return reflect.DeepEqual(a, o) }

// GatewayPods are the proxies that a cluster is to run for a gateway, or for several that
// share them. Key: namespace and name.
type GatewayPods struct {
	Namespace   string
	Name        string // by which the proxies know which gateway they are
	Owners      []Owner
	Ports       []uint32 // of TCP
	UDP         []uint32 // those of UDP: of listeners that take datagrams, and of HTTP/3
	Min, Max    uint32   // how many; as many as are needed between them
	ServiceType string   // of Kubernetes; "": a load balancer
	Address     string   // that a load balancer is asked for; "": whichever it has
	Labels      map[string]string
	Annotations map[string]string
}

// Owner is an object of a cluster that takes others with it when it goes.
type Owner struct{ APIVersion, Kind, Name, UID string }

func (p GatewayPods) Key() string              { return p.Namespace + "/" + p.Name }
func (p GatewayPods) Equal(o GatewayPods) bool { return reflect.DeepEqual(p, o) }
