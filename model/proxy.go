package model

import (
	"reflect"
	"strings"
)

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

// Secrets that an agent makes of files of its machine, when its Envoy asks for them.
const (
	SecretFilePrefix = "file:" // a certificate, "file:CERTIFICATE~KEY"
	SecretCAPrefix   = "file-ca:"
)

// IsFileSecret says whether the agent makes the secret of a name.
func IsFileSecret(name string) bool {
	return strings.HasPrefix(name, SecretFilePrefix) || strings.HasPrefix(name, SecretCAPrefix)
}

// FileSecret names the secret of a certificate and its key, in files.
func FileSecret(certificate, key string) string {
	return SecretFilePrefix + certificate + "~" + key
}
