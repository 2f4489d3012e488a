package explain

import (
	"fmt"
	"slices"
	"strings"

	cncfcorev3 "github.com/cncf/xds/go/xds/core/v3"
	cncfmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	customv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/custom_response/v3"
	localv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/custom_response/local_response_policy/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/compile"
	"weft.dev/model"
)

// fallbackText is which answers are replaced, and by what. What only holds of some of a status's answers is
// marked: of those that the proxy gives itself.
func fallbackText(host *routev3.VirtualHost, r *routev3.Route, filters map[string]*anypb.Any) string {
	by := replacements(filters)
	var replaced []string
	var then *cncfcorev3.TypedExtensionConfig
	for _, status := range model.SortedKeys(by) {
		action, own := given(by[status])
		if then = action; own {
			status += " of the proxy"
		}
		replaced = append(replaced, status)
	}
	if len(replaced) == 0 {
		return ""
	}
	all := strings.Join(replaced, ", ")
	if answer := (&localv3.LocalResponsePolicy{}); then.GetTypedConfig().UnmarshalTo(answer) == nil {
		return fmt.Sprintf("%s become %d %s", all, answer.StatusCode.GetValue(), answer.Body.GetInlineString())
	}
	return all + " of a GET or HEAD become what " + strings.Join(askedInstead(host, r), " or ") + " answers"
}

// askedInstead are the clusters that a route's failures lead to.
func askedInstead(host *routev3.VirtualHost, r *routev3.Route) (all []string) {
	rule, _, _ := strings.Cut(r.Name, "@")
	for _, other := range host.GetRoutes() {
		if action := other.GetRoute(); action != nil && other.Name == rule+compile.FallbackRoute {
			for _, to := range destinations(other, action, 100) {
				if !slices.Contains(all, to.cluster) {
					all = append(all, to.cluster)
				}
			}
		}
	}
	return all
}

// replacements are by status.
func replacements(filters map[string]*anypb.Any) map[string]*cncfmatcherv3.Matcher_OnMatch {
	f := &customv3.CustomResponse{}
	if any, ok := filters[compile.FallbackFilter]; !ok || any.UnmarshalTo(f) != nil {
		return nil
	}
	return f.GetCustomResponseMatcher().GetMatcherTree().GetExactMatchMap().GetMap()
}

// insteadOf is what is given instead of an answer that a filter gives; nil: nothing.
func insteadOf(filters map[string]*anypb.Any, status uint32, m message) *cncfcorev3.TypedExtensionConfig {
	on := replacements(filters)[fmt.Sprint(status)]
	for on.GetMatcher() != nil {
		first := on.GetMatcher().GetMatcherList().GetMatchers()[0]
		asks := first.GetPredicate().GetSinglePredicate()
		if asks.GetCustomMatch() != nil || !fullMatch(asks.GetValueMatch().GetSafeRegex().GetRegex(), m.headers[":method"]) {
			return nil // it is about how a backend failed, or about other methods
		}
		on = first.GetOnMatch()
	}
	return on.GetAction()
}

// given is what is done at the end of the conditions, and whether one is about why the proxy answered.
func given(on *cncfmatcherv3.Matcher_OnMatch) (then *cncfcorev3.TypedExtensionConfig, own bool) {
	for on.GetMatcher() != nil {
		first := on.GetMatcher().GetMatcherList().GetMatchers()[0]
		own = own || first.GetPredicate().GetSinglePredicate().GetCustomMatch() != nil
		on = first.GetOnMatch()
	}
	return on.GetAction(), own
}
