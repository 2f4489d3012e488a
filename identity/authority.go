package identity

import (
	"cmp"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"strings"
	"time"

	"weft.dev/model"
)

// Authority decides who gets which certificate. Its errors are a *Refusal, or
// the server's own trouble.
type Authority struct {
	CA       *CA
	Tokens   *Tokens
	Previews *Previews // signs those
	// Lifetimes of certificates; 0: WorkloadLifetime, HostLifetime.
	Workload, Host time.Duration
}

func (a Authority) workloadLifetime() time.Duration { return cmp.Or(a.Workload, WorkloadLifetime) }
func (a Authority) hostLifetime() time.Duration     { return cmp.Or(a.Host, HostLifetime) }

// NewToken makes a one-time token for a host.
func (a Authority) NewToken(grant Grant) (string, error) {
	return a.Tokens.Create(grant, TokenTTL, a.CA.Fingerprint())
}

// Join makes a host of whoever holds a token. What the token grants stands in
// the certificate: the server has no list that could be lost.
func (a Authority) Join(r model.JoinRequest) (model.JoinReply, error) {
	name := Name{Trust: a.CA.Trust(), Host: strings.ToLower(r.Host)}
	if err := name.check(); err != nil || r.Host == "" {
		return model.JoinReply{}, refuse(fmt.Sprintf("join: host name %.300q: use letters, digits, '-' and '.'", r.Host))
	}
	if _, err := keyOf(r.CSR); err != nil { // before the token is spent
		return model.JoinReply{}, err
	}
	grant, err := a.Tokens.Redeem(r.Token)
	if err != nil {
		return model.JoinReply{}, err
	}
	chain, roots, err := a.CA.issue(r.CSR, name, grant.subject(name.Host), a.hostLifetime())
	return model.JoinReply{
		CertificateReply: model.CertificateReply{Chain: chain, Roots: roots},
		TrustDomain:      a.CA.Trust(),
	}, err
}

// Attest makes a workload of whoever somebody else vouches for: Kubernetes, for
// the ServiceAccount of a pod.
func (a Authority) Attest(csr []byte, namespace, account string) (model.JoinReply, error) {
	name := Name{Trust: a.CA.Trust(), Namespace: namespace, Account: account}
	if err := name.check(); err != nil || account == "" {
		return model.JoinReply{}, refuse(fmt.Sprintf("attest: %.100q/%.100q is no account", namespace, account))
	}
	chain, roots, err := a.CA.issue(csr, name, pkix.Name{}, a.workloadLifetime())
	return model.JoinReply{
		CertificateReply: model.CertificateReply{Chain: chain, Roots: roots},
		TrustDomain:      a.CA.Trust(),
	}, err
}

// Renew signs a new certificate for a caller whose certificate TLS has verified:
// its own again, or that of a workload that a host's grant covers.
func (a Authority) Renew(caller *x509.Certificate, r model.RenewRequest) (model.CertificateReply, error) {
	name, err := a.Caller(caller, "")
	if err != nil {
		return model.CertificateReply{}, err
	}
	subject, lifetime := caller.Subject, a.workloadLifetime()
	wanted := Name{Trust: name.Trust, Namespace: r.Namespace, Account: r.Account}
	switch {
	case name.Host != "" && r.Account == "":
		wanted, lifetime = name, a.hostLifetime()
	case name.Host != "":
		if !grantOf(caller).Allows(r.Namespace, r.Account) {
			return model.CertificateReply{}, refuse(fmt.Sprintf("host %s: its token did not grant %.100s/%.100s: join again with one that does", name.Host, r.Namespace, r.Account))
		}
		subject = pkix.Name{CommonName: name.Host} // says later which machine asked
	case wanted != name:
		return model.CertificateReply{}, refuse(fmt.Sprintf("%s may renew its own identity only", name))
	}
	chain, roots, err := a.CA.issue(r.CSR, wanted, subject, lifetime)
	return model.CertificateReply{Chain: chain, Roots: roots}, err
}

// Caller is who a verified certificate speaks for, in this authority's domain. A
// host may speak as a workload, "namespace/account", that its grant covers; as ""
// it speaks for itself.
func (a Authority) Caller(cert *x509.Certificate, as string) (Name, error) {
	name, err := NameOf(cert)
	switch {
	case err != nil:
		return Name{}, refuse(err.Error())
	case name.Trust != a.CA.Trust():
		return Name{}, refuse(fmt.Sprintf("%s is not of trust domain %s", name, a.CA.Trust()))
	case name.IsServer():
		return Name{}, refuse("the server's own certificate is not a caller's")
	case cert.NotAfter.Before(a.CA.now()):
		return Name{}, refuse("the certificate of " + name.String() + " has ended")
	case as == "":
		return name, nil
	}
	namespace, account, _ := strings.Cut(as, "/")
	wanted := Name{Trust: name.Trust, Namespace: namespace, Account: account}
	switch {
	case wanted == name:
		return name, nil
	case name.Host == "" || account == "" || wanted.check() != nil || !grantOf(cert).Allows(namespace, account):
		return Name{}, refuse(fmt.Sprintf("%s may not speak as %.200q: its token did not grant it", name, as))
	}
	return wanted, nil
}

// Roots and Changed are those of the CA.
func (a Authority) Roots() [][]byte          { return a.CA.Roots() }
func (a Authority) Changed() <-chan struct{} { return a.CA.Changed() }

const (
	grantNamespace = "namespace/"
	grantApp       = "app/"
)

// subject writes the grant into a host's certificate, as Kubernetes writes
// groups: values of O.
func (g Grant) subject(host string) pkix.Name {
	name := pkix.Name{CommonName: host}
	for _, n := range g.Namespaces {
		name.Organization = append(name.Organization, grantNamespace+n)
	}
	for _, a := range g.Apps {
		name.Organization = append(name.Organization, grantApp+a)
	}
	return name
}

func grantOf(cert *x509.Certificate) Grant {
	var g Grant
	for _, o := range cert.Subject.Organization {
		if n, ok := strings.CutPrefix(o, grantNamespace); ok {
			g.Namespaces = append(g.Namespaces, n)
		} else if a, ok := strings.CutPrefix(o, grantApp); ok {
			g.Apps = append(g.Apps, a)
		}
	}
	return g
}
