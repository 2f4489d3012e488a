package model

import (
	"bytes"
	"fmt"
	"slices"
)

// Certificate is what a Secret holds of TLS. Key: Name.
type Certificate struct {
	Name       string // "namespace/name"
	Chain      []byte // PEM; empty: there is none
	PrivateKey PrivateKey
	CA         []byte // PEM of whom to trust; empty: nobody is named
	CRL        []byte // PEM of those whom that does not trust any more
	// Invalid is why none of it can be used: proxies that have an earlier one keep that.
	Invalid string
	From    []Origin
}

func (c Certificate) Key() string { return c.Name }
func (c Certificate) Equal(o Certificate) bool {
	return c.Name == o.Name && bytes.Equal(c.Chain, o.Chain) && bytes.Equal(c.PrivateKey, o.PrivateKey) &&
		bytes.Equal(c.CA, o.CA) && bytes.Equal(c.CRL, o.CRL) && c.Invalid == o.Invalid && slices.Equal(c.From, o.From)
}

// Missing says why the certificate of a name, of which this one is all that there
// is, cannot be served.
func (c Certificate) Missing(name string) string {
	switch {
	case c.Invalid != "":
		return fmt.Sprintf("the Secret %s is not usable: %s", name, c.Invalid)
	case c.Name != "" && len(c.Chain) == 0:
		return fmt.Sprintf("the Secret %s has no certificate; put tls.crt and tls.key into it", name)
	}
	return fmt.Sprintf("there is no Secret %s; create one of type kubernetes.io/tls", name)
}

// PrivateKey is a key as PEM, or something else that nobody is to read. However it is printed, it does not show.
type PrivateKey []byte

func (PrivateKey) String() string                 { return "(private key)" }
func (k PrivateKey) GoString() string             { return k.String() }
func (k PrivateKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
