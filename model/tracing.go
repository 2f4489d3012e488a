package model

import "reflect"

// Tracing is which requests a proxy tells of. The zero value: of none, but that it writes down failures.
type Tracing struct {
	Percent float64 // of the requests of which nobody before it decided
	B3      bool    // traces are read from, and told in, B3's headers, too
	Tags    []SpanTag
	Log     Log
	LogIf   string `json:",omitempty"` // of those that Log has: for which this CEL expression holds; "": all
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

// Log is which requests a proxy writes down where it runs.
type Log string

const (
	LogFailures Log = ""
	LogAll      Log = "all"
	LogNothing  Log = "nothing"
)

// SpanTag is an attribute that somebody wants spans to have. Of Literal, Header and Environment one is set.
type SpanTag struct {
	Name        string
	Literal     string
	Header      string // of the request
	Environment string // variable of the proxy's process
	Default     string // where there is no such header or variable; "": the span has no such attribute
}

// Telemetry is what proxies tell of requests where somebody wants it otherwise than the mesh. Key: object.
type Telemetry struct {
	Object Key
	Reach
	Rank int64 // of objects that are about the same the oldest decides
	Says []Tells
	From []Origin
}

// Tells is one entry: what it does not say stays as it is.
type Tells struct {
	Calls, Served bool     // about requests that a workload sends, that it takes
	Percent       *float64 // 0: no spans of requests of which nobody before it decided
	Silent        *bool    // no spans at all
	Tags          []SpanTag
	Log           *Log
	LogIf         string // with Log
}

func (t Telemetry) Key() string            { return t.Object.String() }
func (t Telemetry) Equal(o Telemetry) bool { return reflect.DeepEqual(t, o) }
