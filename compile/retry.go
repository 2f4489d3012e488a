package compile

import (
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	previousv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	priorityv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/priority/previous_priorities/v3"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
)

// The retries of a mesh in which nobody says anything: failures that another
// endpoint may not have.
var (
	defaultRetryOn       = []string{"connect-failure", "refused-stream", "unavailable", "cancelled", "reset-before-request"}
	defaultRetryStatuses = []uint32{503}
)

const (
	DefaultAttempts  = 2
	retryStatusCodes = "retriable-status-codes"
	otherHostTries   = 32 // how often another endpoint than those tried is looked for: one that fails at once is the least loaded, and of two it is offered three times of four
	triesInAPlace    = 1  // before a retry that may goes elsewhere: few retries are made at all
	idempotencyKey   = "idempotency-key"
	notIdempotent    = "POST|PATCH"
)

// retry is the Envoy form of a policy; nil stands for the mesh's default.
func retry(r *model.Retry) *routev3.RetryPolicy {
	if r == nil {
		r = &model.Retry{Attempts: DefaultAttempts, On: defaultRetryOn, Statuses: defaultRetryStatuses}
	}
	if r.Attempts == 0 {
		return &routev3.RetryPolicy{NumRetries: u32(0)}
	}
	on, statuses := retryOn(r)
	out := &routev3.RetryPolicy{
		RetryOn:              strings.Join(on, ","),
		NumRetries:           u32(r.Attempts),
		PerTryTimeout:        period(r.PerTry),
		RetriableStatusCodes: statuses,
	}
	if !r.SameHost {
		out.RetryHostPredicate = []*routev3.RetryPolicy_RetryHostPredicate{{
			Name:       "envoy.retry_host_predicates.previous_hosts",
			ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{TypedConfig: pack(&previousv3.PreviousHostsPredicate{})},
		}}
		out.HostSelectionRetryMaxAttempts = otherHostTries
	}
	if r.Elsewhere {
		out.RetryPriority = &routev3.RetryPolicy_RetryPriority{
			Name:       "envoy.retry_priorities.previous_priorities",
			ConfigType: &routev3.RetryPolicy_RetryPriority_TypedConfig{TypedConfig: pack(&priorityv3.PreviousPrioritiesConfig{UpdateFrequency: triesInAPlace})},
		}
	}
	if r.Backoff > 0 {
		out.RetryBackOff = &routev3.RetryPolicy_RetryBackOff{BaseInterval: period(r.Backoff)}
	}
	if !r.NotMethods {
		out.RetriableRequestHeaders = repeatable()
	}
	return out
}

// hedged are the routes, before this one, of requests that are made twice when the first attempt is slow. Envoy
// hedges whatever the retry policy says of methods, and without the body of what it does not repeat: so these are told apart here.
func hedged(route *routev3.Route, r *model.Retry) (all []*routev3.Route) {
	if r == nil || r.HedgeAfter <= 0 || r.Attempts == 0 {
		return nil
	}
	which := repeatable()
	if r.NotMethods {
		which = []*routev3.HeaderMatcher{nil}
	}
	for _, only := range which {
		one := proto.Clone(route).(*routev3.Route)
		if only != nil {
			one.Match.Headers = append(one.Match.Headers, only)
		}
		action := one.GetRoute()
		action.HedgePolicy = &routev3.HedgePolicy{HedgeOnPerTryTimeout: true}
		action.RetryPolicy.PerTryTimeout = period(r.HedgeAfter)
		all = append(all, one)
	}
	return all
}

func retryOn(r *model.Retry) (on []string, statuses []uint32) {
	on, statuses = slices.Clone(r.On), r.Statuses
	if len(on) == 0 && len(statuses) == 0 {
		on, statuses = slices.Clone(defaultRetryOn), defaultRetryStatuses
	}
	if len(statuses) > 0 && !slices.Contains(on, retryStatusCodes) {
		on = append(on, retryStatusCodes)
	}
	return on, statuses
}

// repeatable are the requests that may be sent twice: one of the matchers must
// hold. Repeating a payment is worse than failing it.
func repeatable() []*routev3.HeaderMatcher {
	return []*routev3.HeaderMatcher{
		{Name: ":method", InvertMatch: true, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: regexMatcher(notIdempotent)}},
		{Name: idempotencyKey, HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}},
	}
}
