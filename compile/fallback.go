package compile

import (
	"strconv"

	cncfcorev3 "github.com/cncf/xds/go/xds/core/v3"
	cncfmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	customv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/custom_response/v3"
	localv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/custom_response/local_response_policy/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"weft.dev/model"
)

const (
	// FallbackFilter replaces answers as the route says.
	FallbackFilter = "envoy.filters.http.custom_response"
	// FallbackDetails is what access records say of an answer that a fallback gave.
	FallbackDetails = "weft_fallback"
	// FallbackHeader tells the caller that the answer is a default one, and whose.
	FallbackHeader = "x-weft-fallback"
)

// defaultFallbackOn are the statuses with which a proxy says that no backend answered.
var defaultFallbackOn = []uint32{502, 503, 504}

// fallback replaces answers of these statuses by the default response.
func fallback(f model.Fallback) *customv3.CustomResponse {
	on := f.On
	if len(on) == 0 {
		on = defaultFallbackOn
	}
	action := &cncfmatcherv3.Matcher_OnMatch{OnMatch: &cncfmatcherv3.Matcher_OnMatch_Action{Action: &cncfcorev3.TypedExtensionConfig{
		Name: "default-response", TypedConfig: pack(defaultResponse(f)),
	}}}
	exact := map[string]*cncfmatcherv3.Matcher_OnMatch{}
	for _, status := range on {
		exact[strconv.Itoa(int(status))] = action
	}
	return &customv3.CustomResponse{CustomResponseMatcher: &cncfmatcherv3.Matcher{
		MatcherType: &cncfmatcherv3.Matcher_MatcherTree_{MatcherTree: &cncfmatcherv3.Matcher_MatcherTree{
			Input:    &cncfcorev3.TypedExtensionConfig{Name: "status", TypedConfig: pack(&matcherv3.HttpResponseStatusCodeMatchInput{})},
			TreeType: &cncfmatcherv3.Matcher_MatcherTree_ExactMatchMap{ExactMatchMap: &cncfmatcherv3.Matcher_MatcherTree_MatchMap{Map: exact}},
		}},
	}}
}

// defaultResponse names the details itself: preserving those of the failure
// logs freed memory in Envoy 1.40.0.
func defaultResponse(f model.Fallback) *localv3.LocalResponsePolicy {
	add := []model.Header{{Name: FallbackHeader, Value: f.Service}}
	if f.ContentType != "" {
		add = append(add, model.Header{Name: "content-type", Value: f.ContentType})
	}
	status := f.Status
	if status < 200 || status > 599 {
		status = 200
	}
	return &localv3.LocalResponsePolicy{
		Body:                      inline(f.Body),
		StatusCode:                u32(status),
		ResponseHeadersToAdd:      headerChange(model.HeaderChange{Set: add}).add,
		ResponseCodeDetailsAction: &localv3.LocalResponsePolicy_ResponseCodeDetails{ResponseCodeDetails: FallbackDetails},
	}
}

// inline is a body; Envoy refuses an empty one, and nil means the same.
func inline(text string) *corev3.DataSource {
	if text == "" {
		return nil
	}
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: text}}
}
