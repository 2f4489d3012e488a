package model

import "reflect"

// Proxy is one connected Envoy. Key: ID.
type Proxy struct {
	ID        string // namespace/name of its workload
	Scope     string // key of the view that it receives
	Connected bool
	Refusals  []Refusal
	Version   string // of Envoy
}

// Refusal is a resource that the proxy did not accept; what it had stays.
type Refusal struct {
	Type, Name string
	Version    uint64
	From       []Key // of the objects that caused the resource, those that may be to blame
	Reason     string
}

func (p Proxy) Key() string        { return p.ID }
func (p Proxy) Equal(o Proxy) bool { return reflect.DeepEqual(p, o) }

// Names of the secrets that an agent gives its Envoy, and that Envoy's
// configuration refers to.
const (
	SecretWorkload    = "workload"     // certificate chain and key
	SecretRoots       = "roots"        // what the mesh trusts
	SecretSystemRoots = "system-roots" // what the machine trusts, for TLS to the outside
)
