package compile

import (
	"iter"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"weft.dev/flow"
	"weft.dev/model"
)

const (
	// TokenFilter verifies tokens. Keys change, so it is delivered by itself: a new key drains no connection.
	TokenFilter = "weft.tokens"
	// TokenMetadata is under which name of Envoy's filter, and key, a request has what its token says.
	TokenMetadata = PreviewFilter
	TokenPayload  = "payload"
	// noKeysName is the cluster that has the keys of an issuer that has none.
	noKeysName = "no-keys"
)

var tokenConfig = &jwtv3.JwtAuthentication{}

// discovered is a filter whose configuration is a resource of its own. Until a proxy
// has it, no request passes.
func discovered(name string, config proto.Message) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
		ConfigSource: ads(), TypeUrls: []string{pack(config).TypeUrl},
	}}}
}

func (c *compiler) extension(name string, config proto.Message, needs []string, from ...model.Key) *model.Resource {
	return c.intern.resource(model.TypeExtension, name, &corev3.TypedExtensionConfig{Name: name, TypedConfig: pack(config)}, needs, from...)
}

// tokens is what TokenFilter is told; nil while nobody has looked for some keys yet: who
// has some from before keeps them.
func (c *compiler) tokens(x *flow.Ctx, all []model.RequestAuth) *model.Resource {
	config := &jwtv3.JwtAuthentication{Providers: map[string]*jwtv3.JwtProvider{}}
	anyOf := &jwtv3.JwtRequirementOrList{}
	var from []model.Key
	var needs []string
	for _, a := range all {
		from = append(from, keysOf(a.From)...)
		for i, rule := range a.Rules {
			keys, known := c.keysFor(x, rule)
			if !known {
				return nil
			}
			if keys == "" {
				needs = []string{noKeysName}
			}
			for place, there := range byPlace(rule) {
				name := a.Object.Namespace + "/" + a.Object.Name + "#" + strconv.Itoa(i) + place
				config.Providers[name] = tokenProvider(there, keys)
				anyOf.Requirements = append(anyOf.Requirements, &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_ProviderName{ProviderName: name}})
			}
		}
	}
	if len(config.Providers) > 0 {
		anyOf.Requirements = append(anyOf.Requirements, &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_AllowMissing{AllowMissing: &emptypb.Empty{}}})
		config.Rules = []*jwtv3.RequirementRule{{
			Match:           noRoute().Match,
			RequirementType: &jwtv3.RequirementRule_Requires{Requires: &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_RequiresAny{RequiresAny: anyOf}}},
		}}
	}
	return c.extension(TokenFilter, config, needs, from...)
}

// keysFor are the keys of a rule; "": there are none. known: somebody has looked.
func (c *compiler) keysFor(x *flow.Ctx, rule model.TokenRule) (keys string, known bool) {
	if rule.KeysFrom == (model.KeySource{}) {
		return rule.Keys, true
	}
	if c.KeySets == nil {
		return "", true
	}
	set, known := flow.Get(x, c.KeySets, rule.KeysFrom.Key())
	return set.Keys, known
}

// byPlace is a rule, by a mark of which tokens it is about, those in queries apart: they stay in the request. To take
// one out, Envoy writes the whole query anew, sorted and without escapes: an a=%26b would reach the application as a=&b.
func byPlace(rule model.TokenRule) iter.Seq2[string, model.TokenRule] {
	if len(rule.FromHeaders)+len(rule.FromParams)+len(rule.FromCookies) == 0 { // what Envoy takes for that
		rule.FromHeaders, rule.FromParams = []model.TokenHeader{{Name: "authorization", Prefix: "Bearer "}}, []string{"access_token"}
	}
	return func(yield func(string, model.TokenRule) bool) {
		params := rule
		params.FromHeaders, params.FromCookies, params.Forward = nil, nil, true
		if rule.FromParams = nil; len(rule.FromHeaders)+len(rule.FromCookies) > 0 && !yield("", rule) {
			return
		}
		if len(params.FromParams) > 0 {
			yield("?", params)
		}
	}
}

// tokenProvider verifies the tokens of an issuer. Envoy takes no empty set of keys: without
// keys it is told to fetch them from where nobody is, and so refuses each token.
func tokenProvider(rule model.TokenRule, keys string) *jwtv3.JwtProvider {
	p := &jwtv3.JwtProvider{
		Issuer: rule.Issuer, Audiences: rule.Audiences, Forward: rule.Forward, FromParams: rule.FromParams, FromCookies: rule.FromCookies,
		ForwardPayloadHeader: rule.PayloadHeader, PayloadInMetadata: TokenPayload,
		NormalizePayloadInMetadata: &jwtv3.JwtProvider_NormalizePayload{SpaceDelimitedClaims: rule.Spaced},
		JwksSourceSpecifier:        &jwtv3.JwtProvider_LocalJwks{LocalJwks: inline(keys)},
	}
	if keys == "" {
		p.JwksSourceSpecifier = &jwtv3.JwtProvider_RemoteJwks{RemoteJwks: &jwtv3.RemoteJwks{HttpUri: &corev3.HttpUri{
			Uri: "http://no-keys.invalid/", HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: noKeysName}, Timeout: durationpb.New(ConnectTimeout),
		}}}
	}
	for _, h := range rule.FromHeaders {
		p.FromHeaders = append(p.FromHeaders, &jwtv3.JwtHeader{Name: h.Name, ValuePrefix: h.Prefix})
	}
	for _, h := range rule.ClaimHeaders {
		p.ClaimToHeaders = append(p.ClaimToHeaders, &jwtv3.JwtClaimToHeader{HeaderName: h.Header, ClaimName: h.Claim})
	}
	return p
}

// tokenReports say which keys could not be had.
func (c *compiler) tokenReports(x *flow.Ctx, a model.RequestAuth) []report {
	var problems []model.Problem
	for _, rule := range a.Rules {
		if rule.KeysFrom == (model.KeySource{}) || c.KeySets == nil {
			continue
		}
		set, _ := flow.Get(x, c.KeySets, rule.KeysFrom.Key())
		if set.Trouble == "" {
			continue
		}
		p := model.Problem{Object: a.Object, Code: model.ProblemStale, Path: rule.Origin.Path, Message: set.Trouble + "; the keys from before are in effect"}
		if set.Keys == "" {
			p.Code, p.Message = model.ProblemMissingKeys, set.Trouble+"; until there are keys, every token of "+rule.Issuer+" is refused with 401"
		}
		problems = append(problems, p)
	}
	return reportOf(a.Key(), problems)
}
