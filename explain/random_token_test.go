package explain_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"weft.dev/explain"
	"weft.dev/model"
	"weft.dev/test/selfsigned"
)

// issuer makes tokens, and says by which key they are to be verified.
type issuer struct {
	name string
	key  *ecdsa.PrivateKey
}

func newIssuer(t *testing.T, name string) issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{name, key}
}

func (i issuer) jwks(t *testing.T) string {
	t.Helper()
	point, err := i.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	text, err := json.Marshal(map[string]any{"keys": []any{map[string]string{"kty": "EC", "crv": "P-256", "alg": "ES256", "x": b64(point[1:33]), "y": b64(point[33:])}}})
	if err != nil {
		t.Fatal(err)
	}
	keys, _, err := model.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func (i issuer) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	claims["iss"] = i.name
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	text := b64([]byte(`{"alg":"ES256"}`)) + "." + b64(body)
	sum := sha256.Sum256([]byte(text))
	a, b, err := ecdsa.Sign(cryptorand.Reader, i.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	a.FillBytes(signature[:32])
	b.FillBytes(signature[32:])
	return text + "." + b64(signature)
}

// tokens are of all sorts.
type tokens struct {
	rules []model.TokenRule
	all   []string
}

func someTokens(t *testing.T) (s tokens) {
	known, other, unknown := newIssuer(t, "issuer.test"), newIssuer(t, "other.test"), newIssuer(t, "unknown.test")
	s.rules = []model.TokenRule{
		{Issuer: known.name, Keys: known.jwks(t), Audiences: []string{"shop"}},
		{Issuer: other.name, Keys: other.jwks(t), FromHeaders: []model.TokenHeader{{Name: "x-token", Prefix: "T "}}, FromParams: []string{"token"}, FromCookies: []string{"token"}, Spaced: []string{"group"}},
	}
	soon, before := time.Now().Add(time.Hour).Unix(), time.Now().Add(-time.Hour).Unix()
	good := []string{
		known.sign(t, map[string]any{"exp": soon, "aud": "shop", "sub": "a", "group": "1"}), known.sign(t, map[string]any{"aud": []string{"x", "https://shop/"}, "sub": "b", "group": []string{"on", "2"}}),
		other.sign(t, map[string]any{"exp": soon, "sub": "c", "group": "1 on2"}), other.sign(t, map[string]any{"sub": "a"}),
	}
	s.all = append(good, good...)
	s.all = append(s.all, known.sign(t, map[string]any{"exp": before, "aud": "shop", "sub": "a"}), known.sign(t, map[string]any{"aud": "elsewhere"}), known.sign(t, map[string]any{"nbf": soon, "aud": "shop"}),
		unknown.sign(t, map[string]any{"aud": "shop"}), issuer{known.name, unknown.key}.sign(t, map[string]any{"aud": "shop"}), good[0][:len(good[0])-8], "no.token.atall", "none", "")
	return s
}

// show has some requests carry tokens, at times several.
func (s tokens) show(r *rand.Rand, q explain.Request) explain.Request {
	if chance(r, 3) {
		q.Headers["authorization"] = one(r, "Bearer ", "Bearer ", "Bearer ", "bearer ", "Basic ", "") + one(r, s.all...)
	}
	if chance(r, 5) {
		q.Headers["x-token"] = one(r, "T ", "T ", "") + one(r, s.all...)
	}
	if chance(r, 10) {
		q.URL = withParameter(q.URL, one(r, "token", "access_token", "%61ccess_token"), one(r, s.all...))
	}
	if _, there := q.Headers["cookie"]; chance(r, 10) && !there {
		q.Headers["cookie"] = "a=b; token=" + one(r, s.all...)
	}
	return q
}

// certificateFor is one that a gateway shows.
func certificateFor(t *testing.T, name string) model.Certificate {
	chain, key := selfsigned.Pair(t, "a.test")
	return model.Certificate{Name: name, Chain: chain, PrivateKey: key}
}
