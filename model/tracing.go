package model

// Tracing is which requests a proxy tells of. The zero value: of none.
type Tracing struct {
	Percent float64 // of the requests of which nobody before it decided
	B3      bool    // traces are read from, and told in, B3's headers, too
}

// AgentCluster is what a proxy calls its agent: there it gets its configuration, and there go its spans.
const AgentCluster = "weft-agent"

// Attributes of the spans of proxies, beside those of OpenTelemetry.
const (
	SpanRoute    = "weft.route"
	SpanAttempts = "weft.attempts"
	SpanDetails  = "weft.details" // why the answer was what it was, in Envoy's words
	SpanCaller   = "weft.caller"  // identity of who called, where mTLS said it
	SpanEndpoint = "weft.endpoint"
	SpanCluster  = "weft.cluster" // ClusterName
	SpanFlags    = "weft.flags"   // Envoy's response flags
)
