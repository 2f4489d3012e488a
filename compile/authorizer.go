package compile

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbaccfgv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	netauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/ext_authz/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
)

const (
	// AskFilter, and an authorizer's name, finds out which requests it is asked about.
	AskFilter = "weft.ask."
	// AuthorizerFilter, and its name, asks.
	AuthorizerFilter = "weft.authorizer."
	// rbacMetadata is where Envoy's filter leaves what rules that are not in force would have done.
	rbacMetadata      = "envoy.filters.http.rbac"
	rbacNetworkFilter = "envoy.filters.network.rbac"
	// matchedRule is, behind the prefix of a filter, the one of them that was met.
	matchedRule = "shadow_effective_policy_id"
)

// asked is an authorizer, and how it is reached.
type asked struct {
	model.Authorizer
	cluster string
}

// name is one that filters, metadata and statistics can have.
func (a asked) name() string { return a.Object.Namespace + "." + a.Object.Name }

// askPrefix is that of what its AskFilter says of a request.
func (a asked) askPrefix() string { return "weft_ask_" + a.name() + "_" }

// askedAbout are the rules of the requests that it is asked about; in force they would let them pass.
func (a asked) askedAbout(all []model.Authorization, at attributes) *rbaccfgv3.RBAC {
	var own []model.Authorization
	for _, rule := range all {
		if rule.Action == model.Custom && rule.Provider == a.Key() {
			own = append(own, rule)
		}
	}
	rules, _ := rbac(own, model.Custom, at)
	return rules
}

// met holds of requests that met one of those rules.
func (a asked) met(filter string) *matcherv3.MetadataMatcher {
	return &matcherv3.MetadataMatcher{
		Filter: filter, Value: &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_PresentMatch{PresentMatch: true}},
		Path: []*matcherv3.MetadataMatcher_PathSegment{{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: a.askPrefix() + matchedRule}}},
	}
}

// extension is what the authorizer's filter is told. Nobody passes whom it does not let pass,
// unless its owner wants that.
func (a asked) extension(c *compiler) *model.Resource {
	config := &authzv3.ExtAuthz{
		TransportApiVersion: corev3.ApiVersion_V3, StatPrefix: a.name(), FilterEnabledMetadata: a.met(rbacMetadata),
		FailureModeAllow: a.FailOpen, FailureModeAllowHeaderAdd: a.FailOpen, StatusOnError: &typev3.HttpStatus{Code: typev3.StatusCode(a.Status)},
		MetadataContextNamespaces: []string{TokenMetadata}, ValidateMutations: true,
	}
	if a.BodyBytes > 0 {
		config.WithRequestBody = &authzv3.BufferSettings{MaxRequestBytes: a.BodyBytes, AllowPartialMessage: a.BodyPart, PackAsBytes: a.HTTP == nil}
	}
	if a.HTTP == nil {
		config.Services = &authzv3.ExtAuthz_GrpcService{GrpcService: a.grpc()}
	} else {
		config.Services = &authzv3.ExtAuthz_HttpService{HttpService: a.http()}
		config.AllowedHeaders = namesMatcher(append([]string{"authorization"}, a.HTTP.Send...))
	}
	return c.extension(AuthorizerFilter+a.name(), config, []string{a.cluster}, keysOf(a.From)...)
}

func (a asked) grpc() *corev3.GrpcService {
	return &corev3.GrpcService{
		Timeout:         durationpb.New(a.Timeout),
		TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: a.cluster, Authority: a.Host}},
	}
}

func (a asked) http() *authzv3.HttpService {
	s := &authzv3.HttpService{
		ServerUri: &corev3.HttpUri{
			Uri: fmt.Sprintf("http://%s:%d", a.Host, a.Port), HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: a.cluster}, Timeout: durationpb.New(a.Timeout),
		},
		PathPrefix: a.HTTP.PathPrefix,
		AuthorizationResponse: &authzv3.AuthorizationResponse{
			AllowedUpstreamHeaders: namesMatcher(a.HTTP.ToBackend), AllowedClientHeaders: namesMatcher(a.HTTP.ToCaller),
		},
	}
	if len(a.HTTP.Add) > 0 {
		s.AuthorizationRequest = &authzv3.AuthorizationRequest{}
		for _, h := range a.HTTP.Add {
			s.AuthorizationRequest.HeadersToAdd = append(s.AuthorizationRequest.HeadersToAdd, &corev3.HeaderValue{Key: h.Name, Value: h.Value})
		}
	}
	return s
}

// namesMatcher matches names of headers; none: nil.
func namesMatcher(names []string) *matcherv3.ListStringMatcher {
	if len(names) == 0 {
		return nil
	}
	m := &matcherv3.ListStringMatcher{}
	for _, name := range names {
		m.Patterns = append(m.Patterns, valueMatcher(name, true))
	}
	return m
}

// connectionFilters ask about whole connections.
func (a asked) connectionFilters(rules *rbaccfgv3.RBAC, stat string) []*listenerv3.Filter {
	return []*listenerv3.Filter{
		watcher(a.askPrefix(), rules, stat),
		networkFilter("envoy.filters.network.ext_authz", &netauthzv3.ExtAuthz{
			StatPrefix: a.name(), GrpcService: a.grpc(), FailureModeAllow: a.FailOpen, TransportApiVersion: corev3.ApiVersion_V3,
			FilterEnabledMetadata: a.met(rbacNetworkFilter),
		}),
	}
}

var (
	askConfig, requestRules = &authzv3.ExtAuthz{}, &rbacv3.RBAC{}
	// allowRules has what those on trial refuse counted apart: what refuses is no rule of theirs.
	allowRules = &rbacv3.RBAC{ShadowRulesStatPrefix: model.StatTrials}
)
