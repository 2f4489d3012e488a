package model

import (
	"reflect"
	"time"
)

// Egress says that the proxies of some workloads know these services and no
// others: Istio's Sidecar. Key: object.
type Egress struct {
	Object    Key
	Namespace string            // of the workloads; "": the default of the whole mesh
	Selector  map[string]string // of their labels; empty: the default of the namespace
	Rank      int64             // as in RouteTable: of several that select a workload, the oldest decides
	Hosts     []HostPattern     // none: the workloads call nobody
	Except    []HostPattern     // taken out of Hosts again
	Unbound   bool              // they know what they know without it: Hosts says nothing
	Closed    bool              // calls to what no service has are refused, and do not go where they were going
	From      []Origin
}

func (e Egress) Key() string         { return e.Object.String() }
func (e Egress) Equal(o Egress) bool { return reflect.DeepEqual(e, o) }

// HostPattern are the services of a namespace whose hosts fit.
type HostPattern struct {
	Namespace string // "": any; CallerNamespace
	Host      string // a host, "*.suffix", or "*" for all
	Origin    Origin
}

// CallerNamespace in a default of the whole mesh is the namespace of each workload.
const CallerNamespace = "."

// Declared is what somebody wrote that an account calls. Key: object.
type Declared struct {
	Object             Key
	Namespace, Account string
	Hosts              []DeclaredHost
	// Only says that the account needs nothing else: nothing is learned.
	Only bool
	From []Origin
}

// DeclaredHost is one entry of it, with the place where it stands.
type DeclaredHost struct {
	Host   string // of a service, which may not exist
	Origin Origin
}

func (d Declared) Key() string           { return d.Object.String() }
func (d Declared) Equal(o Declared) bool { return reflect.DeepEqual(d, o) }

// Learned is a service that an account turned out to call. Key: namespace/account|host.
type Learned struct {
	Namespace string    `json:"namespace"`
	Account   string    `json:"account"`
	Host      string    `json:"host"` // of a service
	How       How       `json:"how"`
	First     time.Time `json:"firstSeen"`
	Last      time.Time `json:"lastSeen"`
}

// How a service was learned.
type How string

const (
	Observed How = "Observed" // calls were counted by the caller's proxy
	OnDemand How = "OnDemand" // a proxy asked for it, for a call that waited
)

func (l Learned) Key() string { return l.Namespace + "/" + l.Account + "|" + l.Host }
func (l Learned) Equal(o Learned) bool {
	return l.Namespace == o.Namespace && l.Account == o.Account && l.Host == o.Host && l.How == o.How &&
		l.First.Equal(o.First) && l.Last.Equal(o.Last)
}
