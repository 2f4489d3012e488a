package model

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Limits of a set of keys. Whoever signs with more hundreds of bits, or keys, costs each proxy.
const (
	MaxKeySet   = 256 << 10 // bytes of the text
	MaxKeys     = 64
	minRSA      = 2048 // bits
	maxRSA      = 8192
	maxKeyID    = 256 // bytes
	maxExponent = 4   // bytes
)

// JWK is the public part of a key as RFC 7517 writes it.
type JWK struct {
	Type  string `json:"kty"`
	Curve string `json:"crv,omitempty"`
	Alg   string `json:"alg,omitempty"`
	Use   string `json:"use,omitempty"`
	ID    string `json:"kid,omitempty"`
	N     string `json:"n,omitempty"`
	E     string `json:"e,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
}

// ParseKeys reads a JWKS. It gives the keys back that a proxy can verify tokens
// with, in one form and order whatever the text's, and says of others why not; the
// error is of a set without any that is good. What it does not know, and the
// private part that a text may have by mistake, is left out.
func ParseKeys(text []byte) (keys string, left []string, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	switch {
	case len(text) > MaxKeySet:
		return "", nil, fmt.Errorf("it has %d bytes, more than %d", len(text), MaxKeySet)
	case json.Unmarshal(text, &set) != nil || set.Keys == nil:
		return "", nil, errors.New(`it is no JWKS, a JSON object with "keys"`)
	case len(set.Keys) > MaxKeys:
		return "", nil, fmt.Errorf("it has %d keys, more than %d", len(set.Keys), MaxKeys)
	}
	var all []JWK
	for i, raw := range set.Keys {
		var k JWK
		why := "it cannot be read"
		if json.Unmarshal(raw, &k) == nil {
			why = k.normal()
		}
		if why != "" {
			left = append(left, fmt.Sprintf("key %d is left out: %s", i, why))
		} else if !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	if len(all) == 0 {
		return "", left, errors.New(strings.Join(append([]string{"it has no key that tokens can be verified with"}, left...), "; "))
	}
	slices.SortFunc(all, func(a, b JWK) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.N, b.N), cmp.Compare(a.X, b.X), cmp.Compare(a.Alg, b.Alg), cmp.Compare(a.Use, b.Use))
	})
	body, err := json.Marshal(map[string][]JWK{"keys": all})
	return string(body), left, err
}

// normal puts the key into one form; else it says why it is not usable.
func (k *JWK) normal() (why string) {
	switch {
	case k.Use != "" && k.Use != "sig":
		return fmt.Sprintf("its use is %q, not sig", abbreviated(k.Use))
	case len(k.ID) > maxKeyID:
		return fmt.Sprintf("its kid has %d bytes, more than %d", len(k.ID), maxKeyID)
	}
	switch k.Type {
	case "RSA":
		k.Curve, k.X, k.Y = "", "", ""
		return k.rsa()
	case "EC":
		k.N, k.E = "", ""
		return k.ec()
	case "OKP":
		k.N, k.E, k.Y = "", "", ""
		return k.okp()
	case "oct":
		return "it is a symmetric key (oct), with which whoever reads it can sign; use a key pair"
	}
	return fmt.Sprintf("its kty is %q, not RSA, EC or OKP", abbreviated(k.Type))
}

func (k *JWK) rsa() string {
	n, okN := number64(&k.N)
	e, okE := number64(&k.E)
	switch bits := new(big.Int).SetBytes(n).BitLen(); {
	case !okN || !okE || len(e) == 0 || len(e) > maxExponent:
		return "n or e is no number as base64url"
	case bits < minRSA || bits > maxRSA:
		return fmt.Sprintf("it has %d bits, not %d to %d", bits, minRSA, maxRSA)
	case k.Alg != "" && !slices.Contains([]string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, k.Alg):
		return fmt.Sprintf("its alg %q is none of an RSA key", abbreviated(k.Alg))
	}
	return ""
}

func (k *JWK) ec() string {
	curve, alg := elliptic.Curve(nil), ""
	switch k.Curve {
	case "P-256":
		curve, alg = elliptic.P256(), "ES256"
	case "P-384":
		curve, alg = elliptic.P384(), "ES384"
	case "P-521":
		curve, alg = elliptic.P521(), "ES512"
	default:
		return fmt.Sprintf("its crv is %q, not P-256, P-384 or P-521", abbreviated(k.Curve))
	}
	x, okX := number64(&k.X)
	y, okY := number64(&k.Y)
	size := (curve.Params().BitSize + 7) / 8
	switch {
	case !okX || !okY || len(x) > size || len(y) > size:
		return "x or y is no number as base64url"
	case k.Alg != "" && k.Alg != alg:
		return fmt.Sprintf("its alg %q is not that of %s", abbreviated(k.Alg), k.Curve)
	}
	point := make([]byte, 1+2*size)
	point[0] = 4
	copy(point[1+size-len(x):], x)
	copy(point[1+2*size-len(y):], y)
	if _, err := ecdsa.ParseUncompressedPublicKey(curve, point); err != nil {
		return "x and y are no point of its curve"
	}
	k.X, k.Y = base64.RawURLEncoding.EncodeToString(point[1:1+size]), base64.RawURLEncoding.EncodeToString(point[1+size:])
	return ""
}

func (k *JWK) okp() string {
	x, ok := decode64(&k.X)
	switch {
	case k.Curve != "Ed25519":
		return fmt.Sprintf("its crv is %q, not Ed25519", abbreviated(k.Curve))
	case !ok || len(x) != 32:
		return "x has not 32 bytes as base64url"
	case k.Alg != "" && k.Alg != "EdDSA":
		return fmt.Sprintf("its alg %q is not EdDSA", abbreviated(k.Alg))
	}
	return ""
}

// number64 is decode64 without leading zeros, which some write.
func number64(text *string) ([]byte, bool) {
	b, ok := decode64(text)
	b = bytes.TrimLeft(b, "\x00")
	*text = base64.RawURLEncoding.EncodeToString(b)
	return b, ok && len(b) > 0
}

// decode64 reads base64url, with padding or without, and writes it without.
func decode64(text *string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(*text, "="))
	*text = base64.RawURLEncoding.EncodeToString(b)
	return b, err == nil
}

// abbreviated keeps a stranger's word short enough for a message.
func abbreviated(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
