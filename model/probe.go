package model

// Where a pod's agent is asked, not its application.
const (
	AgentProbes = 15020 // ProbePath: probes of the application, which mTLS would refuse the kubelet
	AgentReady  = 15021 // ReadyPath: whether the proxy serves
	ReadyPath   = "/healthz/ready"
	ProbePath   = "/probe/" // and the key of Probes
	ProxyUser   = 1337      // that agent and Envoy run as in a pod: redirection knows them by it

	MetricsPath     = "/metrics"     // where a Prometheus reads what a proxy counted
	MetricsPortName = "weft-metrics" // of the port for that, of a pod's proxy
)

// From where a proxy calls its own application, so that redirection knows that
// the call has been in the proxy.
const (
	PassedSource4 = "127.0.0.6"
	PassedSource6 = "::6"
)

// Probes are those of a pod's containers, as injection hands them to the agent.
// Key: CONTAINER/KIND.
type Probes map[string]Probe

// Probe is a question to the application: an HTTP request, a connection if
// neither HTTP nor GRPC is set, or a gRPC health check.
type Probe struct {
	Port    uint16     `json:"port"`
	HTTP    *HTTPProbe `json:"http,omitempty"`
	GRPC    *GRPCProbe `json:"grpc,omitempty"`
	Seconds int32      `json:"seconds,omitempty"` // until it has failed; 0: 1
}

// HTTPProbe is a request. Headers may be repeated, and Host is one of them.
type HTTPProbe struct {
	Path    string      `json:"path,omitempty"`
	TLS     bool        `json:"tls,omitempty"` // whatever certificate the application shows
	Headers [][2]string `json:"headers,omitempty"`
}

// GRPCProbe asks grpc.health.v1 for a service; "" is the whole server.
type GRPCProbe struct {
	Service string `json:"service,omitempty"`
}
