package serve

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"
)

// IssuerOptions say whose word on people is taken: an OpenID Connect provider's.
type IssuerOptions struct {
	URL         string // https, as tokens name it
	Client      string // id that the provider knows this server by
	NameClaim   string // who somebody is
	GroupsClaim string // a list, or one
	HTTP        *http.Client
}

// Issuer verifies a provider's ID tokens. Its keys are fetched, and anew where they change.
type Issuer struct{ tokens authenticator.Token }

// signatures are the algorithms that providers sign with; none of them is a shared secret.
var signatures = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"}

// NewIssuer fetches the provider's keys until ctx ends.
func NewIssuer(ctx context.Context, o IssuerOptions) (*Issuer, error) {
	none := ""
	tokens, err := oidc.New(ctx, oidc.Options{
		JWTAuthenticator: apiserver.JWTAuthenticator{
			Issuer: apiserver.Issuer{URL: o.URL, Audiences: []string{o.Client}},
			ClaimMappings: apiserver.ClaimMappings{
				Username: apiserver.PrefixedClaimOrExpression{Claim: o.NameClaim, Prefix: &none},
				Groups:   apiserver.PrefixedClaimOrExpression{Claim: o.GroupsClaim, Prefix: &none},
			},
		},
		Client: o.HTTP, SupportedSigningAlgs: signatures,
	})
	return &Issuer{tokens}, err
}

// Whose says who an ID token names, if the provider made it for this server, for this sign-in.
func (i *Issuer) Whose(ctx context.Context, token, nonce string) (name string, groups []string, err error) {
	found, ok, err := i.tokens.AuthenticateToken(ctx, token)
	switch {
	case err != nil:
		return "", nil, err
	case !ok:
		return "", nil, errors.New("its ID token is another issuer's")
	}
	said, err := nonceOf(token)
	if err != nil || nonce == "" || said != nonce {
		return "", nil, errors.New("its ID token is of another sign-in")
	}
	return found.User.GetName(), found.User.GetGroups(), nil
}

// nonceOf reads a token that has been verified.
func nonceOf(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("%d parts", len(parts))
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims struct {
		Nonce string `json:"nonce"`
	}
	err = json.Unmarshal(body, &claims)
	return claims.Nonce, err
}
