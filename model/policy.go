package model

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Policy is how calls to one host are made: its subsets, load balancing, pools,
// breakers, TLS. Key: object and host.
type Policy struct {
	Object    Key
	Host      string // canonical or external; "*.suffix" for several
	Rank      int64  // as in RouteTable
	Subsets   []Subset
	Traffic   TrafficPolicy
	PortLevel map[uint32]TrafficPolicy // replaces Traffic for one port
	From      []Origin
}

func (p Policy) Key() string         { return p.Object.String() + " " + p.Host }
func (p Policy) Equal(o Policy) bool { return reflect.DeepEqual(p, o) }

// RootNamespace is the one whose policies apply to the whole mesh.
const RootNamespace = "istio-system"

// Speaking are the rows for hosts by a pattern, such as *.example.com, that say
// something of a namespace's services: its own, else those of the whole mesh. What
// a pattern of another namespace means are the services of that.
func Speaking[V any](all []V, namespace string, object func(V) Key) []V {
	for _, by := range []string{namespace, RootNamespace} {
		var found []V
		for _, v := range all {
			if object(v).Namespace == by {
				found = append(found, v)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// TrafficAt is what it says of one port.
func (p Policy) TrafficAt(port uint32) TrafficPolicy {
	if t, ok := p.PortLevel[port]; ok {
		return t
	}
	return p.Traffic
}

// AllTraffic is everything that it says of traffic.
func (p Policy) AllTraffic() []TrafficPolicy {
	all := []TrafficPolicy{p.Traffic}
	for _, t := range p.PortLevel {
		all = append(all, t)
	}
	for _, s := range p.Subsets {
		if s.Traffic != nil {
			all = append(all, *s.Traffic)
		}
	}
	return all
}

// Subset is a named part of a service's endpoints.
type Subset struct {
	Name    string
	Labels  map[string]string
	Traffic *TrafficPolicy // laid over the policy's: what is set here replaces it
	Origin  Origin
}

// TrafficPolicy of a host, port or subset. Nil and zero fields: the default.
type TrafficPolicy struct {
	Balancer Balancer
	Hash     *HashKey // for consistent hashing
	Pool     Pool
	Outlier  *Outlier
	TLS      *ClientTLS
	Warmup   Warmup
	Budget   *RetryBudget // nil: that of the mesh
	Local    *Localities  // nil: endpoints of all places are alike
	// ProxyHeader is the version of the PROXY protocol by which connections begin, that says who called; 0: none.
	ProxyHeader uint32
}

// Warmup is the slow start of new endpoints.
type Warmup struct {
	For        time.Duration // 0: none
	Minimum    float64       // percent of the traffic that an endpoint gets at first; 0: 10
	Aggression float64       // how fast it grows; 0: 1, evenly
}

// RetryBudget bounds how many requests may be retries.
type RetryBudget struct {
	Percent  float64       // of the active requests
	Least    uint32        // retries at once that are always allowed
	Interval time.Duration // within which requests count; 0: those that are active
}

// Balancer is the load balancing algorithm.
type Balancer string

const (
	LeastRequest Balancer = "" // the default
	RoundRobin   Balancer = "roundRobin"
	Random       Balancer = "random"
	RingHash     Balancer = "ringHash"
	Maglev       Balancer = "maglev"
)

// HashKey says what consistent hashing hashes; one field is set.
type HashKey struct {
	Header, Query, Cookie string
	CookieTTL             time.Duration
	CookiePath            string
	SourceIP              bool
	Size                  uint64 // of the ring at least, or of Maglev's table; 0: the default
}

// Pool limits what one proxy opens towards the host: a circuit breaker. 0: default.
type Pool struct {
	MaxConnections, MaxPending, MaxRequests, MaxRetries, MaxPerConnection uint32
	MaxStreams                                                            uint32 // of one HTTP/2 connection
	ConnectTimeout, IdleTimeout, MaxAge                                   time.Duration
	Keepalive                                                             Keepalive
	PingEvery, PingTimeout                                                time.Duration // of HTTP/2; 0: none
}

// Inbound limits what a proxy opens towards the application beside it. Key: object.
type Inbound struct {
	Object    Key
	Namespace string            // "": the whole mesh
	Selector  map[string]string // labels of the workload; empty: any
	Rank      int64             // of those that are about the same the oldest decides
	Pool      Pool
	From      []Origin
}

func (i Inbound) Key() string          { return i.Object.String() }
func (i Inbound) Equal(o Inbound) bool { return reflect.DeepEqual(i, o) }

// Keepalive are TCP's probes of idle connections; 0: the system's. Sent: there are some.
type Keepalive struct {
	Sent           bool
	Probes         uint32
	Idle, Interval time.Duration
}

// Outlier ejects endpoints that fail. 0: default; errors as a count in a row.
type Outlier struct {
	Consecutive5xx, ConsecutiveGateway uint32
	ConsecutiveConnect                 uint32 // connections that failed
	Interval, BaseEjection             time.Duration
	MaxEjectionPercent                 uint32
	MinHealthPercent                   uint32
}

// ClientTLS is how a caller speaks to a host outside of the mesh, or overrides
// how it speaks to one inside.
type ClientTLS struct {
	Mode     TLSMode
	SNI      string
	SANs     []string
	Insecure bool // does not verify the server
	// Secret is the Certificate, of the caller's own namespace, by which it proves itself, and that says
	// whom it trusts: who writes a policy for callers elsewhere does not say which of their keys they show.
	Secret string
	Files  ClientFiles // in place of Secret
	// CA is, as PEM, whom it trusts, in place of what Secret and Files say.
	CA []byte
	// Distrusts: whom it was to trust cannot be known, so that it trusts nobody, and calls fail.
	Distrusts bool
	From      []Origin // of what a port says by itself; a policy says where it is from
}

// ClientFiles are paths on the machine of the caller; "": none.
type ClientFiles struct {
	Certificate, Key string // PEM
	CA               string // of whom it trusts; "": whom the machine trusts
}

// Originates says whether the caller's proxy opens TLS as any client does, and not that of the mesh.
func (t *ClientTLS) Originates() bool {
	return t != nil && (t.Mode == TLSSimple || t.Mode == TLSOwn)
}

type TLSMode string

const (
	TLSDisable TLSMode = "disable" // plain text
	TLSSimple  TLSMode = "simple"  // verify the server only
	TLSOwn     TLSMode = "own"     // verify it, and show it the certificate that the policy names
	TLSMutual  TLSMode = "mesh"    // the mesh's own identity
)

// Split is the share of each version of a host. Key: host.
type Split struct {
	Host     string
	Service  string // short name, for the private address header
	Versions []VersionShare
	From     []Origin
}

type VersionShare struct {
	Version string
	Weight  uint32 // percent
}

func (s Split) Key() string        { return s.Host }
func (s Split) Equal(o Split) bool { return reflect.DeepEqual(s, o) }

// VersionHeader carries private addresses: "reviews=v3,ratings=v2".
const VersionHeader = "x-weft-version"

// Fallback is what callers of a host get instead of its failures. Key: host.
type Fallback struct {
	Host     string
	Service  string    // its short name
	On       []uint32  // statuses that are replaced, whoever answers
	Failures []Failure // of the proxy, that are replaced
	// The answer. With Instead, another service gives it, and Status stands for whatever status that has.
	Status      uint32
	ContentType string
	Body        string
	Instead     *Backend // asked by GET and HEAD alone
	Calls       Calls    // how Instead is called
	From        []Origin
}

func (f Fallback) Key() string           { return f.Host }
func (f Fallback) Equal(o Fallback) bool { return reflect.DeepEqual(f, o) }

// Failure is why a proxy answered for a service.
type Failure string

const (
	FailedTimeout Failure = "timeout"
	FailedConnect Failure = "connectFailure" // there was no instance, or none took the connection
	FailedBreaker Failure = "breakerOpen"
)

// Status with which a proxy says so.
func (f Failure) Status() uint32 {
	if f == FailedTimeout {
		return 504
	}
	return 503
}

// Replaces are the statuses that may be replaced.
func (f Fallback) Replaces() []uint32 {
	all := slices.Clone(f.On)
	for _, failure := range f.Failures {
		if !slices.Contains(all, failure.Status()) {
			all = append(all, failure.Status())
		}
	}
	return all
}

// Concurrency has workloads take as many requests at once as keep them quick. Key: host of the service.
type Concurrency struct {
	Host            string
	Namespace       string
	Selector        map[string]string
	AtMost, AtLeast uint32        // of the limit
	Every           time.Duration // it is set anew
	MeasureEvery    time.Duration // what an answer takes of a workload with little to do
	From            []Origin
}

func (c Concurrency) Key() string              { return c.Host }
func (c Concurrency) Equal(o Concurrency) bool { return reflect.DeepEqual(c, o) }

// PeerAuth says which workloads accept plain text. Key: object.
type PeerAuth struct {
	Object    Key
	Namespace string            // "" applies to the whole mesh
	Selector  map[string]string // empty: the namespace
	Mode      MTLSMode
	PortMode  map[uint32]MTLSMode
	From      []Origin
}

type MTLSMode string

const (
	MTLSUnset      MTLSMode = ""
	MTLSStrict     MTLSMode = "strict"
	MTLSPermissive MTLSMode = "permissive"
	MTLSOff        MTLSMode = "off"
)

func (p PeerAuth) Key() string           { return p.Object.String() }
func (p PeerAuth) Equal(o PeerAuth) bool { return reflect.DeepEqual(p, o) }

// Authorization allows or denies requests to workloads. Key: object.
type Authorization struct {
	Object Key
	Reach
	Action   AuthzAction
	Provider string // of Custom: key of the Authorizer that is asked; "": there is none, and what it would be asked is denied
	DryRun   bool
	Rules    []AuthzRule // none: matches nothing
	From     []Origin
}

type AuthzAction string

const (
	Allow AuthzAction = "allow"
	Deny  AuthzAction = "deny"
	Audit AuthzAction = "audit"
	// Custom has an Authorizer decide.
	Custom AuthzAction = "custom"
)

func (a Authorization) Key() string                { return a.Object.String() }
func (a Authorization) Equal(o Authorization) bool { return reflect.DeepEqual(a, o) }

// PolicyID names one rule in access records and in `explain`. Objects of two kinds may have one name.
func (a Authorization) PolicyID(rule int) string {
	id := a.Object.Namespace + "/" + a.Object.Name + "#" + strconv.Itoa(rule)
	if a.Object.Kind == "AuthorizationPolicy" {
		return id
	}
	return a.Object.Kind + ":" + id
}

// ParsePolicyID is what Authorization.PolicyID put together; false: it is none.
func ParsePolicyID(id string) (policy Key, rule int, ok bool) {
	name, index, ok := strings.Cut(id, "#")
	rule, err := strconv.Atoi(index)
	if !ok || err != nil {
		return Key{}, 0, false
	}
	policy.Kind = "AuthorizationPolicy"
	if kind, rest, other := strings.Cut(name, ":"); other {
		policy.Kind, name = kind, rest
	}
	policy.Namespace, policy.Name, ok = strings.Cut(name, "/")
	return policy, rule, ok
}

// AuthzRule holds if one source and one operation and all conditions hold; an
// empty list of them always holds.
type AuthzRule struct {
	From   []AuthzSource
	To     []AuthzOperation
	When   []AuthzCondition
	Origin Origin
}

// AuthzSource is a conjunction of lists; each list holds if one value does.
// Values: exact, "prefix*", "*suffix", "*" (present).
type AuthzSource struct {
	Principals, NotPrincipals   []string // without spiffe://, as Istio writes them
	Namespaces, NotNamespaces   []string
	IPBlocks, NotIPBlocks       []string
	RemoteBlocks, NotRemote     []string
	RequestPrincipals, NotReqPr []string // of tokens: issuer/subject
	TrustDomains, NotTrust      []string
}

// AuthzOperation is what is done; same forms of values.
type AuthzOperation struct {
	Hosts, NotHosts, Ports, NotPorts, Methods, NotMethods, Paths, NotPaths []string
}

// AuthzCondition is Istio's key with values, e.g. request.headers[x].
type AuthzCondition struct {
	Key               string
	Values, NotValues []string
}
