package explain

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"weft.dev/compile"
	"weft.dev/model"
)

// previews are what the valid previews of a request say by domain, by the way in which they came.
type previews map[string]map[string]string

// previewsOf reads a request as the chain's filter does at a time.
func previewsOf(chain *listenerv3.FilterChain, m message, now time.Time) previews {
	config := previewConfig(chain)
	if config == nil {
		return nil
	}
	found := previews{}
	for _, name := range []string{compile.PreviewLink, "cookie", "header"} { // of two that are valid the last one counts
		p := config.Providers[name]
		token := tokenOf(p, m)
		if to := verified(token, p.GetLocalJwks().GetInlineString(), now); to != nil {
			found[p.PayloadInMetadata] = to
		}
	}
	return found
}

func previewConfig(chain *listenerv3.FilterChain) *jwtv3.JwtAuthentication {
	manager, config := &hcmv3.HttpConnectionManager{}, &jwtv3.JwtAuthentication{}
	if len(chain.Filters) == 0 || chain.Filters[0].GetTypedConfig().UnmarshalTo(manager) != nil {
		return nil
	}
	for _, f := range manager.HttpFilters {
		if f.Name == compile.PreviewFilter && f.GetTypedConfig().UnmarshalTo(config) == nil {
			return config
		}
	}
	return nil
}

// tokenOf is what stands where the provider looks; "": nothing.
func tokenOf(p *jwtv3.JwtProvider, m message) (token string) {
	for _, h := range p.FromHeaders {
		token = m.headers[h.Name]
	}
	for _, name := range p.FromParams {
		if i := strings.IndexByte(m.headers[":path"], '?'); i >= 0 {
			token, _ = readParameter(m.headers[":path"][i:], name)
		}
	}
	for _, name := range p.FromCookies {
		token, _ = cookie(m, name)
	}
	return token
}

func cookie(m message, name string) (value string, ok bool) {
	request := http.Request{Header: http.Header{"Cookie": {m.headers["cookie"]}}}
	c, err := request.Cookie(name)
	if err != nil {
		return "", false
	}
	return c.Value, true
}

// verified is what a token says by domain; nil: it is not valid, or says nothing.
func verified(token, jwks string, now time.Time) map[string]string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	var head struct{ Alg, Kid string }
	var said struct {
		Iss string
		Exp int64
		To  map[string]string
	}
	if !decode(parts[0], &head) || !decode(parts[1], &said) || head.Alg != "ES256" || said.Iss != model.PreviewIssuer {
		return nil
	}
	if now.Unix() > said.Exp || !signedBy(jwks, head.Kid, parts[0]+"."+parts[1], parts[2]) {
		return nil
	}
	return said.To
}

func decode(part string, into any) bool {
	text, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(text, into) == nil
}

func signedBy(jwks, id, text, signature string) bool {
	var all struct{ Keys []compile.JWK }
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || len(raw) != 64 || json.Unmarshal([]byte(jwks), &all) != nil {
		return false
	}
	sum := sha256.Sum256([]byte(text))
	return slices.ContainsFunc(all.Keys, func(k compile.JWK) bool {
		x, errX := base64.RawURLEncoding.DecodeString(k.X)
		y, errY := base64.RawURLEncoding.DecodeString(k.Y)
		if k.ID != id || errX != nil || errY != nil {
			return false
		}
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
		return err == nil && ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:]))
	})
}

// match says whether a preview says what a route asks for.
func (p previews) match(m *matcherv3.MetadataMatcher) bool {
	if m.Filter != compile.PreviewFilter || len(m.Path) != 3 || m.Path[1].GetKey() != model.PreviewTo {
		return false
	}
	value, there := p[m.Path[0].GetKey()][m.Path[2].GetKey()]
	return there && (m.Value.GetPresentMatch() || m.Value.GetStringMatch() != nil && stringMatches(m.Value.GetStringMatch(), value))
}
