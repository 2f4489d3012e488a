package explain

import (
	"encoding/base64"
	"testing"
	"time"

	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
)

// What Envoy 1.40 was seen to answer: each token of a provider must be valid, and of those that are not the last one says why.
func TestOfSeveralTokens(t *testing.T) {
	b64 := base64.RawURLEncoding.EncodeToString
	token := func(payload string) string { return b64([]byte(`{"alg":"ES256"}`)) + "." + b64([]byte(payload)) + ".x" }
	elsewhere, stranger, malformed := token(`{"iss":"ours","aud":"elsewhere"}`), token(`{"iss":"theirs"}`), "none"
	p := &jwtv3.JwtProvider{Issuer: "ours", Audiences: []string{"shop"}}
	for _, test := range []struct {
		tokens []string
		status uint32
		why    string
	}{
		{nil, 0, ""}, {[]string{""}, 401, "it is no JWT"},
		{[]string{elsewhere}, 403, "it is for another audience"}, {[]string{elsewhere, malformed}, 401, "it is no JWT"},
		{[]string{malformed, elsewhere}, 403, "it is for another audience"}, {[]string{malformed, stranger}, 401, unknownIssuer},
	} {
		if claims, status, why := verifiedBy(p, test.tokens, time.Now()); claims != nil || status != test.status || why != test.why {
			t.Errorf("%q: %v %d %s", test.tokens, claims, status, why)
		}
	}
}

// A token in a query is found by those who decode it, and stays; one in a header is taken out.
func TestWhereTokensStand(t *testing.T) {
	p := &jwtv3.JwtProvider{FromHeaders: []*jwtv3.JwtHeader{{Name: "Authorization", ValuePrefix: "Bearer "}}, FromParams: []string{"access_token"}, FromCookies: []string{"token"}}
	m := message{query: "?a=1&%61ccess_token=a%2Eb", headers: map[string]string{"authorization": "Bearer c", "cookie": "x=y; token=", "x": "1"}}
	if got := tokensFor(p, m); len(got) != 3 || got[0] != "c" || got[1] != "a.b" || got[2] != "" {
		t.Errorf("%q", got)
	}
	before := m.headers
	if takeOut(p, &m); m.headers["authorization"] != "" || m.headers["cookie"] == "" || before["authorization"] == "" {
		t.Errorf("%v, before %v", m.headers, before)
	}
	p.Forward, m.headers = true, before
	if takeOut(p, &m); m.headers["authorization"] == "" {
		t.Errorf("what is forwarded is gone: %v", m.headers)
	}
}
