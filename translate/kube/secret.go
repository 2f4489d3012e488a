package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

const (
	caField    = "ca.crt"
	crlField   = "ca.crl"
	minRSABits = 2048 // Envoy refuses fewer
	maxPEM     = 256 << 10
)

// Secret gives a certificate, or none where the Secret is about something else.
// One that proxies would refuse is no certificate, but says why.
func Secret(o *object.Object, s *corev1.Secret) []model.Certificate {
	chain, key, ca, crl := s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey], s.Data[caField], s.Data[crlField]
	if s.Type != corev1.SecretTypeTLS && len(chain)+len(key)+len(ca) == 0 {
		return nil
	}
	c := model.Certificate{Name: o.Namespace + "/" + o.Key.Name, From: o.Whole()}
	onlyCA := s.Type != corev1.SecretTypeTLS && len(chain)+len(key) == 0
	field, err := "", error(nil)
	if !onlyCA {
		field, err = checkPair(chain, key)
	}
	if err == nil && len(ca) > 0 {
		field, err = caField, checkCA(ca)
	}
	if err == nil && len(crl) > 0 {
		field, err = crlField, checkCRL(crl, len(ca) > 0)
	}
	if err != nil {
		c.Invalid = fmt.Sprintf("data[%s]: %s", field, err)
		o.Invalid(object.Path("data").Entry(field), "%s; proxies keep the certificate that they have", err)
		return []model.Certificate{c}
	}
	c.Chain, c.PrivateKey, c.CA, c.CRL = chain, model.PrivateKey(key), ca, crl
	return []model.Certificate{c}
}

// checkPair names the field that is wrong. No error repeats what is in it.
func checkPair(chain, key []byte) (field string, err error) {
	switch {
	case len(chain) == 0 || len(chain) > maxPEM:
		return corev1.TLSCertKey, fmt.Errorf("has %d bytes; put a PEM certificate there, of at most %d bytes", len(chain), maxPEM)
	case len(key) == 0 || len(key) > maxPEM:
		return corev1.TLSPrivateKeyKey, fmt.Errorf("has %d bytes; put the PEM key of the certificate there, of at most %d bytes", len(key), maxPEM)
	}
	certificates, err := parse(chain)
	if err != nil {
		return corev1.TLSCertKey, err
	}
	if err := checkStrength(certificates[0]); err != nil {
		return corev1.TLSCertKey, err
	}
	if _, err := tls.X509KeyPair(chain, key); err != nil {
		return corev1.TLSPrivateKeyKey, errors.New("is no PEM key of the certificate; put the one there with which it was made")
	}
	return "", nil
}

// checkStrength refuses what Envoy would refuse.
func checkStrength(c *x509.Certificate) error {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits {
			return fmt.Errorf("has an RSA key of %d bits, and proxies refuse fewer than %d; make a longer one", bits, minRSABits)
		}
		return nil
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() || key.Curve == elliptic.P521() {
			return nil
		}
	}
	return fmt.Errorf("has a key of kind %s, which proxies refuse; use RSA, or ECDSA on P-256, P-384 or P-521", c.PublicKeyAlgorithm)
}

func checkCA(text []byte) error {
	if len(text) > maxPEM {
		return fmt.Errorf("has %d bytes, more than %d", len(text), maxPEM)
	}
	_, err := parse(text)
	return err
}

// checkCRL reads a list of certificates that are not trusted any more. One that cannot be read must not let them in.
func checkCRL(text []byte, trusts bool) error {
	if len(text) > maxPEM {
		return fmt.Errorf("has %d bytes, more than %d", len(text), maxPEM)
	}
	if !trusts {
		return errors.New("takes back what nobody is trusted for; put ca.crt beside it")
	}
	lists := 0
	for rest := text; ; lists++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if _, err := x509.ParseRevocationList(block.Bytes); err != nil || block.Type != "X509 CRL" {
			return fmt.Errorf("list %d of it cannot be read; put a PEM list of revoked certificates there", lists+1)
		}
	}
	if lists == 0 {
		return errors.New("holds no PEM list of revoked certificates; put one there, or leave it out")
	}
	return nil
}

// parse reads all certificates of a PEM text; there is at least one.
func parse(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of it cannot be read; put a PEM certificate there", len(all)+1)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("holds no PEM certificate; put one there")
	}
	return all, nil
}
