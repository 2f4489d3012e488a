package compile

import (
	cncfcorev3 "github.com/cncf/xds/go/xds/core/v3"
	cncfmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	statsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stats/v3"
	transformv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/actions/transform_stat/v3"
	inputv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/common_inputs/stats/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"weft.dev/model"
)

// maxRouteCounters bounds what a proxy spends on them, all listeners together. Those of versions that are gone
// stay until Envoy starts anew; beyond the bound nothing is counted.
const maxRouteCounters = 8192

// RouteCounts counts, inside of Envoy, how requests ended, by route and cluster: one for a request, however
// often it was tried. Only those of routes that say as what (metadataCounted) are: what is counted of all costs all.
func RouteCounts() *accesslogv3.AccessLog {
	return &accesslogv3.AccessLog{
		Name: "envoy.access_loggers.stats",
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: pack(&statsv3.Config{
			StatsScope: &typev3.Scope{Prefix: model.RouteStatPrefix, MaxCounters: u32(maxRouteCounters)},
			Counters: []*statsv3.Config_Counter{{
				ValueFixed: wrapperspb.UInt64(1),
				Stat: &statsv3.Config_Stat{Name: model.RouteStatName, Tags: []*statsv3.Config_Tag{
					{Name: model.RouteStatRoute, ValueFormat: "%METADATA(ROUTE:" + MetadataKey + ":" + metadataCounted + ")%", Rules: uncounted()},
					{Name: model.RouteStatEnd, ValueFormat: "%RESPONSE_CODE%%RESPONSE_CODE_DETAILS%", Rules: ends()},
					{Name: model.RouteStatCluster, ValueFormat: "%UPSTREAM_CLUSTER_RAW%"},
				}},
			}},
		})},
	}
}

// uncounted drops what belongs to no counted route, and so has nothing there.
func uncounted() *cncfmatcherv3.Matcher {
	return &cncfmatcherv3.Matcher{MatcherType: tagRules(tagRule(&cncfmatcherv3.StringMatcher{MatchPattern: &cncfmatcherv3.StringMatcher_Exact{}}, drop()))}
}

// ends tells requests that failed from others. What a caller broke off, or a rule of ours failed, says
// nothing of the version.
func ends() *cncfmatcherv3.Matcher {
	return &cncfmatcherv3.Matcher{
		MatcherType: tagRules(
			tagRule(prefixed("0"), drop()),
			tagRule(&cncfmatcherv3.StringMatcher{MatchPattern: &cncfmatcherv3.StringMatcher_Contains{Contains: "fault_filter_abort"}}, drop()),
			tagRule(prefixed("5"), become(model.RouteEndBad)),
			tagRule(&cncfmatcherv3.StringMatcher{MatchPattern: &cncfmatcherv3.StringMatcher_Suffix{Suffix: FallbackDetails}}, become(model.RouteEndBad)),
		),
		OnNoMatch: transform(become(model.RouteEndOK)),
	}
}

func tagRules(rules ...*cncfmatcherv3.Matcher_MatcherList_FieldMatcher) *cncfmatcherv3.Matcher_MatcherList_ {
	return &cncfmatcherv3.Matcher_MatcherList_{MatcherList: &cncfmatcherv3.Matcher_MatcherList{Matchers: rules}}
}

func tagRule(value *cncfmatcherv3.StringMatcher, then *transformv3.TransformStat) *cncfmatcherv3.Matcher_MatcherList_FieldMatcher {
	return &cncfmatcherv3.Matcher_MatcherList_FieldMatcher{
		Predicate: &cncfmatcherv3.Matcher_MatcherList_Predicate{MatchType: &cncfmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_{
			SinglePredicate: &cncfmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate{
				Input:   &cncfcorev3.TypedExtensionConfig{Name: "tag", TypedConfig: pack(&inputv3.StatTagValueInput{})},
				Matcher: &cncfmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_ValueMatch{ValueMatch: value},
			},
		}},
		OnMatch: transform(then),
	}
}

func transform(t *transformv3.TransformStat) *cncfmatcherv3.Matcher_OnMatch {
	return &cncfmatcherv3.Matcher_OnMatch{OnMatch: &cncfmatcherv3.Matcher_OnMatch_Action{Action: &cncfcorev3.TypedExtensionConfig{
		Name: "transform", TypedConfig: pack(t),
	}}}
}

func drop() *transformv3.TransformStat {
	return &transformv3.TransformStat{DropStat: &transformv3.TransformStat_DropStat{}}
}

func become(value string) *transformv3.TransformStat {
	return &transformv3.TransformStat{UpdateTag: &transformv3.TransformStat_UpdateTag{NewTagValue: value}}
}

func prefixed(s string) *cncfmatcherv3.StringMatcher {
	return &cncfmatcherv3.StringMatcher{MatchPattern: &cncfmatcherv3.StringMatcher_Prefix{Prefix: s}}
}
