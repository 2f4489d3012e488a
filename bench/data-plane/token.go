package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

var b64 = base64.RawURLEncoding.EncodeToString

// signer makes the token that every request of a run has.
type signer struct{ key *ecdsa.PrivateKey }

func newSigner() (*signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return &signer{key}, err
}

// token is one that does not end.
func (s *signer) token() (string, error) {
	said := b64([]byte(`{"alg":"ES256","kid":"a"}`)) + "." + b64([]byte(`{"iss":"bench","sub":"alice"}`))
	digest := sha256.Sum256([]byte(said))
	x, y, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		return "", err
	}
	return said + "." + b64(append(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...)), nil
}

// keys is a JWKS.
func (s *signer) keys() string {
	point, _ := s.key.PublicKey.Bytes() // of a curve of the library
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"a","x":%q,"y":%q}]}`, b64(point[1:33]), b64(point[33:]))
}
