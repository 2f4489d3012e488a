package identity

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"weft.dev/model"
)

// Name is who a certificate speaks for: a workload's account (Namespace and
// Account), a host (Host), or the server (neither).
type Name struct {
	Trust              string
	Namespace, Account string
	Host               string
}

// String is the SPIFFE id.
func (n Name) String() string {
	switch {
	case n.Host != "":
		return "spiffe://" + n.Trust + "/host/" + n.Host
	case n.Account != "":
		return model.SPIFFE(n.Trust, n.Namespace, n.Account)
	}
	return "spiffe://" + n.Trust + "/weft/server"
}

// IsServer says whether the name is the server's.
func (n Name) IsServer() bool { return n.Host == "" && n.Account == "" }

// label is a DNS label, subdomain a dotted one: what names of the mesh are made of.
var (
	label     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	subdomain = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
)

// ParseName reads a SPIFFE id. Only an id that String would write is one.
func ParseName(id string) (Name, error) {
	rest, ok := strings.CutPrefix(id, "spiffe://")
	parts := strings.Split(rest, "/")
	var n Name
	switch {
	case len(parts) == 3 && parts[1] == "host":
		n = Name{Trust: parts[0], Host: parts[2]}
	case len(parts) == 5 && parts[1] == "ns" && parts[3] == "sa":
		n = Name{Trust: parts[0], Namespace: parts[2], Account: parts[4]}
	case len(parts) == 3:
		n = Name{Trust: parts[0]}
	}
	if !ok || n.check() != nil || n.String() != id {
		return Name{}, fmt.Errorf("%.200q is not the identity of a workload, a host or the server", id)
	}
	return n, nil
}

// check keeps whatever could be read in two ways out of an identity.
func (n Name) check() error {
	switch {
	case !subdomain.MatchString(n.Trust):
		return fmt.Errorf("trust domain %.300q: use lower case letters, digits, '-' and '.'", n.Trust)
	case n.Host != "" && !subdomain.MatchString(n.Host):
		return fmt.Errorf("host name %.300q: use lower case letters, digits, '-' and '.', at most 253", n.Host)
	case n.Account != "" && !label.MatchString(n.Namespace):
		return fmt.Errorf("namespace %.100q: use lower case letters, digits and '-', at most 63", n.Namespace)
	case n.Account != "" && !subdomain.MatchString(n.Account):
		return fmt.Errorf("account %.300q: use lower case letters, digits, '-' and '.', at most 253", n.Account)
	}
	return nil
}

// NameOf is who a verified certificate speaks for.
func NameOf(cert *x509.Certificate) (Name, error) {
	if len(cert.URIs) != 1 {
		return Name{}, fmt.Errorf("certificate has %d URI names: a SPIFFE certificate has one", len(cert.URIs))
	}
	return ParseName(cert.URIs[0].String())
}

func (n Name) uri() *url.URL {
	u, err := url.Parse(n.String())
	if err != nil {
		panic("identity: " + err.Error()) // check lets nothing through that does not parse
	}
	return u
}
