package model

import (
	"reflect"
	"strconv"
	"time"
)

// Mesh is the gateway name of routes that apply to calls between services.
const Mesh = "mesh"

// RouteTable is what one object says of how requests for some hosts are
// routed. Key: object and, where an object gives several, an index.
//
// Tables of the same host and gateway merge in the order of Rank, then of key:
// the first that claims a host owns it unless both are of one namespace.
type RouteTable struct {
	Object   Key
	Index    int
	Hosts    []string // canonical or external hosts, "*.suffix", or "*"
	Port     uint32   // of the service, for mesh routes; 0: every port
	Gateways []string // names of gateways, and Mesh
	Sections []string // listener names of the gateways; empty: all
	Rank     int64    // creation time of the object, seconds: the older wins
	Order    Order    // how rules of one table are ordered
	// Connections is of which listeners its one rule's backends get whole connections, by the hosts that these ask for
	// where it is TLS, or the datagrams of clients; "": its rules are about requests.
	Connections GatewayProtocol
	// Visiting says that its rules are for callers of the object's own namespace alone, who ask for a service of another
	// one: they come before those of the service's own tables, which have what they do not take.
	Visiting bool
	Rules    []Rule
	From     []Origin
}

// Order is how the rules of one host are tried.
type Order string

const (
	AsWritten  Order = ""         // Istio: first match in the list
	BySpecific Order = "specific" // Gateway API: most specific match first
)

func (t RouteTable) Key() string             { return t.Object.String() + "#" + strconv.Itoa(t.Index) }
func (t RouteTable) Equal(o RouteTable) bool { return reflect.DeepEqual(t, o) }

// Rule is one way to treat a request: the first rule of which a match holds
// decides. No matches means all requests.
type Rule struct {
	Name    string
	Part    string // of its requests, of which more is said; "": all others
	Matches []Match
	// Delegate is the object whose rules stand here, before they are looked up.
	Delegate *Key
	// Exactly one of Backends, Redirect, Direct says what happens; none of
	// them: 500, as the Gateway API asks for rules whose backends are all gone.
	Backends []Backend
	Redirect *Redirect
	Direct   *DirectResponse

	Rewrite         *Rewrite
	RequestHeaders  HeaderChange
	ResponseHeaders HeaderChange
	Fault           *Fault
	Mirrors         []Mirror
	CORS            *CORS
	Calls
	Origin Origin
}

// Calls is how requests are sent on.
type Calls struct {
	Timeout time.Duration // of the whole request; 0: what is said of the service that is called, or none; NoTimeout
	Retry   *Retry        // nil: what is said of the service that is called, or the default of the mesh
	// Who says so, where it is not the rule.
	TimeoutFrom, RetryFrom *Origin
}

// NoTimeout is the timeout of a rule that says that there is none.
const NoTimeout time.Duration = -1

// Match is a conjunction; empty fields match everything.
type Match struct {
	Path             StringMatch
	IgnoreCase       bool // of Path
	Method           StringMatch
	Scheme           StringMatch
	Authority        StringMatch
	Headers          []HeaderMatch
	Query            []HeaderMatch
	Port             uint32            // that the caller named
	SourceLabels     map[string]string // of the caller, for mesh routes
	SourceNamespace  string
	Gateways         []string // narrows the table's gateways
	CallerIdentities []string // SPIFFE ids, any of them
	// Within narrows it to requests of which more is said. It has no say in which rule is the more specific one.
	Within Within
}

// Within is a part of the requests that a match takes; zero: all of them.
type Within struct {
	Path    StringMatch // Exact or PathPrefix
	Methods []string    // any of them; none: every one
}

// IsZero says whether it narrows nothing.
func (w Within) IsZero() bool { return w.Path.IsZero() && len(w.Methods) == 0 }

// StringMatch holds at most one field; none: matches everything.
type StringMatch struct {
	Exact, Prefix, Regex string
	PathPrefix           string // whole path elements, as the Gateway API means it
	Present              bool
}

// IsZero says whether it matches everything.
func (m StringMatch) IsZero() bool { return m == StringMatch{} }

// HeaderMatch is about one header or one query parameter.
type HeaderMatch struct {
	Name   string
	Value  StringMatch
	Invert bool
}

// Backend is where a share of the requests goes.
type Backend struct {
	Host            string // of the service
	Port            uint32 // 0: the service's only port, or the port that the caller named
	Subset          string // "" and a split of the service: by the split
	Weight          uint32 // relative
	Invalid         string // why it can never be reached: its share is answered with 500
	Rewrite         *Rewrite
	RequestHeaders  HeaderChange
	ResponseHeaders HeaderChange
	Fallback        *Fallback // what callers get instead of its failures; nil: those
	Origin          Origin
}

// HeaderChange adds, sets and removes headers.
type HeaderChange struct {
	Set, Add []Header
	Remove   []string
}

// Header is a header to write. Its value is in Envoy's format language: %REQ(x)%
// is replaced, and %% is one percent sign.
type Header struct{ Name, Value string }

// Redirect answers with a Location. Empty fields stay as in the request.
type Redirect struct {
	Scheme, Host, Path string
	PrefixPath         *string // replaces the matched prefix
	Port               uint32
	Code               uint32 // 301, 302, 303, 307, 308
}

// Rewrite changes the request before it is forwarded.
type Rewrite struct {
	Host       string
	Path       string  // the whole path
	PrefixPath *string // the matched prefix
	Regex      string  // with RegexReplacement
	RegexSubst string
}

type DirectResponse struct {
	Status uint32
	Body   string
}

// Fault is injected for a share of the requests, in percent.
type Fault struct {
	Delay        time.Duration
	DelayPercent float64
	AbortStatus  uint32
	AbortGRPC    *uint32
	AbortPercent float64
}

// Mirror sends a copy of a share of the requests, in percent, and drops the answers.
type Mirror struct {
	Backend Backend
	Percent float64
}

// CORS policy of a rule.
type CORS struct {
	Origins       []StringMatch
	Methods       []string
	Headers       []string
	ExposeHeaders []string
	MaxAge        time.Duration
	Credentials   bool
	Stops         bool // preflights of other origins: they are answered, and do not reach the backend
}

// Retry says when a failed attempt is repeated. Requests with a method that is
// not idempotent (POST, PATCH) are never repeated unless they carry an
// Idempotency-Key.
type Retry struct {
	Attempts   uint32 // beside the first; 0: never
	PerTry     time.Duration
	On         []string // Envoy's retry_on words; with no Statuses either: the default of the mesh
	Statuses   []uint32
	Backoff    time.Duration
	NotMethods bool // repeat whatever the method: the owner says that it is safe
	SameHost   bool // endpoints that failed the request are asked again like others
	Elsewhere  bool // of a service that Localities order, those that come later are asked, too
	// HedgeAfter has another attempt made beside one that took that long, which goes on; 0: never. PerTry is 0 then.
	HedgeAfter time.Duration
}
