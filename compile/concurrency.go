package compile

import (
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	adaptivev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/adaptive_concurrency/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
)

// ConcurrencyFilter refuses requests beyond what keeps a workload quick.
const ConcurrencyFilter = "envoy.filters.http.adaptive_concurrency"

// How the limit is found, where nobody needs to say.
const (
	sampledRequests = 50 // of a workload with little to do
	sampledPercent  = 90 // of the answers are as quick as what is compared
)

// concurrencyOf is the key of the limit that holds of a workload: of several services' the first by host.
func concurrencyOf(all []model.Concurrency, w model.Workload) (key string) {
	for _, l := range all {
		if l.Namespace == w.Namespace && len(l.Selector) > 0 && model.Matches(l.Selector, w.Labels) && (key == "" || l.Key() < key) {
			key = l.Key()
		}
	}
	return key
}

// adaptive has requests pass the limit after all that may refuse them without asking the application. It is a filter of the
// listener: Envoy keeps what it measures with it, and takes it from no route.
func adaptive(m *hcmv3.HttpConnectionManager, l *model.Concurrency) *hcmv3.HttpConnectionManager {
	if l == nil {
		return m
	}
	last := len(m.HttpFilters) - 1
	m.HttpFilters = slices.Insert(m.HttpFilters, last, httpFilter(ConcurrencyFilter, &adaptivev3.AdaptiveConcurrency{
		ConcurrencyControllerConfig: &adaptivev3.AdaptiveConcurrency_GradientControllerConfig{
			GradientControllerConfig: &adaptivev3.GradientControllerConfig{
				SampleAggregatePercentile: &typev3.Percent{Value: sampledPercent},
				ConcurrencyLimitParams: &adaptivev3.GradientControllerConfig_ConcurrencyLimitCalculationParams{
					MaxConcurrencyLimit: u32(l.AtMost), MinConcurrencyLimit: u32(l.AtLeast), ConcurrencyUpdateInterval: durationpb.New(l.Every),
				},
				MinRttCalcParams: &adaptivev3.GradientControllerConfig_MinimumRTTCalculationParams{
					Interval: durationpb.New(l.MeasureEvery), RequestCount: u32(sampledRequests),
					MinConcurrency: u32(l.AtLeast), Jitter: &typev3.Percent{Value: 10}, Buffer: &typev3.Percent{Value: 25},
				},
			},
		},
		Enabled: &corev3.RuntimeFeatureFlag{DefaultValue: yes(), RuntimeKey: "weft.adaptive_concurrency"},
	}))
	return m
}

func concurrencyKeys(l *model.Concurrency) []model.Key {
	if l == nil {
		return nil
	}
	return keysOf(l.From)
}
