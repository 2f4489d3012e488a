package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"weft.dev/model"
)

// Credential is a key, the certificate for it, and the roots to trust. It is
// immutable: a renewal makes a new one.
type Credential struct {
	Trust string
	Chain [][]byte // DER, leaf first
	Roots [][]byte // DER

	key  *ecdsa.PrivateKey
	leaf *x509.Certificate
}

// stored is a credential in one file, so that key and chain cannot be of two renewals.
type stored struct {
	Trust string   `json:"trustDomain"`
	Chain [][]byte `json:"chain"`
	Roots [][]byte `json:"roots"`
	Key   []byte   `json:"key"` // PKCS#8
}

// Key is a private key that waits for its certificate.
type Key struct {
	CSR []byte // PKCS#10, DER
	key *ecdsa.PrivateKey
}

// NewKey makes a key and the request for its certificate.
func NewKey() (Key, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	return Key{csr, key}, err
}

// Certified joins the key with what the server answered.
func (k Key) Certified(r model.CertificateReply, trust string) (*Credential, error) {
	c := &Credential{Trust: trust, Chain: r.Chain, Roots: r.Roots, key: k.key}
	return c, c.check()
}

// check also fills in the leaf.
func (c *Credential) check() (err error) {
	if len(c.Chain) == 0 || len(c.Roots) == 0 {
		return errors.New("credential: a certificate or a root is missing")
	}
	if c.leaf, err = x509.ParseCertificate(c.Chain[0]); err != nil {
		return errors.New("credential: its certificate cannot be read")
	}
	if !c.key.PublicKey.Equal(c.leaf.PublicKey) {
		return errors.New("credential: its certificate is for another key")
	}
	return nil
}

// LoadCredential reads what Save wrote.
func LoadCredential(files Files, name string) (*Credential, error) {
	data, err := files.Read(name)
	if err != nil {
		return nil, err
	}
	var s stored
	if json.Unmarshal(data, &s) != nil {
		return nil, fmt.Errorf("credential %s: not JSON", name)
	}
	key, err := x509.ParsePKCS8PrivateKey(s.Key)
	private, ok := key.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("credential %s: its key cannot be read", name)
	}
	c := &Credential{Trust: s.Trust, Chain: s.Chain, Roots: s.Roots, key: private}
	return c, c.check()
}

// Save writes the credential as one file.
func (c *Credential) Save(files Files, name string) error {
	key, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return err
	}
	data, err := json.Marshal(stored{c.Trust, c.Chain, c.Roots, key})
	if err != nil {
		return err
	}
	return files.Write(name, data)
}

// WithRoots is the credential with other roots.
func (c *Credential) WithRoots(roots [][]byte) *Credential {
	next := *c
	next.Roots = roots
	return &next
}

// Name is who the credential speaks for.
func (c *Credential) Name() (Name, error) { return NameOf(c.leaf) }

// Leaf is the certificate itself.
func (c *Credential) Leaf() *x509.Certificate { return c.leaf }

// RenewAt is half the life of the certificate, Ends all of it.
func (c *Credential) RenewAt() time.Time { return halfLife(c.leaf) }
func (c *Credential) Ends() time.Time    { return c.leaf.NotAfter }

// ChainPEM, KeyPEM and RootsPEM are what Envoy reads.
func (c *Credential) ChainPEM() []byte { return pemOf(c.Chain) }
func (c *Credential) RootsPEM() []byte { return pemOf(c.Roots) }

func (c *Credential) KeyPEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

func pemOf(certs [][]byte) []byte {
	var out []byte
	for _, der := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

func (c *Credential) tls() *tls.Certificate {
	return &tls.Certificate{Certificate: c.Chain, PrivateKey: c.key, Leaf: c.leaf}
}
