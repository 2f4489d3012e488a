package istio

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	security "istio.io/api/security/v1beta1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// discoveryPath is where an issuer describes itself (OpenID Connect Discovery).
const discoveryPath = "/.well-known/openid-configuration"

// spacedClaims are lists of words in one text, where nobody says which are.
var spacedClaims = []string{"permission", "scope"}

// maxTokenRules bounds what each request is looked through for.
const maxTokenRules = 50

// RequestAuthentication gives one row. A rule whose keys are not usable stays, without
// keys: its tokens are refused, and not let in as if nobody had asked.
func RequestAuthentication(o *object.Object, spec *security.RequestAuthentication) []model.RequestAuth {
	a := model.RequestAuth{Object: o.Key, From: o.Whole()}
	var meant bool
	if a.Reach, meant = policyReach(o, spec.GetSelector().GetMatchLabels(), spec.TargetRef, spec.TargetRefs); !meant {
		return nil
	}
	if !o.Audit(spec, honoured) {
		return nil
	}
	at := object.Spec.Dot("jwtRules")
	if len(spec.JwtRules) > maxTokenRules {
		o.Invalid(at, "has %d entries, more than %d; the others have no effect, so their tokens are refused", len(spec.JwtRules), maxTokenRules)
	}
	for i, in := range spec.JwtRules[:min(len(spec.JwtRules), maxTokenRules)] {
		if rule, ok := tokenRule(o, at.At(i), in); ok {
			a.Rules = append(a.Rules, rule)
		}
	}
	return []model.RequestAuth{a}
}

func tokenRule(o *object.Object, at object.Path, in *security.JWTRule) (model.TokenRule, bool) {
	if in.GetIssuer() == "" {
		o.Invalid(at.Dot("issuer"), "is empty, so the rule has no effect; write what tokens say in iss")
		return model.TokenRule{}, false
	}
	rule := model.TokenRule{
		Issuer: in.Issuer, Audiences: in.Audiences, FromParams: in.FromParams, FromCookies: in.FromCookies,
		Forward: in.ForwardOriginalToken, Spaced: slices.Clone(spacedClaims), Origin: o.Origin(at),
	}
	for _, claim := range in.SpaceDelimitedClaims {
		if !slices.Contains(rule.Spaced, claim) {
			rule.Spaced = append(rule.Spaced, claim)
		}
	}
	for i, h := range in.FromHeaders {
		if o.CheckHeaderName(at.Dot("fromHeaders").At(i).Dot("name"), h.GetName()) {
			rule.FromHeaders = append(rule.FromHeaders, model.TokenHeader{Name: h.Name, Prefix: h.Prefix})
		}
	}
	if name := in.OutputPayloadToHeader; name != "" && o.CheckHeaderName(at.Dot("outputPayloadToHeader"), name) {
		rule.PayloadHeader = name
	}
	for i, h := range in.OutputClaimToHeaders {
		place := at.Dot("outputClaimToHeaders").At(i)
		switch {
		case !o.CheckHeaderName(place.Dot("header"), h.GetHeader()):
		case !claimNameForm.MatchString(h.GetClaim()):
			o.Invalid(place.Dot("claim"), "%q is no name of a claim; write one such as sub, or user.name for one within another", h.GetClaim())
		default:
			rule.ClaimHeaders = append(rule.ClaimHeaders, model.ClaimHeader{Header: h.Header, Claim: h.Claim})
		}
	}
	if lost := len(in.FromHeaders) > 0 && len(rule.FromHeaders) == 0; lost && len(in.FromParams)+len(in.FromCookies) == 0 {
		return rule, false // without a place it would be looked for elsewhere
	}
	tokenKeys(o, at, in, &rule)
	return rule, true
}

var claimNameForm = regexp.MustCompile(`^[A-Za-z0-9_:/-]+(\.[A-Za-z0-9_:/-]+)*$`)

// tokenKeys says whose keys a rule's tokens are verified with.
func tokenKeys(o *object.Object, at object.Path, in *security.JWTRule, rule *model.TokenRule) {
	const closed = "; until this is corrected, every token of the issuer is refused with 401"
	switch {
	case in.Jwks != "":
		keys, left, err := model.ParseKeys([]byte(in.Jwks))
		if err != nil {
			o.Invalid(at.Dot("jwks"), "%v"+closed, err)
		} else if len(left) > 0 {
			o.Invalid(at.Dot("jwks"), "%s", strings.Join(left, "; "))
		}
		if rule.Keys = keys; in.JwksUri != "" {
			o.Invalid(at.Dot("jwksUri"), "is not used beside jwks; keep one of them")
		}
	case in.JwksUri != "":
		if checkKeyURI(o, at.Dot("jwksUri"), in.JwksUri, closed) {
			rule.KeysFrom = model.KeySource{URI: in.JwksUri}
		}
	default:
		uri := strings.TrimSuffix(in.Issuer, "/") + discoveryPath
		if checkKeyURI(o, at.Dot("issuer"), uri, " for its description of itself; write jwks or jwksUri"+closed) {
			rule.KeysFrom = model.KeySource{URI: uri, Issuer: in.Issuer}
		}
	}
	if d := in.GetTimeout(); d != nil && rule.KeysFrom != (model.KeySource{}) {
		rule.KeysFrom.Timeout = o.Duration(at.Dot("timeout"), d)
	}
}

func checkKeyURI(o *object.Object, at object.Path, text, closed string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		o.Invalid(at, "%q is no URL with https://"+closed, text)
		return false
	}
	return true
}
