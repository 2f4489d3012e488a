package snapshot

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// What the PEM blocks of keys are called.
const (
	privateBlock = "PRIVATE KEY" // PKCS#8
	publicBlock  = "PUBLIC KEY"  // PKIX
)

// KeyID is how people tell keys apart: 16 hex digits.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

func keyIDs(keys []ed25519.PublicKey) string {
	ids := []string{}
	for _, key := range keys {
		ids = append(ids, KeyID(key))
	}
	return "[" + strings.Join(ids, " ") + "]"
}

// EncodeKey is a key as PEM, and its public part.
func EncodeKey(key ed25519.PrivateKey) (private, public []byte, err error) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	pkix, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: pkcs8}), pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: pkix}), nil
}

// PrivateKey reads the key that signs. Its errors do not show what they read.
func PrivateKey(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != privateBlock {
		return nil, errors.New("no PEM block PRIVATE KEY in it; weft snapshot-key FILE writes one")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("its PRIVATE KEY is not PKCS#8")
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("its PRIVATE KEY is %T, want one of Ed25519", parsed)
	}
	return key, nil
}

// PublicKeys reads the keys that are trusted, one or more: while a key is
// replaced, its successor is trusted beside it.
func PublicKeys(text []byte) ([]ed25519.PublicKey, error) {
	var all []ed25519.PublicKey
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != publicBlock {
			return nil, fmt.Errorf("a PEM block %.40q is in it, want PUBLIC KEY alone", block.Type)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("its PUBLIC KEY %d: %w", len(all)+1, err)
		}
		key, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return nil, fmt.Errorf("its PUBLIC KEY %d is %T, want one of Ed25519", len(all)+1, parsed)
		}
		all = append(all, key)
	}
	if len(all) == 0 {
		return nil, errors.New("no PEM block PUBLIC KEY in it; weft snapshot-key FILE writes one beside the private key, as FILE.pub")
	}
	return all, nil
}
