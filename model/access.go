package model

import (
	"reflect"
	"time"
)

// Reach is which proxies a policy is about: those that meet all of it.
type Reach struct {
	Namespace string            // "": the whole mesh
	Selector  map[string]string // labels of the workload; empty: any
	// Targets narrow it to proxies that are one of them; none: any.
	Targets []Target
}

// Target is something that a policy is attached to. One field is set.
type Target struct {
	Gateway string // by its name: the proxies that are this gateway
	Class   string // of gateways of the Gateway API: the proxies of all of them
	Service string // by its host: the workloads that serve it
}

// RequestAuth says which tokens of requests are honoured, and by whose keys. A
// request with a token that is not is refused; one without any passes. Key: object.
type RequestAuth struct {
	Object Key
	Reach
	Rules []TokenRule
	From  []Origin
}

func (r RequestAuth) Key() string              { return r.Object.String() }
func (r RequestAuth) Equal(o RequestAuth) bool { return reflect.DeepEqual(r, o) }

// TokenRule is about the tokens of one issuer.
type TokenRule struct {
	Issuer        string
	Audiences     []string  // one of them; none: any
	Keys          string    // a JWKS as ParseKeys makes it
	KeysFrom      KeySource // where they are to be had; none: Keys has them
	FromHeaders   []TokenHeader
	FromParams    []string
	FromCookies   []string // with none of the three: `authorization: Bearer`, and the parameter access_token
	PayloadHeader string   // gets what the token says, as base64url; "": none does
	ClaimHeaders  []ClaimHeader
	Forward       bool     // the token stays in the request
	Spaced        []string // claims that are lists, with spaces between their values
	Origin        Origin
}

// TokenHeader is a header that has a token behind a prefix.
type TokenHeader struct{ Name, Prefix string }

// ClaimHeader is a header that gets the value of a claim.
type ClaimHeader struct{ Header, Claim string }

// KeySource is where the keys of an issuer are to be had. Key: all of it.
type KeySource struct {
	URI string
	// Issuer: URI is the issuer's description of itself (OpenID Connect Discovery),
	// which says where they are; "": URI has them.
	Issuer  string
	Timeout time.Duration // of one attempt; 0: the longest
}

func (k KeySource) Key() string            { return k.Issuer + "|" + k.URI + "|" + k.Timeout.String() }
func (k KeySource) Equal(o KeySource) bool { return k == o }

// KeySet is what was found there. There is none as long as nobody has looked. Key: Source.
type KeySet struct {
	Source KeySource
	Keys   string // as ParseKeys makes them; "": there are none, and no token is honoured
	// Trouble is why they are not the newest; "": they are.
	Trouble string
}

func (k KeySet) Key() string         { return k.Source.Key() }
func (k KeySet) Equal(o KeySet) bool { return k == o }

// Authorizer is a server outside of the proxies that is asked about requests. Key: object.
type Authorizer struct {
	Object    Key
	Host      string
	Port      uint32
	HTTP      *HTTPAuthorizer // nil: it speaks Envoy's gRPC
	Timeout   time.Duration
	FailOpen  bool   // without an answer a request passes
	Status    uint32 // else it is answered with this
	BodyBytes uint32 // of a request's body, that it gets; 0: none
	BodyPart  bool   // of a larger body it gets as much; else such a request is refused
	From      []Origin
}

func (a Authorizer) Key() string             { return a.Object.String() }
func (a Authorizer) Equal(o Authorizer) bool { return reflect.DeepEqual(a, o) }

// HTTPAuthorizer gets a request with the same method and path. Header names: exact, "prefix*", "*suffix".
type HTTPAuthorizer struct {
	PathPrefix string
	Send       []string // headers of the request that it gets, beside authorization
	Add        []Header // that it gets from us
	ToBackend  []string // headers of its answer that go on with the request
	ToCaller   []string // headers of its refusal that the caller gets; none: all
}
