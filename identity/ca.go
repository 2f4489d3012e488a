package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	// WorkloadLifetime and renewal at half of it, or a little later, let the mesh run for 24 hours
	// without a server, also one that ends when everybody is about to renew.
	WorkloadLifetime = 50 * time.Hour
	// HostLifetime is how long a machine may be off and still come back without a new token.
	HostLifetime = 30 * 24 * time.Hour
	// RotationLead is the time in which every agent learns a new root: it signs only after that.
	RotationLead = WorkloadLifetime

	rootLifetime = 10 * 365 * 24 * time.Hour
	backdate     = 10 * time.Minute // a clock that is behind must not refuse a fresh certificate
	maxRoots     = 4
	maxCSR       = 4 << 10
	caFile       = "ca.json"
)

// CA is the certificate authority. It trusts a bundle of roots and signs with
// one of them, so that a rotation never leaves two sides without a common root.
type CA struct {
	trust string
	files Files
	now   func() time.Time

	mu      sync.Mutex
	roots   []root // oldest first
	server  *tls.Certificate
	changed chan struct{} // closed when the bundle changes
}

// root is trusted until Until and signs from From on, if it is the newest that may.
type root struct {
	Certificate []byte    `json:"certificate"` // DER
	Key         []byte    `json:"key"`         // PKCS#8
	From        time.Time `json:"from"`
	Until       time.Time `json:"until"`

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// OpenCA reads the authority from files, or founds one if there is none.
func OpenCA(files Files, trust string, now func() time.Time) (*CA, error) {
	if err := (Name{Trust: trust}).check(); err != nil {
		return nil, err
	}
	ca := &CA{trust: trust, files: files, now: now, changed: make(chan struct{})}
	data, err := files.Read(caFile)
	if errors.Is(err, fs.ErrNotExist) {
		first, err := newRoot(trust, now(), now())
		if err != nil {
			return nil, err
		}
		return ca, ca.keep([]root{first})
	}
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	if ca.roots, err = readRoots(data); err != nil {
		return nil, fmt.Errorf("certificate authority: %s: %w; restore it from a backup: a new one is trusted by nobody", caFile, err)
	}
	if id := ca.roots[0].cert.URIs; len(id) != 1 || id[0].Host != trust {
		return nil, fmt.Errorf("certificate authority: it was founded for %v, not for trust domain %q", id, trust)
	}
	return ca, nil
}

func readRoots(data []byte) ([]root, error) {
	var roots []root
	if err := json.Unmarshal(data, &roots); err != nil {
		return nil, errors.New("not JSON") // the error of the decoder may quote a key
	}
	if len(roots) == 0 {
		return nil, errors.New("no root")
	}
	for i := range roots {
		r := &roots[i]
		cert, err := x509.ParseCertificate(r.Certificate)
		if err != nil {
			return nil, fmt.Errorf("root %d: not a certificate", i)
		}
		key, err := x509.ParsePKCS8PrivateKey(r.Key)
		private, ok := key.(*ecdsa.PrivateKey)
		if err != nil || !ok || !private.PublicKey.Equal(cert.PublicKey) {
			return nil, fmt.Errorf("root %d: its key does not fit", i)
		}
		r.cert, r.key = cert, private
	}
	return roots, nil
}

func newRoot(trust string, now, from time.Time) (root, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return root{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: "weft " + trust + " " + now.UTC().Format("2006-01-02")},
		URIs:         []*url.URL{{Scheme: "spiffe", Host: trust}},
		NotBefore:    now.Add(-backdate), NotAfter: now.Add(rootLifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return root{}, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return root{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	return root{Certificate: der, Key: pkcs8, From: from, Until: cert.NotAfter, cert: cert, key: key}, err
}

func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	return new(big.Int).SetBytes(b[:])
}

// keep writes the roots down before anybody sees them. The caller holds mu, or
// is the only one who has ca.
func (ca *CA) keep(roots []root) error {
	data, err := json.Marshal(roots)
	if err != nil {
		return err
	}
	if err := ca.files.Write(caFile, data); err != nil {
		return fmt.Errorf("certificate authority: %w", err)
	}
	ca.roots = roots
	ca.server = nil
	close(ca.changed)
	ca.changed = make(chan struct{})
	return nil
}

// Rotate adds a root. Everybody trusts it at once, it signs after lead (use
// RotationLead unless a key has leaked), and the roots before it are trusted
// until the last certificate that they signed has ended.
func (ca *CA) Rotate(lead time.Duration) error {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	now := ca.now()
	roots := slices.DeleteFunc(slices.Clone(ca.roots), func(r root) bool { return now.After(r.Until) })
	if len(roots) >= maxRoots {
		return fmt.Errorf("certificate authority: %d roots are trusted already: wait until %s, when one ends", maxRoots, roots[0].Until.UTC().Format(time.RFC3339))
	}
	next, err := newRoot(ca.trust, now, now.Add(lead))
	if err != nil {
		return err
	}
	for i := range roots {
		if end := next.From.Add(HostLifetime); end.Before(roots[i].Until) {
			roots[i].Until = end
		}
	}
	return ca.keep(append(roots, next))
}

// trusted are the roots of the bundle now. The caller holds mu.
func (ca *CA) trusted() []root {
	now := ca.now()
	return slices.DeleteFunc(slices.Clone(ca.roots), func(r root) bool { return now.After(r.Until) })
}

// Roots are the certificates to trust, DER, oldest first.
func (ca *CA) Roots() [][]byte {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return certificates(ca.trusted())
}

func certificates(roots []root) [][]byte {
	var out [][]byte
	for _, r := range roots {
		out = append(out, r.Certificate)
	}
	return out
}

// Changed is closed when Roots is no longer what it was.
func (ca *CA) Changed() <-chan struct{} {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return ca.changed
}

// Trust is the trust domain.
func (ca *CA) Trust() string { return ca.trust }

// Fingerprint names the root that the server's own certificate hangs on: the
// oldest one, because those who were away when a newer one came trust it too.
func (ca *CA) Fingerprint() string {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return fingerprint(ca.trusted()[0].Certificate)
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// signer is the newest root whose time has come. The caller holds mu.
func (ca *CA) signer() root {
	roots := ca.trusted()
	for _, r := range slices.Backward(roots) {
		if !ca.now().Before(r.From) {
			return r
		}
	}
	return roots[0]
}

// request is what a certificate is made of.
type request struct {
	name     Name
	key      any // public
	subject  pkix.Name
	lifetime time.Duration
	usage    []x509.ExtKeyUsage
	hosts    []string // DNS names, for clients that know no SPIFFE ids
}

func sign(r request, by root, now time.Time) ([]byte, error) {
	if err := r.name.check(); err != nil {
		return nil, refuse(err.Error())
	}
	end := now.Add(r.lifetime)
	if by.Until.Before(end) {
		end = by.Until
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: r.subject, URIs: []*url.URL{r.name.uri()}, DNSNames: r.hosts,
		NotBefore: now.Add(-backdate), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: r.usage, BasicConstraintsValid: true,
	}
	return x509.CreateCertificate(rand.Reader, template, by.cert, r.key, by.key)
}

var bothEnds = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}

// issue signs the key of a CSR for a name that the caller has decided.
func (ca *CA) issue(csr []byte, name Name, subject pkix.Name, lifetime time.Duration) (chain, roots [][]byte, err error) {
	key, err := keyOf(csr)
	if err != nil {
		return nil, nil, err
	}
	name.Trust = ca.trust
	ca.mu.Lock()
	defer ca.mu.Unlock()
	leaf, err := sign(request{name: name, key: key, subject: subject, lifetime: lifetime, usage: bothEnds}, ca.signer(), ca.now())
	if err != nil {
		return nil, nil, err
	}
	return [][]byte{leaf}, certificates(ca.trusted()), nil
}

// keyOf takes the key of a CSR, and nothing else that stands in it.
func keyOf(csr []byte) (*ecdsa.PublicKey, error) {
	if len(csr) > maxCSR {
		return nil, refuse(fmt.Sprintf("certificate request of %d bytes: at most %d are read", len(csr), maxCSR))
	}
	parsed, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, refuse("certificate request: not PKCS#10")
	}
	if parsed.CheckSignature() != nil {
		return nil, refuse("certificate request: not signed by its own key")
	}
	key, ok := parsed.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, refuse("certificate request: the key must be ECDSA P-256")
	}
	return key, nil
}

// serverCertificate is the server's own, renewed at half its life.
func (ca *CA) serverCertificate() (*tls.Certificate, error) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	now := ca.now()
	if ca.server != nil && now.Before(halfLife(ca.server.Leaf)) {
		return ca.server, nil
	}
	cert, err := ca.newServer(nil, now)
	if err != nil {
		return nil, err
	}
	ca.server = cert
	return cert, nil
}

// newServer is a new certificate of the server. The caller holds mu.
func (ca *CA) newServer(hosts []string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	by := ca.trusted()[0]
	der, err := sign(request{
		name: Name{Trust: ca.trust}, key: &key.PublicKey, subject: pkix.Name{CommonName: "weft"}, lifetime: WorkloadLifetime, usage: bothEnds, hosts: hosts,
	}, by, now)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	// The root goes along: who joins knows it by its fingerprint only.
	return &tls.Certificate{Certificate: [][]byte{der, by.Certificate}, PrivateKey: key, Leaf: leaf}, nil
}

// halfLife is when a certificate is to be renewed.
func halfLife(c *x509.Certificate) time.Time {
	return c.NotBefore.Add(backdate).Add(c.NotAfter.Sub(c.NotBefore.Add(backdate)) / 2)
}
