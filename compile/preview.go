package compile

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/emptypb"

	"weft.dev/flow"
	"weft.dev/model"
)

// insideOnly takes the headers from a request that only those inside may send. It is
// done before anything is routed: `remove` of a route comes too late.
func insideOnly() []*corev3.TypedExtensionConfig {
	return []*corev3.TypedExtensionConfig{{
		Name:        "envoy.http.early_header_mutation.header_mutation",
		TypedConfig: pack(&earlyv3.HeaderMutation{Mutations: []*mutationv3.HeaderMutation{removeHeader(model.VersionHeader), removeHeader(FallbackHeader)}}),
	}}
}

// PreviewFilter verifies previews. What a verified one says is metadata in its name, under the way
// by which it came; the request is routed anew then. One that is not valid changes nothing.
const PreviewFilter = "envoy.filters.http.jwt_authn"

// Ways of a preview: a link is turned into a cookie, what a request carries is honoured.
const (
	PreviewLink    = "link"
	PreviewCarried = "carried"
)

// previewSkew is for how many seconds after its end a preview may be honoured; 0 would be Envoy's 60.
const previewSkew = 1

// previewFilter has every way verified for itself: beside one that is valid, another may have ended.
func previewFilter(keys []model.PreviewKey) *hcmv3.HttpFilter {
	config := &jwtv3.JwtAuthentication{Providers: map[string]*jwtv3.JwtProvider{
		PreviewLink: {PayloadInMetadata: PreviewLink, FromParams: []string{model.PreviewParam}, Forward: true}, // the cookie is made of it
		"cookie":    {PayloadInMetadata: PreviewCarried, FromCookies: []string{model.PreviewParam}},
		"header":    {PayloadInMetadata: PreviewCarried, FromHeaders: []*jwtv3.JwtHeader{{Name: model.PreviewHeader}}},
	}}
	jwks := jwksOf(keys)
	for _, p := range config.Providers {
		p.JwksSourceSpecifier = &jwtv3.JwtProvider_LocalJwks{LocalJwks: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: jwks}}}
		p.Issuer, p.RequireExpiration, p.ClockSkewSeconds, p.ClearRouteCache = model.PreviewIssuer, true, previewSkew, true
	}
	all := &jwtv3.JwtRequirementAndList{}
	for _, name := range []string{PreviewLink, "cookie", "header"} { // the last one that is valid is honoured
		all.Requirements = append(all.Requirements, &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_RequiresAny{
			RequiresAny: &jwtv3.JwtRequirementOrList{Requirements: []*jwtv3.JwtRequirement{
				{RequiresType: &jwtv3.JwtRequirement_ProviderName{ProviderName: name}},
				{RequiresType: &jwtv3.JwtRequirement_AllowMissingOrFailed{AllowMissingOrFailed: &emptypb.Empty{}}},
			}},
		}})
	}
	config.Rules = []*jwtv3.RequirementRule{{
		Match:           noRoute().Match,
		RequirementType: &jwtv3.RequirementRule_Requires{Requires: &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_RequiresAll{RequiresAll: all}}},
	}}
	return httpFilter(PreviewFilter, config)
}

// JWK is a public key as RFC 7517 writes it.
type JWK struct {
	Type  string `json:"kty"`
	Curve string `json:"crv"`
	Alg   string `json:"alg"`
	Use   string `json:"use"`
	ID    string `json:"kid"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

func jwksOf(keys []model.PreviewKey) string {
	all := make([]JWK, 0, len(keys))
	for _, k := range slices.SortedFunc(slices.Values(keys), func(a, b model.PreviewKey) int { return cmp.Compare(a.ID, b.ID) }) {
		b64 := base64.RawURLEncoding.EncodeToString
		all = append(all, JWK{Type: "EC", Curve: "P-256", Alg: "ES256", Use: "sig", ID: k.ID, X: b64(k.X), Y: b64(k.Y)})
	}
	text, err := json.Marshal(map[string][]JWK{"keys": all})
	if err != nil {
		panic("compile: keys of previews: " + err.Error()) // strings always marshal
	}
	return string(text)
}

// plainDomain is one that can be a word of a path into metadata.
var plainDomain = regexp.MustCompile(`^[A-Za-z0-9_.*-]+$`)

// previewedAt leads to versions for whom a preview names them at a domain; nil: none is honoured there.
func (c *compiler) previewedAt(x *flow.Ctx, domain string) privacy {
	if len(c.previewKeys(x)) == 0 || !plainDomain.MatchString(domain) {
		return nil
	}
	return func(m *routev3.RouteMatch, s *model.Split, version string) error {
		m.DynamicMetadata = append(m.DynamicMetadata, previewMatcher(PreviewCarried, domain, exactly(s.Address(version))))
		return nil
	}
}

func (c *compiler) previewKeys(x *flow.Ctx) []model.PreviewKey { return flow.All(x, c.Previews) }

// previewing lets previews for a domain through its virtual host: a link becomes a cookie, and what
// is inside gets the version by VersionHeader. What came encrypted is sent back no other way.
func previewing(host *routev3.VirtualHost, domain string, encrypted bool) {
	const set = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
	host.RequestHeadersToAdd = append(host.RequestHeadersToAdd, &corev3.HeaderValueOption{AppendAction: set, Header: &corev3.HeaderValue{
		Key: model.VersionHeader, Value: "%DYNAMIC_METADATA(" + PreviewFilter + ":" + PreviewCarried + ":" + model.PreviewTo + ":" + domain + ")%",
	}})
	host.Routes = slices.Insert(host.Routes, 0, linkRoute(domain, encrypted))
}

// RoutePreview is the route of a link.
const RoutePreview = "preview-link"

func linkRoute(domain string, encrypted bool) *routev3.Route {
	match := noRoute().Match
	match.Headers = []*routev3.HeaderMatcher{{Name: ":method", HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{
		StringMatch: regexMatcher("GET|HEAD"), // to a fallback, what came as HEAD goes as GET
	}}}
	match.DynamicMetadata = []*matcherv3.MetadataMatcher{previewMatcher(PreviewLink, domain, &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_PresentMatch{PresentMatch: true}})}
	cookie := model.PreviewParam + "=%QUERY_PARAM(" + model.PreviewParam + ")%; Path=/; Expires=%DYNAMIC_METADATA(" +
		PreviewFilter + ":" + PreviewLink + ":" + model.PreviewEnds + ")%; HttpOnly; SameSite=Lax"
	if encrypted {
		cookie += "; Secure"
	}
	return &routev3.Route{
		Name: RoutePreview, Match: match,
		Action: &routev3.Route_Redirect{Redirect: &routev3.RedirectAction{ResponseCode: routev3.RedirectAction_FOUND, StripQuery: true}},
		ResponseHeadersToAdd: []*corev3.HeaderValueOption{{
			AppendAction: corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD, Header: &corev3.HeaderValue{Key: "set-cookie", Value: cookie},
		}},
	}
}

// previewMatcher matches what a preview that came by a way says of a domain.
func previewMatcher(way, domain string, value *matcherv3.ValueMatcher) *matcherv3.MetadataMatcher {
	m := &matcherv3.MetadataMatcher{Filter: PreviewFilter, Value: value}
	for _, key := range []string{way, model.PreviewTo, domain} {
		m.Path = append(m.Path, &matcherv3.MetadataMatcher_PathSegment{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: key}})
	}
	return m
}

func exactly(text string) *matcherv3.ValueMatcher {
	return &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{
		StringMatch: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: text}},
	}}
}
