package explain

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of signatures
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"weft.dev/compile"
	"weft.dev/model"
)

// tokens reads the request's as the view's proxy does. It sets what the valid one says, and takes it out
// of the request if it does not go on; the refusal is nil if the request does.
func tokens(v *model.View, m *message, now time.Time) *refusal {
	r := v.Find(model.TypeExtension, compile.TokenFilter)
	if r == nil {
		return nil
	}
	extension, err := decoded[corev3.TypedExtensionConfig](r)
	config := &jwtv3.JwtAuthentication{}
	if err != nil || extension.GetTypedConfig().UnmarshalTo(config) != nil {
		return nil
	}
	var refused *refusal
	for _, name := range model.SortedKeys(config.Providers) {
		p := config.Providers[name]
		claims, status, why := verifiedBy(p, tokensFor(p, *m), now)
		switch {
		case status == 0 && claims != nil:
			m.claims = claims
			takeOut(p, m)
			return nil
		case status != 0 && (refused == nil || why != unknownIssuer):
			refused = &refusal{status, "its token is not honoured: " + why, texts(r.From)}
		}
	}
	return refused
}

const unknownIssuer = "no RequestAuthentication has its issuer"

// tokensFor are those that stand where a provider looks.
func tokensFor(p *jwtv3.JwtProvider, m message) (all []string) {
	for _, h := range p.FromHeaders {
		if token := tokenBehind(h, m); token != "" {
			all = append(all, token)
		}
	}
	for _, name := range p.FromParams {
		if token, ok := readParameter(m.query, name); ok {
			all = append(all, token)
		}
	}
	for _, name := range p.FromCookies {
		if token, ok := cookie(m, name); ok {
			all = append(all, token)
		}
	}
	return all
}

func tokenBehind(h *jwtv3.JwtHeader, m message) string {
	_, token, _ := strings.Cut(m.headers[strings.ToLower(h.Name)], h.ValuePrefix)
	return token
}

// takeOut takes the tokens out of the headers in which a provider found them.
func takeOut(p *jwtv3.JwtProvider, m *message) {
	m.headers = maps.Clone(m.headers)
	for _, h := range p.FromHeaders {
		if !p.Forward && tokenBehind(h, *m) != "" {
			delete(m.headers, strings.ToLower(h.Name))
		}
	}
}

// verifiedBy says what the last of the tokens says; status 0 and no claims: there are none. All must be valid, and of
// several that are not the last one says why.
func verifiedBy(p *jwtv3.JwtProvider, all []string, now time.Time) (claims map[string]any, status uint32, why string) {
	for _, token := range all {
		said, failed, because := verify(p, token, now)
		if claims = said; failed != 0 {
			status, why = failed, because
		}
	}
	if status != 0 {
		return nil, status, why
	}
	for _, name := range p.GetNormalizePayloadInMetadata().GetSpaceDelimitedClaims() {
		if text, ok := claims[name].(string); ok {
			var words []any
			for word := range strings.FieldsSeq(text) {
				words = append(words, word)
			}
			claims[name] = words
		}
	}
	return claims, 0, ""
}

// defaultSkew is Envoy's, in seconds.
const defaultSkew = 60

func verify(p *jwtv3.JwtProvider, token string, now time.Time) (claims map[string]any, status uint32, why string) {
	parts := strings.Split(token, ".")
	var head struct{ Alg, Kid string }
	if len(parts) != 3 || !decode(parts[0], &head) || !decode(parts[1], &claims) {
		return nil, 401, "it is no JWT"
	}
	at, skew := float64(now.Unix()), float64(cmp.Or(p.ClockSkewSeconds, defaultSkew))
	ends, ended := claims["exp"].(float64)
	begins, _ := claims["nbf"].(float64)
	switch {
	case claims["iss"] != p.Issuer:
		return nil, 401, unknownIssuer
	case ended && at > ends+skew:
		return nil, 401, "it has ended"
	case begins > at+skew:
		return nil, 401, "it is not valid yet"
	case !meant(p.Audiences, claims["aud"]):
		return nil, 403, "it is for another audience"
	case p.GetLocalJwks() == nil:
		return nil, 401, "its issuer has no keys"
	case !signedByKey(p.GetLocalJwks().GetInlineString(), head.Alg, head.Kid, parts[0]+"."+parts[1], parts[2]):
		return nil, 401, "no key of its issuer has signed it"
	}
	return claims, 0, ""
}

// meant says whether one of a token's audiences is wanted.
func meant(wanted []string, aud any) bool {
	list, ok := aud.([]any)
	if !ok {
		list = []any{aud}
	}
	return len(wanted) == 0 || slices.ContainsFunc(list, func(a any) bool {
		text, _ := a.(string)
		return slices.ContainsFunc(wanted, func(w string) bool { return audience(w) == audience(text) && text != "" })
	})
}

// audience is without a scheme and a slash at the end, which Envoy does not look at.
func audience(text string) string {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "https://"), "http://")
	return strings.TrimSuffix(text, "/")
}

var hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

func signedByKey(jwks, alg, id, text, signature string) bool {
	var all struct{ Keys []model.JWK }
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || json.Unmarshal([]byte(jwks), &all) != nil {
		return false
	}
	return slices.ContainsFunc(all.Keys, func(k model.JWK) bool {
		return (id == "" || k.ID == "" || k.ID == id) && (k.Alg == "" || k.Alg == alg) && signedWith(k, alg, text, raw)
	})
}

func integer(text string) *big.Int {
	b, _ := base64.RawURLEncoding.DecodeString(text) // model.ParseKeys wrote it
	return new(big.Int).SetBytes(b)
}

var curves = map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}

func signedWith(k model.JWK, alg, text string, signature []byte) bool {
	if alg == "EdDSA" {
		key, _ := base64.RawURLEncoding.DecodeString(k.X)
		return k.Type == "OKP" && len(key) == ed25519.PublicKeySize && ed25519.Verify(key, []byte(text), signature)
	}
	hash, ok := hashes[strings.TrimLeft(alg, "RSEP")]
	if !ok {
		return false
	}
	h := hash.New()
	h.Write([]byte(text))
	switch sum := h.Sum(nil); {
	case strings.HasPrefix(alg, "RS") && k.Type == "RSA":
		return rsa.VerifyPKCS1v15(&rsa.PublicKey{N: integer(k.N), E: int(integer(k.E).Int64())}, hash, sum, signature) == nil
	case strings.HasPrefix(alg, "PS") && k.Type == "RSA":
		return rsa.VerifyPSS(&rsa.PublicKey{N: integer(k.N), E: int(integer(k.E).Int64())}, hash, sum, signature, nil) == nil
	case curves[alg] != nil && k.Type == "EC":
		x, _ := base64.RawURLEncoding.DecodeString(k.X)
		y, _ := base64.RawURLEncoding.DecodeString(k.Y)
		key, err := ecdsa.ParseUncompressedPublicKey(curves[alg], slices.Concat([]byte{4}, x, y))
		half := len(signature) / 2
		return err == nil && len(x) == half && ecdsa.Verify(key, sum, new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
	}
	return false
}

// claimed says whether a request's token says what a policy asks for.
func (m message) claimed(c *matcherv3.MetadataMatcher) bool {
	if c.Filter != compile.TokenMetadata || len(c.Path) < 2 || c.Path[0].GetKey() != compile.TokenPayload {
		return false
	}
	var at any = m.claims
	for _, segment := range c.Path[1:] {
		within, _ := at.(map[string]any)
		at = within[segment.GetKey()]
	}
	return valueMatches(c.Value, at)
}

func valueMatches(v *matcherv3.ValueMatcher, value any) bool {
	switch p := v.GetMatchPattern().(type) {
	case *matcherv3.ValueMatcher_StringMatch:
		text, ok := value.(string)
		return ok && stringMatches(p.StringMatch, text)
	case *matcherv3.ValueMatcher_ListMatch:
		list, _ := value.([]any)
		return slices.ContainsFunc(list, func(one any) bool { return valueMatches(p.ListMatch.GetOneOf(), one) })
	case *matcherv3.ValueMatcher_OrMatch:
		return slices.ContainsFunc(p.OrMatch.ValueMatchers, func(one *matcherv3.ValueMatcher) bool { return valueMatches(one, value) })
	}
	return false
}
