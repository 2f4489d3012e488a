package compile

import (
	"fmt"
	"slices"
	"strconv"

	expr "cel.dev/expr"
	cncfcorev3 "github.com/cncf/xds/go/xds/core/v3"
	cncfmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	cnctypev3 "github.com/cncf/xds/go/xds/type/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	customv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/custom_response/v3"
	localv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/custom_response/local_response_policy/v3"
	redirectv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/custom_response/redirect_policy/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
)

const (
	// FallbackFilter replaces answers as the route says.
	FallbackFilter = "envoy.filters.http.custom_response"
	// FallbackDetails is what access records say of an answer that a fallback gave.
	FallbackDetails = "weft_fallback"
	// FallbackHeader tells the caller that the answer is another one's, and a service that is asked instead of which.
	FallbackHeader = "x-weft-fallback"
	// FallbackRoute, behind the name of a rule, is the route to the service that is asked instead.
	FallbackRoute = "@fallback"
)

// failureDetails are what a proxy says of an answer of its own, by why it gave it.
var failureDetails = map[model.Failure][]string{
	model.FailedTimeout: {"response_timeout", "per_try_timeout"},
	model.FailedConnect: {"no_healthy_upstream", "connection_failure", "connection_timeout", "connection_termination"},
	model.FailedBreaker: {"overflow"},
}

// fallback replaces answers of its statuses: all of them, or those of some failures of the proxy.
func fallback(f model.Fallback) *customv3.CustomResponse {
	exact := map[string]*cncfmatcherv3.Matcher_OnMatch{}
	for _, status := range f.Replaces() {
		then := &cncfmatcherv3.Matcher_OnMatch{OnMatch: &cncfmatcherv3.Matcher_OnMatch_Action{Action: instead(f)}}
		if f.Instead != nil {
			then = when(safe(), then)
		}
		if !slices.Contains(f.On, status) {
			then = when(failedAs(f, status), then)
		}
		exact[strconv.Itoa(int(status))] = then
	}
	return &customv3.CustomResponse{CustomResponseMatcher: &cncfmatcherv3.Matcher{
		MatcherType: &cncfmatcherv3.Matcher_MatcherTree_{MatcherTree: &cncfmatcherv3.Matcher_MatcherTree{
			Input:    &cncfcorev3.TypedExtensionConfig{Name: "status", TypedConfig: pack(&matcherv3.HttpResponseStatusCodeMatchInput{})},
			TreeType: &cncfmatcherv3.Matcher_MatcherTree_ExactMatchMap{ExactMatchMap: &cncfmatcherv3.Matcher_MatcherTree_MatchMap{Map: exact}},
		}},
	}}
}

// when has something done if the predicate holds, and nothing else.
func when(holds *cncfmatcherv3.Matcher_MatcherList_Predicate, then *cncfmatcherv3.Matcher_OnMatch) *cncfmatcherv3.Matcher_OnMatch {
	return &cncfmatcherv3.Matcher_OnMatch{OnMatch: &cncfmatcherv3.Matcher_OnMatch_Matcher{Matcher: &cncfmatcherv3.Matcher{
		MatcherType: &cncfmatcherv3.Matcher_MatcherList_{MatcherList: &cncfmatcherv3.Matcher_MatcherList{
			Matchers: []*cncfmatcherv3.Matcher_MatcherList_FieldMatcher{{Predicate: holds, OnMatch: then}},
		}},
	}}}
}

// safe holds of requests that another service may be asked for: Envoy asks with GET, without a body, whatever came.
func safe() *cncfmatcherv3.Matcher_MatcherList_Predicate {
	return single(&matcherv3.HttpRequestHeaderMatchInput{HeaderName: ":method"}, &cncfmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_ValueMatch{
		ValueMatch: &cncfmatcherv3.StringMatcher{MatchPattern: &cncfmatcherv3.StringMatcher_SafeRegex{SafeRegex: &cncfmatcherv3.RegexMatcher{
			Regex: "GET|HEAD", EngineType: &cncfmatcherv3.RegexMatcher_GoogleRe2{GoogleRe2: &cncfmatcherv3.RegexMatcher_GoogleRE2{}},
		}}},
	})
}

func single(input proto.Message, by any) *cncfmatcherv3.Matcher_MatcherList_Predicate {
	one := &cncfmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate{Input: &cncfcorev3.TypedExtensionConfig{Name: "input", TypedConfig: pack(input)}}
	switch by := by.(type) {
	case *cncfmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_ValueMatch:
		one.Matcher = by
	case *cncfmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_CustomMatch:
		one.Matcher = by
	}
	return &cncfmatcherv3.Matcher_MatcherList_Predicate{MatchType: &cncfmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_{SinglePredicate: one}}
}

// failedAs holds of answers with the status that the proxy gave for one of the failures.
func failedAs(f model.Fallback, status uint32) *cncfmatcherv3.Matcher_MatcherList_Predicate {
	var holds *expr.Expr
	var ids counter
	for _, failure := range f.Failures {
		if failure.Status() != status {
			continue
		}
		for _, word := range failureDetails[failure] {
			one := ids.detailsContain(word)
			if holds != nil {
				one = ids.call("_||_", nil, holds, one)
			}
			holds = one
		}
	}
	parsed := &cnctypev3.CelExpression{CelExprParsed: &expr.ParsedExpr{Expr: holds}}
	return single(&cncfmatcherv3.HttpAttributesCelMatchInput{}, &cncfmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_CustomMatch{
		CustomMatch: &cncfcorev3.TypedExtensionConfig{Name: "details", TypedConfig: pack(&cncfmatcherv3.CelMatcher{ExprMatch: parsed})},
	})
}

// counter numbers the parts of an expression.
type counter int64

func (n *counter) next() int64 { *n++; return int64(*n) }

// detailsContain is response.code_details.contains(word).
func (n *counter) detailsContain(word string) *expr.Expr {
	response := &expr.Expr{Id: n.next(), ExprKind: &expr.Expr_IdentExpr{IdentExpr: &expr.Expr_Ident{Name: "response"}}}
	details := &expr.Expr{Id: n.next(), ExprKind: &expr.Expr_SelectExpr{SelectExpr: &expr.Expr_Select{Operand: response, Field: "code_details"}}}
	text := &expr.Expr{Id: n.next(), ExprKind: &expr.Expr_ConstExpr{ConstExpr: &expr.Constant{ConstantKind: &expr.Constant_StringValue{StringValue: word}}}}
	return n.call("contains", details, text)
}

func (n *counter) call(function string, target *expr.Expr, args ...*expr.Expr) *expr.Expr {
	return &expr.Expr{Id: n.next(), ExprKind: &expr.Expr_CallExpr{CallExpr: &expr.Expr_Call{Function: function, Target: target, Args: args}}}
}

// instead is what is given.
func instead(f model.Fallback) *cncfcorev3.TypedExtensionConfig {
	if f.Instead != nil {
		return &cncfcorev3.TypedExtensionConfig{Name: "other-service", TypedConfig: pack(otherService(f))}
	}
	return &cncfcorev3.TypedExtensionConfig{Name: "default-response", TypedConfig: pack(defaultResponse(f))}
}

// otherService has the request routed anew, with the header by which insteadRoutes take it. Envoy puts a status over
// whatever comes of that: the one that is given, or else the one of the failure, never that of the other service.
func otherService(f model.Fallback) *redirectv3.RedirectPolicy {
	header := func(value string) []*corev3.HeaderValueOption {
		return headerChange(model.HeaderChange{Set: []model.Header{{Name: FallbackHeader, Value: value}}}).add
	}
	return &redirectv3.RedirectPolicy{
		RedirectActionSpecifier: &redirectv3.RedirectPolicy_RedirectAction{RedirectAction: &routev3.RedirectAction{}},
		StatusCode:              u32(f.Status),
		ResponseHeadersToAdd:    header(f.Service),
		RequestHeadersToAdd:     header(f.Host),
	}
}

// askable leaves fallbacks out that cannot ask the other service: nobody is there, or requests are rewritten. Envoy routes
// them anew by what they became, which may be what others answer, or another rule's fallback, or nobody.
func (r *router) askable(rule model.Rule) model.Rule {
	rewritten := func(rw *model.Rewrite, c model.HeaderChange) bool { return rw != nil || headerChange(c).host != "" }
	rule.Backends = slices.Clone(rule.Backends)
	for i := range rule.Backends {
		b := &rule.Backends[i]
		switch {
		case b.Fallback == nil || b.Fallback.Instead == nil:
		case rewritten(rule.Rewrite, rule.RequestHeaders) || rewritten(b.Rewrite, b.RequestHeaders):
			r.problem(rule.Origin, model.ProblemNotHonoured, fmt.Sprintf("it rewrites requests, so that %s cannot be asked for what %s failed; let the fallback say a response, or do not rewrite", b.Fallback.Instead.Host, b.Host))
			b.Fallback = nil
		default:
			if _, there := r.target(*b.Fallback.Instead); !there {
				b.Fallback = nil
			}
		}
	}
	return rule
}

// insteadRoutes lead requests that a backend failed to the service that is asked instead.
func (r *router) insteadRoutes(base *routev3.Route, c candidate) (all []*routev3.Route) {
	done := map[string]bool{}
	for _, b := range c.rule.Backends {
		f := b.Fallback
		if f == nil || f.Instead == nil || done[f.Host] {
			continue
		}
		done[f.Host] = true
		targets, _ := r.targets([]model.Backend{*f.Instead})
		if weightOf(targets) == 0 {
			continue
		}
		route := proto.Clone(base).(*routev3.Route)
		route.Name += FallbackRoute
		delete(route.TypedPerFilterConfig, FaultFilter) // it is how the one that failed is tried
		route.Metadata = r.metadata(c, f.From...)
		route.Match.Headers = append(route.Match.Headers, &routev3.HeaderMatcher{
			Name: FallbackHeader, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: exactMatcher(f.Host, false)},
		})
		other := c
		other.rule.Calls, other.rule.Backends, other.rule.Mirrors = f.Calls, []model.Backend{*f.Instead}, nil
		r.send(route, other, targets)
		all = append(all, route)
	}
	return all
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
