package model

import (
	"reflect"
	"strconv"
	"strings"
	"time"
)

// RateLimit is what one object limits at one target. Key: object and target.
type RateLimit struct {
	Object Key
	Target LimitTarget
	Limits []Limit // in the order in which they are asked: those with a key first
	From   []Origin
}

// LimitTarget is where requests are counted: at the instances of a service, or at gateways.
type LimitTarget struct {
	Kind, Name, Section string // as they are written
	// Selector of the instances, in the object's namespace, for a Service.
	Selector map[string]string
	Ports    []Port // of the Service, those that speak HTTP
}

// String is "HTTPRoute/shop", or "HTTPRoute/shop/pages" for a part of it.
func (t LimitTarget) String() string {
	s := t.Kind + "/" + t.Name
	if t.Section != "" {
		s += "/" + t.Section
	}
	return s
}

func (r RateLimit) Key() string            { return r.Object.String() + "@" + r.Target.String() }
func (r RateLimit) Equal(o RateLimit) bool { return reflect.DeepEqual(r, o) }

// ID names a limit to proxies, and in what they count.
func (r RateLimit) ID(l Limit) LimitID {
	return LimitID(strings.Join([]string{r.Object.Namespace, r.Object.Name, l.Name, r.Target.Kind, r.Target.Name, r.Target.Section}, "/"))
}

const (
	// LimitStatPrefix begins the names of what an Envoy counts of limits: it is followed by the ID.
	LimitStatPrefix = "weft_limit"
	// LimitDomain is that of a proxy that asks the server to count, LimitEntry the entry of a descriptor that has the ID.
	LimitDomain = "weft"
	LimitEntry  = "limit"
)

// LimitID is NAMESPACE/OBJECT/LIMIT/KIND/NAME/SECTION. None of them has a slash.
type LimitID string

// Parts are those of the name; false: it is none.
func (id LimitID) Parts() (object Key, limit, target string, ok bool) {
	p := strings.SplitN(string(id), "/", 4)
	if len(p) != 4 {
		return Key{}, "", "", false
	}
	return Key{"RateLimit", p[0], p[1]}, p[2], strings.TrimSuffix(p[3], "/"), true
}

// Limit is so many requests in a time. It is a bucket of Burst, which fills evenly.
type Limit struct {
	Name     string
	Requests uint32
	Per      time.Duration
	Burst    uint32
	Match    LimitMatch
	Key      []LimitKey // what tells budgets apart; none: there is one
	Global   bool       // the server counts, for all proxies
	Shadow   bool       // nobody is refused
	Closed   bool       // with Global: nobody is let in while the server does not answer
	Origin   Origin
}

// LimitMatch is a conjunction; empty lists match everything.
type LimitMatch struct {
	Paths   []StringMatch // any of them: Exact or PathPrefix
	Methods []string      // any of them
	Headers []HeaderMatch // all of them
}

// LimitKey is one part of a key; one field is set.
type LimitKey struct {
	Header  string
	Claim   string // of a verified token; "a.b" is b within a
	Caller  bool   // the identity
	Address bool   // from which the connection comes
}

// String is how people know it.
func (k LimitKey) String() string {
	switch {
	case k.Header != "":
		return "header " + k.Header
	case k.Claim != "":
		return "claim " + k.Claim
	case k.Caller:
		return "caller"
	}
	return "address"
}

// limitUnits are the times in which people count.
var limitUnits = map[string]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

// LimitUnit is a time by its name; 0: there is none.
func LimitUnit(name string) time.Duration { return limitUnits[name] }

// Text is "100 per second, 200 at once".
func (l Limit) Text() string {
	unit := l.Per.String()
	for name, d := range limitUnits {
		if d == l.Per {
			unit = name
		}
	}
	text := strconv.Itoa(int(l.Requests)) + " per " + unit
	if l.Burst != l.Requests {
		text += ", " + strconv.Itoa(int(l.Burst)) + " at once"
	}
	return text
}

// LimitCounts is what became of the requests that met a limit.
type LimitCounts struct {
	Allowed uint64 `json:"allowed,omitempty"`
	Limited uint64 `json:"limited,omitempty"`
	Shadow  uint64 `json:"shadow,omitempty"` // let in, by a limit that would have refused them
}

// Add is both together.
func (c LimitCounts) Add(o LimitCounts) LimitCounts {
	return LimitCounts{c.Allowed + o.Allowed, c.Limited + o.Limited, c.Shadow + o.Shadow}
}
