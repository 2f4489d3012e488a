package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ServerTLS are the settings of the mesh port. A client may come without a
// certificate, for Join; one that it brings must be of a trusted root.
func (ca *CA) ServerTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"h2"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			cert, err := ca.serverCertificate()
			if err != nil {
				return nil, err
			}
			return &tls.Config{
				MinVersion:             tls.VersionTLS13,
				NextProtos:             []string{"h2"},
				Certificates:           []tls.Certificate{*cert},
				ClientAuth:             tls.VerifyClientCertIfGiven,
				ClientCAs:              pool(ca.Roots()),
				SessionTicketsDisabled: true, // a resumed session would outlive its root
				Time:                   ca.now,
			}, nil
		},
	}
}

// PeerTLS are the settings of a server that calls the mesh port of another one.
func (ca *CA) PeerTLS() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{"h2"},
		InsecureSkipVerify: true, // a host name proves nothing here: VerifyConnection asks for the server's SPIFFE id
		VerifyConnection: func(state tls.ConnectionState) error {
			return verifyServer(state.PeerCertificates, pool(ca.Roots()), ca.trust)
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return ca.serverCertificate() },
		Time:                 ca.now,
	}
}

// PeopleTLS are the settings of a port at which no certificate is asked for.
func (ca *CA) PeopleTLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return ca.serverCertificate() },
	}
}

// HostTLS are the settings of a port whose clients know the server by a DNS name
// and trust the authority's roots.
func (ca *CA) HostTLS(hosts ...string) *tls.Config {
	var mu sync.Mutex
	var held *tls.Certificate
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			mu.Lock()
			defer mu.Unlock()
			if held != nil && ca.now().Before(halfLife(held.Leaf)) {
				return held, nil
			}
			ca.mu.Lock()
			defer ca.mu.Unlock()
			cert, err := ca.newServer(hosts, ca.now())
			held = cert
			return cert, err
		},
	}
}

// RootsPEM are the roots as other programs read them.
func (ca *CA) RootsPEM() []byte { return pemOf(ca.Roots()) }

// ClientTLS are the settings of who calls the mesh port with a certificate.
// held is asked at every handshake, so that a renewed one is used.
func ClientTLS(held func() *Credential) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{"h2"},
		InsecureSkipVerify: true, // a host name proves nothing here: VerifyConnection asks for the server's SPIFFE id
		VerifyConnection: func(state tls.ConnectionState) error {
			c := held()
			return verifyServer(state.PeerCertificates, pool(c.Roots), c.Trust)
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return held().tls(), nil
		},
	}
}

// JoinTLS are the settings of who has nothing but a token: the server must hang
// on the root that the token names.
func JoinTLS(token string) (*tls.Config, error) {
	_, _, wanted, err := splitToken(token)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{"h2"},
		InsecureSkipVerify: true, // VerifyConnection pins the root instead
		VerifyConnection: func(state tls.ConnectionState) error {
			i := slices.IndexFunc(state.PeerCertificates, func(c *x509.Certificate) bool { return fingerprint(c.Raw) == wanted })
			if i < 0 {
				return errors.New("the server is not the one that made the token: check the address")
			}
			return verifyServer(state.PeerCertificates, pool([][]byte{state.PeerCertificates[i].Raw}), "")
		},
	}, nil
}

// RootsTLS are the settings of who has nothing but the roots to trust, PEM.
func RootsTLS(pemRoots []byte) (*tls.Config, error) {
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(pemRoots) {
		return nil, errors.New("roots: no certificate in them")
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{"h2"},
		InsecureSkipVerify: true, // a host name proves nothing here: VerifyConnection asks for the server's SPIFFE id
		VerifyConnection: func(state tls.ConnectionState) error {
			return verifyServer(state.PeerCertificates, trusted, "")
		},
	}, nil
}

// verifyServer wants the server's SPIFFE id, of the trust domain if one is known.
func verifyServer(chain []*x509.Certificate, roots *x509.CertPool, trust string) error {
	if len(chain) == 0 {
		return errors.New("the server shows no certificate")
	}
	options := x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if _, err := chain[0].Verify(options); err != nil {
		return fmt.Errorf("the server's certificate: %w", err)
	}
	name, err := NameOf(chain[0])
	if err != nil {
		return err
	}
	if !name.IsServer() || trust != "" && name.Trust != trust {
		return fmt.Errorf("%s answers where the server of trust domain %q should", name, trust)
	}
	return nil
}

func pool(roots [][]byte) *x509.CertPool {
	p := x509.NewCertPool()
	for _, der := range roots {
		if cert, err := x509.ParseCertificate(der); err == nil {
			p.AddCert(cert)
		}
	}
	return p
}
