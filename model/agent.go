package model

import (
	"encoding/json"
	"fmt"
	"time"
)

// What agent and server say to each other, as JSON on one gRPC stream
// (AgentSession) and two calls (AgentJoin, AgentRenew) of the mesh port. The
// stream is the lease of the workload: it ends, and after LeaseIntervals
// intervals without a new one the workload is lost. A pod needs no lease.
const (
	AgentService   = "weft.Agent"
	AgentJoin      = "/weft.Agent/Join"    // JoinRequest -> JoinReply; without a client certificate
	AgentAttest    = "/weft.Agent/Attest"  // AttestRequest -> JoinReply; without a client certificate, as Join
	AgentRenew     = "/weft.Agent/Renew"   // RenewRequest -> CertificateReply
	AgentSession   = "/weft.Agent/Session" // stream of AgentMessage -> stream of ServerMessage
	AgentLimits    = "/weft.Agent/Limits"  // stream of LimitMessage both ways
	LeaseInterval  = 5 * time.Second       // an agent says something at least this often
	LeaseIntervals = 3                     // silent intervals that end a lease
)

// AsWorkload is the metadata of a stream on a host's connection: the workload,
// "namespace/account", in whose name it is. The host's certificate must allow it.
const AsWorkload = "weft-workload"

// MachineStreams is how many streams one connection may have: three for each of 1,024
// workloads of a machine.
const MachineStreams = 3072

// JoinRequest trades a one-time token for the identity of a host: the right to
// ask for the identities of workloads that the token names.
type JoinRequest struct {
	Token string `json:"token"`
	Host  string `json:"host"` // name of the machine
	CSR   []byte `json:"csr"`  // PKCS#10, DER
}

// AttestRequest trades a pod's ServiceAccount token for the identity of that account.
type AttestRequest struct {
	Token string `json:"token"`
	CSR   []byte `json:"csr"` // PKCS#10, DER
}

// JoinReply is the identity of a host or pod.
type JoinReply struct {
	CertificateReply
	TrustDomain string `json:"trustDomain"`
}

// RenewRequest asks for a certificate: the host's own again (Account empty),
// or that of a workload on the host. The caller's certificate must allow it.
type RenewRequest struct {
	Namespace string `json:"namespace,omitempty"`
	Account   string `json:"account,omitempty"`
	CSR       []byte `json:"csr"`
}

// CertificateReply is a certificate chain and the roots to trust, DER.
type CertificateReply struct {
	Chain [][]byte `json:"chain"`
	Roots [][]byte `json:"roots"`
}

// AgentMessage is what an agent says; the first one of a stream has Register.
type AgentMessage struct {
	Register *Registration `json:"register,omitempty"`
	Health   Health        `json:"health,omitempty"`
	// Deregister ends the lease at once: the workload stops of its own will.
	Deregister bool           `json:"deregister,omitempty"`
	Traffic    *TrafficReport `json:"traffic,omitempty"`
	Spans      *SpanReport    `json:"spans,omitempty"`
	Tapped     *Tapped        `json:"tapped,omitempty"`
}

// Registration is the workload that the agent stands for.
type Registration struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"` // unique in the namespace, stable over restarts
	App       string            `json:"app,omitempty"`
	Version   string            `json:"version,omitempty"`
	Gateway   string            `json:"gateway,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Address   string            `json:"address"`
	Host      string            `json:"host"`
	Ports     []WorkloadPort    `json:"ports,omitempty"`
	Datagrams []WorkloadPort    `json:"datagrams,omitempty"` // as in Workload
	// OutboundPort is where its Envoy takes the application's own calls, on loopback.
	OutboundPort uint32 `json:"outboundPort,omitempty"`
	// Redirected: what its application calls is led there, wherever it goes.
	Redirected bool `json:"redirected,omitempty"`
	// DualStack: the machine has IPv4 and IPv6.
	DualStack bool `json:"dualStack,omitempty"`
	// MetricsPort is where a Prometheus can read what its Envoy counted; 0: nowhere.
	MetricsPort uint32 `json:"metricsPort,omitempty"`
	// ServiceAccount marks a pod: Kubernetes registers it and watches over it. Nothing
	// else but namespace, name and address matters then.
	ServiceAccount string `json:"serviceAccount,omitempty"`
}

// ServerMessage is what the server says to an agent.
type ServerMessage struct {
	// Registered confirms a Register; from here on the workload is an endpoint if healthy.
	Registered bool `json:"registered,omitempty"`
	// Roots replace the trusted roots, DER.
	Roots [][]byte `json:"roots,omitempty"`
	// Health confirms that the agent's last word on its health is written down.
	Health Health `json:"health,omitempty"`
	Tap    *Tap   `json:"tap,omitempty"`
	// Full asks for full statistics, or for no more of them.
	Full *Full `json:"full,omitempty"`
}

// MaxFullStats is for how long a proxy may be asked to keep full statistics.
const MaxFullStats = time.Hour

// Full has a proxy keep full statistics of the services that it calls.
type Full struct {
	For time.Duration `json:"for"` // from now on; 0: no longer. It ends by itself
}

// LimitMessage is what a proxy asks of limits that the server counts, and the answer. The first one of a stream says
// whose proxy asks, and nothing else.
type LimitMessage struct {
	Proxy string `json:"proxy,omitempty"` // NAMESPACE/NAME
	ID    uint64 `json:"id,omitempty"`    // of the question
	Body  []byte `json:"body,omitempty"`  // Envoy's RateLimitRequest, or the RateLimitResponse
	Error string `json:"error,omitempty"` // why there is no answer
}

// MaxLimitAsks is how many questions of one proxy may be under way.
const MaxLimitAsks = 256

// AgentCodec carries the messages of AgentService, as gRPC's content-subtype json.
type AgentCodec struct{}

// MaxAgentMessage is the size above which a message is not read, bytes: 5,000
// clusters in one TrafficReport.
const MaxAgentMessage = 1 << 20

func (AgentCodec) Name() string                  { return "json" }
func (AgentCodec) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

func (AgentCodec) Unmarshal(data []byte, v any) error {
	if len(data) > MaxAgentMessage {
		return fmt.Errorf("message of %d bytes: more than %d are not read", len(data), MaxAgentMessage)
	}
	return json.Unmarshal(data, v)
}

// TrafficReport is what a proxy counted since the report before it: deltas,
// so that a restarted Envoy or server loses at most one report.
type TrafficReport struct {
	Period time.Duration  `json:"period"`
	Edges  []EdgeCounters `json:"edges"`
	// Limits are those that the proxy counts by itself.
	Limits map[LimitID]LimitCounts `json:"limits,omitempty"`
	// Verdicts are those of policies that only look.
	Verdicts []Verdict `json:"verdicts,omitempty"`
	// Peers are callers without a certificate of the mesh.
	Peers []PeerCounters `json:"peers,omitempty"`
	// Watches: such callers are counted, so that none said is none seen. An older agent does not count them.
	Watches bool `json:"watches,omitempty"`
}

// WatchPace is how often an agent that has nothing else to report says that it watches.
const WatchPace = 10 * time.Second

// SpanReport is what a proxy told of requests since the report before it. What does not
// reach the server is lost.
type SpanReport struct {
	Messages []byte `json:"messages,omitempty"` // ExportTraceServiceRequests of OTLP, one after the other, which is the same as one
	Dropped  uint64 `json:"dropped,omitempty"`  // bytes beyond MaxSpanBytes
}

// MaxSpanBytes is how much a SpanReport holds: two thirds of an AgentMessage, as base64.
const MaxSpanBytes = 512 << 10

// EdgeCounters are the calls of one proxy to one cluster.
type EdgeCounters struct {
	Cluster  string `json:"cluster"`            // ClusterName
	Requests uint64 `json:"requests,omitempty"` // attempts that were answered or failed
	Errors   uint64 `json:"errors,omitempty"`   // of them 5xx, resets, timeouts, connection failures
	Retries  uint64 `json:"retries,omitempty"`
	Troubles
	// Open is how long connections were open, all together, milliseconds: over a period, their average number.
	Open uint64 `json:"open,omitempty"`
	// Sent and Received are the bytes of its connections, without what TLS adds. An older agent does not count them.
	Sent     uint64 `json:"sent,omitempty"`
	Received uint64 `json:"received,omitempty"`
	// Classes counts the requests that ended by the class of their status.
	Classes Classes `json:"classes,omitzero"`
	// Statuses counts the errors by status. The server knows which of them a default response hid.
	Statuses map[uint32]uint64 `json:"statuses,omitempty"`
	// Latency counts requests by bucket: [i] are those of at most LatencyBounds[i] milliseconds, the
	// last one those above all bounds.
	Latency []uint64 `json:"latency,omitempty"`
	// Routes counts requests by the route that led to a version, where the proxy was told to. An older agent has none.
	Routes map[string]RouteCounts `json:"routes,omitempty"`
}

// Troubles are why requests failed on their way, as far as the proxy says.
type Troubles struct {
	Timeouts    uint64 `json:"timeouts,omitempty"`    // nobody answered in time, a single try or all of them
	Exhausted   uint64 `json:"exhausted,omitempty"`   // the last try that was allowed failed, too
	Overflows   uint64 `json:"overflows,omitempty"`   // not sent: more were under way than the circuit breaker lets
	Unconnected uint64 `json:"unconnected,omitempty"` // connections that could not be opened
}

// Add is both together.
func (t Troubles) Add(o Troubles) Troubles {
	return Troubles{t.Timeouts + o.Timeouts, t.Exhausted + o.Exhausted, t.Overflows + o.Overflows, t.Unconnected + o.Unconnected}
}

// RouteCounts are requests, each once however often it was tried.
type RouteCounts struct {
	Requests uint64 `json:"requests,omitempty"`
	Errors   uint64 `json:"errors,omitempty"` // of them answered 5xx, or by a fallback
}

// Add is both together.
func (c RouteCounts) Add(o RouteCounts) RouteCounts {
	return RouteCounts{c.Requests + o.Requests, c.Errors + o.Errors}
}

// Classes counts by the class of a status: [0] is 1xx, [4] 5xx.
type Classes [5]uint64

// LatencyBounds are the upper ends of the latency buckets, milliseconds: a
// relative error of at most 25% between 0.5 ms and 10 s.
var LatencyBounds = []float64{
	0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12.5, 16, 20, 25, 32, 40, 50, 63, 80, 100, 125, 160, 200,
	250, 320, 400, 500, 630, 800, 1000, 1250, 1600, 2000, 2500, 3200, 4000, 5000, 6300, 8000, 10000,
}

// LatencySum estimates how many seconds all requests of a histogram by LatencyBounds took: the middle of a
// bucket stands for what is in it.
func LatencySum(buckets []uint64) (seconds float64) {
	low := 0.0
	for i, n := range buckets {
		high := low // beyond the last bound
		if i < len(LatencyBounds) {
			high = LatencyBounds[i]
		}
		seconds += float64(n) * (low + high) / 2 / 1000
		low = high
	}
	return seconds
}
