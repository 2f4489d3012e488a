package compile

import (
	"regexp"
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	ratelimitcfgv3 "github.com/envoyproxy/go-control-plane/envoy/config/ratelimit/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	commonlimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	chainv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/filter_chain/v3"
	localv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	globalv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	metadatav3 "github.com/envoyproxy/go-control-plane/envoy/type/metadata/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"weft.dev/model"
)

const (
	// LimitsFilter applies the limits that a virtual host says, GatewayLimitsFilter those that a whole table
	// says: Envoy takes the most specific place of a filter alone. Each is a chain with a filter for each limit,
	// so that a changed one replaces no listener, and each is counted apart.
	LimitsFilter        = "weft.limits"
	GatewayLimitsFilter = "weft.limits.gateway"

	// MetadataLimits is where tables and virtual hosts say in words what the limits are, and routes which are theirs.
	MetadataLimits = "limits"

	limitService = "envoy.filters.http.ratelimit"
	limitLocal   = "envoy.filters.http.local_ratelimit"
	limitTimeout = 250 * time.Millisecond // for the server to answer

	// maxBudgets is how many values of a key one proxy tells apart. The one that was seen longest ago is forgotten first.
	maxBudgets = 10_000
	// maxKeyValue is how much of a header or a claim counts, bytes.
	maxKeyValue = ":256"
	nobody      = "-" // the value of a key that a request has not
)

// placed is a limit at a place.
type placed struct {
	model.Limit
	ID   model.LimitID
	From model.Key
}

// limitPlace is what is known of requests where limits are.
type limitPlace struct {
	marked  bool   // routes say which limits are theirs
	address string // format of the address from which a request comes
}

// Nobody can write the address of a connection; x-forwarded-for counts only as far as a gateway trusts it.
var (
	limitsInbound = limitPlace{address: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"}
	limitsAtEdge  = limitPlace{marked: true, address: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}
)

// inOrder puts limits into the order in which they are asked: those that cost nobody's time first, and among them
// those with a key, so that who has used up a budget of its own uses up no other's.
func inOrder(all []model.RateLimit) (limits []placed) {
	for _, r := range all {
		for _, l := range r.Limits {
			limits = append(limits, placed{l, r.ID(l), r.Object})
		}
	}
	slices.SortStableFunc(limits, func(a, b placed) int { return rankOf(a) - rankOf(b) })
	return limits
}

func rankOf(p placed) int {
	rank := 0
	if p.Global {
		rank += 2
	}
	if len(p.Key) == 0 {
		rank++
	}
	return rank
}

// limitChain are the filters of limits; nil: there are none.
func limitChain(limits []placed, at limitPlace) *anypb.Any {
	var filters []*corev3.TypedExtensionConfig
	var open, closed []placed
	for _, p := range limits {
		switch {
		case !p.Global:
			filters = append(filters, &corev3.TypedExtensionConfig{Name: limitLocal, TypedConfig: pack(at.local(p))})
		case p.Closed:
			closed = append(closed, p)
		default:
			open = append(open, p)
		}
	}
	for _, group := range [][]placed{open, closed} {
		if len(group) > 0 {
			filters = append(filters, &corev3.TypedExtensionConfig{Name: limitService, TypedConfig: pack(at.global(group))})
		}
	}
	if len(filters) == 0 {
		return nil
	}
	return pack(&chainv3.FilterChainConfigPerRoute{FilterChain: &chainv3.FilterChain{Filters: filters}})
}

// local is a limit that the proxy counts by itself. Envoy wants a bucket for requests that the limit is not for.
func (at limitPlace) local(p placed) *localv3.LocalRateLimit {
	all := uint32(1<<32 - 1)
	enforced := fraction(100)
	headers := commonlimitv3.XRateLimitHeadersRFCVersion_DRAFT_VERSION_03
	if p.Shadow {
		enforced, headers = fraction(0), commonlimitv3.XRateLimitHeadersRFCVersion_OFF
	}
	actions := at.actions(p)
	c := &localv3.LocalRateLimit{
		StatPrefix:                      model.LimitStatPrefix + "." + string(p.ID),
		TokenBucket:                     bucket(all, all, time.Second),
		AlwaysConsumeDefaultTokenBucket: no(),
		FilterEnabled:                   &corev3.RuntimeFractionalPercent{DefaultValue: fraction(100)},
		FilterEnforced:                  &corev3.RuntimeFractionalPercent{DefaultValue: enforced},
		EnableXRatelimitHeaders:         headers,
		EnableRetryAfterHeader:          true,
		RateLimitedAsResourceExhausted:  true,
		RateLimits:                      []*routev3.RateLimit{{Actions: actions}},
		Descriptors:                     []*commonlimitv3.LocalRateLimitDescriptor{{Entries: at.entries(p), TokenBucket: bucket(p.Burst, p.Requests, p.Per)}},
	}
	if len(p.Key) > 0 {
		c.MaxDynamicDescriptors = u32(maxBudgets)
	}
	return c
}

func bucket(burst, requests uint32, per time.Duration) *typev3.TokenBucket {
	return &typev3.TokenBucket{MaxTokens: burst, TokensPerFill: u32(requests), FillInterval: durationpb.New(per)}
}

// global asks the server of limits that it counts. What they are, the server knows.
func (at limitPlace) global(group []placed) *globalv3.RateLimit {
	c := &globalv3.RateLimit{
		Domain:                         model.LimitDomain,
		Timeout:                        durationpb.New(limitTimeout),
		FailureModeDeny:                group[0].Closed,
		StatusOnError:                  &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		RateLimitedAsResourceExhausted: true,
		EnableXRatelimitHeaders:        globalv3.RateLimit_DRAFT_VERSION_03,
		EnableRetryAfterHeader:         true,
		RateLimitService: &ratelimitcfgv3.RateLimitServiceConfig{
			TransportApiVersion: corev3.ApiVersion_V3,
			GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
				EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: model.AgentCluster},
			}},
		},
	}
	for _, p := range group {
		c.RateLimits = append(c.RateLimits, &routev3.RateLimit{Actions: at.actions(p)})
	}
	return c
}

// Entries of descriptors.
const (
	limitEntry = model.LimitEntry
	matchEntry = "match"
	matched    = "1"
)

// actions make the descriptor of a request that the limit is for, and none of others.
func (at limitPlace) actions(p placed) []*routev3.RateLimit_Action {
	first := &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_GenericKey_{
		GenericKey: &routev3.RateLimit_Action_GenericKey{DescriptorKey: limitEntry, DescriptorValue: string(p.ID)},
	}}
	if at.marked {
		first.ActionSpecifier = &routev3.RateLimit_Action_Metadata{Metadata: &routev3.RateLimit_Action_MetaData{
			DescriptorKey: limitEntry, Source: routev3.RateLimit_Action_MetaData_ROUTE_ENTRY,
			MetadataKey: &metadatav3.MetadataKey{Key: MetadataKey, Path: segments(MetadataLimits, string(p.ID))},
		}}
	}
	actions := []*routev3.RateLimit_Action{first}
	if headers := limitHeaders(p.Match); len(headers) > 0 {
		actions = append(actions, &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_HeaderValueMatch_{
			HeaderValueMatch: &routev3.RateLimit_Action_HeaderValueMatch{DescriptorKey: matchEntry, DescriptorValue: matched, Headers: headers},
		}})
	}
	for _, k := range p.Key {
		// It is the action that fills in a format, and has a value for who has none. It matches every address.
		actions = append(actions, &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_RemoteAddressMatch_{
			RemoteAddressMatch: &routev3.RateLimit_Action_RemoteAddressMatch{
				DescriptorKey: k.String(), DescriptorValue: at.format(k), DefaultValue: nobody,
				AddressMatcher: &matcherv3.AddressMatcher{InvertMatch: true},
			},
		}})
	}
	return actions
}

func segments(names ...string) (all []*metadatav3.MetadataKey_PathSegment) {
	for _, name := range names {
		all = append(all, &metadatav3.MetadataKey_PathSegment{Segment: &metadatav3.MetadataKey_PathSegment_Key{Key: name}})
	}
	return all
}

// format is the value of a key.
func (at limitPlace) format(k model.LimitKey) string {
	switch {
	case k.Header != "":
		return "%REQ(" + k.Header + ")" + maxKeyValue + "%"
	case k.Claim != "":
		return "%DYNAMIC_METADATA(" + TokenMetadata + ":" + TokenPayload + ":" + strings.ReplaceAll(k.Claim, ".", ":") + ")" + maxKeyValue + "%"
	case k.Caller:
		return "%DOWNSTREAM_PEER_URI_SAN%"
	}
	return at.address
}

// entries are those of the descriptor that actions make; an empty value is any.
func (at limitPlace) entries(p placed) []*commonlimitv3.RateLimitDescriptor_Entry {
	entries := []*commonlimitv3.RateLimitDescriptor_Entry{{Key: limitEntry, Value: string(p.ID)}}
	if len(limitHeaders(p.Match)) > 0 {
		entries = append(entries, &commonlimitv3.RateLimitDescriptor_Entry{Key: matchEntry, Value: matched})
	}
	for _, k := range p.Key {
		entries = append(entries, &commonlimitv3.RateLimitDescriptor_Entry{Key: k.String()})
	}
	return entries
}

// limitHeaders match what the limit is for. A path stands in its header with the query.
func limitHeaders(m model.LimitMatch) (all []*routev3.HeaderMatcher) {
	add := func(name string, alternatives []string, after string) {
		if len(alternatives) > 0 {
			all = append(all, &routev3.HeaderMatcher{Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{
				StringMatch: regexMatcher("(?:" + strings.Join(alternatives, "|") + ")" + after),
			}})
		}
	}
	var paths, methods []string
	for _, p := range m.Paths {
		if p.Exact != "" {
			paths = append(paths, regexp.QuoteMeta(p.Exact))
		} else {
			paths = append(paths, regexp.QuoteMeta(strings.TrimRight(p.PathPrefix, "/"))+`(?:/[^?]*)?`)
		}
	}
	for _, method := range m.Methods {
		methods = append(methods, regexp.QuoteMeta(method))
	}
	add(":path", paths, `(?:\?.*)?`)
	add(":method", methods, "")
	for _, h := range m.Headers {
		if matcher, err := headerMatcher(h); err == nil { // its name was looked at where it was written
			all = append(all, matcher)
		}
	}
	return all
}

// limitTexts say in words what the limits are.
func limitTexts(m *corev3.Metadata, limits []placed) *corev3.Metadata {
	texts := map[string]*structpb.Value{}
	for _, p := range limits {
		texts[string(p.ID)] = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
			"text": structpb.NewStringValue(p.text()), "from": structpb.NewStringValue(p.Origin.String()),
		}})
	}
	if len(texts) == 0 {
		return m
	}
	return withField(m, MetadataLimits, structpb.NewStructValue(&structpb.Struct{Fields: texts}))
}

func (p placed) text() string {
	text := p.Text()
	if len(p.Key) > 0 {
		var keys []string
		for _, k := range p.Key {
			keys = append(keys, k.String())
		}
		text += ", for each " + strings.Join(keys, " and ")
	}
	if p.Global {
		text += ", counted for all proxies"
	} else {
		text += ", counted by this proxy alone"
	}
	if p.Closed {
		text += ", closed while nobody counts"
	}
	if p.Shadow {
		text += "; on trial: nobody is refused"
	}
	return text
}

// markedBy says which limits are for the requests of a route.
func markedBy(m *corev3.Metadata, ids []model.LimitID) *corev3.Metadata {
	if len(ids) == 0 {
		return m
	}
	marks := map[string]*structpb.Value{}
	for _, id := range ids {
		marks[string(id)] = structpb.NewStringValue(string(id))
	}
	return withField(m, MetadataLimits, structpb.NewStructValue(&structpb.Struct{Fields: marks}))
}

// limited puts limits into the configuration of a place.
func limited(filters map[string]*anypb.Any, name string, limits []placed, at limitPlace) map[string]*anypb.Any {
	if len(limits) == 0 {
		return filters
	}
	if filters == nil {
		filters = map[string]*anypb.Any{}
	}
	filters[name] = limitChain(limits, at)
	return filters
}

func limitKeys(all []model.RateLimit) []model.Key {
	var keys []model.Key
	for _, r := range all {
		keys = append(keys, keysOf(r.From)...)
	}
	return keys
}
