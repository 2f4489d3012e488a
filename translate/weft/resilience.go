package weft

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/translate/object"
)

// Resilience is what one object says of one service. Key: host.
type Resilience struct {
	Host        string
	Index       int // of the service in the object
	Calls       Calls
	Paths       []PathCalls
	Traffic     model.TrafficPolicy
	Concurrency *model.Concurrency // without namespace and selector, which are the service's
	From        []model.Origin
}

// Calls is what is said of how requests are made.
type Calls struct {
	model.Calls
	Fallback *model.Fallback
}

// PathCalls is what is said of some of them.
type PathCalls struct {
	Within model.Within
	Calls
}

func (r Resilience) Key() string             { return r.Host }
func (r Resilience) Equal(o Resilience) bool { return reflect.DeepEqual(r, o) }

// IsZero says whether nothing is said.
func (c Calls) IsZero() bool { return c == Calls{} }

// ResilienceOf gives what the object says of each of its services.
func ResilienceOf(o *object.Object, spec *v1alpha1.ResilienceSpec) []Resilience {
	base := Resilience{
		Calls: calls(o, object.Spec, spec.CallPolicy), Traffic: traffic(o, spec), Concurrency: concurrency(o, spec.AdaptiveConcurrency), From: o.Whole(),
	}
	for i, p := range spec.Paths {
		at := object.Spec.Dot("paths").At(i)
		within, ok := within(o, at, p)
		if said := calls(o, at, retriedAs(p.CallPolicy, spec.CallPolicy)); ok && i < object.MaxList {
			base.Paths = append(base.Paths, PathCalls{Within: within, Calls: said})
		}
	}
	var all []Resilience
	for i, target := range spec.TargetRefs {
		at := object.Spec.Dot("targetRefs").At(i)
		host := model.HostOf(o.Namespace, strings.ToLower(target.Name))
		switch {
		case target.Kind != "Service" || target.Group != "":
			o.Invalid(at, "is of the kind %q; name a Service", target.Kind)
		case o.CheckHost(at.Dot("name"), host) && !slices.ContainsFunc(all, func(r Resilience) bool { return r.Host == host }):
			one := base.of(host, target.Name)
			one.Index = i
			all = append(all, one)
		}
	}
	return all
}

// of is the same, said of one service.
func (r Resilience) of(host, service string) Resilience {
	r.Host = host
	r.Calls = r.Calls.of(host, service)
	r.Paths = slices.Clone(r.Paths)
	for i := range r.Paths {
		r.Paths[i].Calls = r.Paths[i].Calls.of(host, service)
	}
	if r.Concurrency != nil {
		c := *r.Concurrency
		c.Host = host
		r.Concurrency = &c
	}
	return r
}

func (c Calls) of(host, service string) Calls {
	if c.Fallback != nil {
		f := *c.Fallback
		f.Host, f.Service = host, service
		c.Fallback = &f
	}
	return c
}

// retriedAs is the policy of a path that says something of attempts, with what it leaves open as it is of the whole.
func retriedAs(p, whole v1alpha1.CallPolicy) v1alpha1.CallPolicy {
	if p.Retries == nil && p.TryTimeout == nil && p.HedgeAfter == nil {
		return p
	}
	if p.Retries == nil {
		p.Retries, p.Idempotent = whole.Retries, p.Idempotent || whole.Idempotent && (whole.Retries == nil || *whole.Retries > 0)
	}
	if p.TryTimeout == nil && p.HedgeAfter == nil && (p.Retries == nil || *p.Retries > 0) {
		p.TryTimeout, p.HedgeAfter = whole.TryTimeout, whole.HedgeAfter
	}
	return p
}

func within(o *object.Object, at object.Path, p v1alpha1.PathPolicy) (model.Within, bool) {
	w := model.Within{Path: model.StringMatch{Exact: p.Exact, PathPrefix: p.Prefix}, Methods: p.Methods}
	path := p.Exact + p.Prefix
	if (p.Exact == "") == (p.Prefix == "") || path[0] != '/' || strings.ContainsAny(path, "?#") || len(path) > object.MaxRegex/2 {
		o.Invalid(at, "says no path; write one of prefix and exact, beginning with a slash and without ? and #")
		return w, false
	}
	return w, true
}

// retriesOn are the failures that are repeated where somebody says how often: whether the
// request may be sent twice is looked at apart.
var retriesOn = []string{"connect-failure", "refused-stream", "reset", "gateway-error", "unavailable", "cancelled"}

const (
	maxRetries     = 10 // is above what helps anybody
	defaultRetries = 2  // those of the mesh
)

func calls(o *object.Object, at object.Path, p v1alpha1.CallPolicy) (c Calls) {
	if c.Timeout = positive(o, at.Dot("timeout"), p.Timeout); c.Timeout > 0 {
		c.TimeoutFrom = originAt(o, at.Dot("timeout"))
	}
	c.Retry = retry(o, at, p)
	if c.Retry != nil {
		c.RetryFrom = originAt(o, at.Dot("retries"))
	}
	if p.Fallback != nil {
		c.Fallback = fallback(o, at.Dot("fallback"), p.Fallback)
	}
	return c
}

func originAt(o *object.Object, at object.Path) *model.Origin {
	origin := o.Origin(at)
	return &origin
}

// positive reads a duration of which 0 means nothing.
func positive(o *object.Object, at object.Path, d *metav1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	if d.Duration == 0 {
		o.Invalid(at, "is 0; write a time such as 2s, or remove it")
	}
	return o.CheckDuration(at, d.Duration)
}

func retry(o *object.Object, at object.Path, p v1alpha1.CallPolicy) *model.Retry {
	perTry, hedge := positive(o, at.Dot("tryTimeout"), p.TryTimeout), positive(o, at.Dot("hedgeAfter"), p.HedgeAfter)
	retries := defaultRetries
	switch {
	case p.Retries != nil && (*p.Retries < 0 || *p.Retries > maxRetries):
		o.Invalid(at.Dot("retries"), "%d is out of range; write 0 to %d", *p.Retries, maxRetries)
		return nil
	case p.Retries != nil:
		retries = int(*p.Retries)
	}
	unsaid := p.Retries == nil && perTry == 0 && hedge == 0
	if p.Idempotent && (unsaid || retries == 0) {
		o.Invalid(at.Dot("idempotent"), "says what may be repeated, and nothing is; set retries to 1 or more, or remove it")
	}
	switch {
	case unsaid:
		return nil
	case hedge > 0 && retries == 0:
		o.Invalid(at.Dot("hedgeAfter"), "makes another attempt, and retries says none; set that to 1 or more, or remove one of them")
		hedge = 0
	case hedge > 0 && perTry > 0:
		o.Invalid(at.Dot("tryTimeout"), "ends an attempt that hedgeAfter lets go on; remove one of them")
		perTry = 0
	}
	r := &model.Retry{Attempts: uint32(retries), PerTry: perTry, HedgeAfter: hedge, NotMethods: p.Idempotent}
	if retries > 0 {
		r.On = slices.Clone(retriesOn)
	}
	return r
}

// defaultOn are the statuses that say that no backend answered.
var defaultOn = []uint32{502, 503, 504}

var failures = map[v1alpha1.Failure]model.Failure{
	v1alpha1.FailedTimeout: model.FailedTimeout, v1alpha1.FailedConnect: model.FailedConnect, v1alpha1.FailedBreaker: model.FailedBreaker,
}

// fallback is nil where it is not usable.
func fallback(o *object.Object, at object.Path, spec *v1alpha1.Fallback) *model.Fallback {
	f := &model.Fallback{Status: 200, From: []model.Origin{o.Origin(at)}}
	for i, status := range spec.Statuses {
		if status < 400 || status > 599 || i >= object.MaxList {
			o.Invalid(at.Dot("statuses").At(i), "%d is no status of a failure; write 400 to 599", status)
			return nil
		}
		f.On = append(f.On, uint32(status))
	}
	for i, word := range spec.Failures {
		failure, known := failures[word]
		if !known || slices.Contains(f.Failures, failure) {
			o.Invalid(at.Dot("failures").At(i), "%q is none, or is there twice; write Timeout, ConnectFailure or BreakerOpen", word)
			return nil
		}
		f.Failures = append(f.Failures, failure)
	}
	if len(f.On)+len(f.Failures) == 0 {
		f.On = defaultOn
	}
	switch {
	case (spec.Service == "") == (spec.Response == nil):
		o.Invalid(at, "says nothing to give instead; write one of response and service")
		return nil
	case spec.Service != "":
		host := o.Host(spec.Service)
		if !o.CheckHost(at.Dot("service"), host) {
			return nil
		}
		f.Instead = &model.Backend{Host: host, Weight: 1, Origin: o.Origin(at.Dot("service"))}
		return f
	}
	return answered(o, at.Dot("response"), f, spec.Response)
}

// answered is the fallback with its default response; nil where that is not usable.
func answered(o *object.Object, at object.Path, f *model.Fallback, spec *v1alpha1.FallbackResponse) *model.Fallback {
	f.ContentType, f.Body = "application/json", spec.Body
	if spec.Status != 0 {
		f.Status = uint32(spec.Status)
	}
	if spec.ContentType != "" {
		f.ContentType = spec.ContentType
	}
	switch {
	case f.Status < 200 || f.Status > 599:
		o.Invalid(at.Dot("status"), "%d is no status of a response; write 200 to 599", f.Status)
		return nil
	case len(f.Body) > object.MaxString:
		o.Invalid(at.Dot("body"), "has %d bytes, more than %d", len(f.Body), object.MaxString)
		return nil
	case strings.ContainsFunc(f.ContentType, func(r rune) bool { return r < ' ' || r > '~' || r == '%' }):
		o.Invalid(at.Dot("contentType"), "is no media type; write one such as application/json")
		return nil
	}
	return f
}

// traffic is what is said of connections to the service.
func traffic(o *object.Object, spec *v1alpha1.ResilienceSpec) (t model.TrafficPolicy) {
	if share, ok := percent(o, object.Spec.Dot("retryBudget"), spec.RetryBudget); ok {
		t.Budget = &model.RetryBudget{Percent: float64(share), Least: leastRetries}
	}
	if b := spec.CircuitBreaker; b != nil {
		at := object.Spec.Dot("circuitBreaker")
		t.Pool.MaxConnections = o.Count(at.Dot("connections"), b.Connections)
		t.Pool.MaxRequests = o.Count(at.Dot("requests"), b.Requests)
		t.Pool.MaxPending = o.Count(at.Dot("pending"), b.Pending)
	}
	if p := spec.ConnectionPool; p != nil {
		at := object.Spec.Dot("connectionPool")
		t.Pool.ConnectTimeout = positive(o, at.Dot("connectTimeout"), p.ConnectTimeout)
		t.Pool.IdleTimeout = positive(o, at.Dot("idleTimeout"), p.IdleTimeout)
		t.Pool.MaxAge = positive(o, at.Dot("maxAge"), p.MaxAge)
		t.Pool.MaxPerConnection = o.Count(at.Dot("requestsPerConnection"), p.RequestsPerConnection)
	}
	if d := spec.OutlierDetection; d != nil {
		at := object.Spec.Dot("outlierDetection")
		errors := o.Count(at.Dot("errors"), d.Errors)
		if errors == 0 {
			errors = defaultErrors
		}
		atMost, _ := percent(o, at.Dot("atMost"), d.AtMost)
		t.Outlier = &model.Outlier{
			Consecutive5xx: errors, ConsecutiveConnect: errors, MaxEjectionPercent: atMost,
			Interval: positive(o, at.Dot("every"), d.Every), BaseEjection: positive(o, at.Dot("leftOutFor"), d.LeftOutFor),
		}
	}
	return t
}

const (
	leastRetries  = 10 // at once, however small the budget
	defaultErrors = 5  // in a row
)

// percent of a text such as 20%, if there is one.
func percent(o *object.Object, at object.Path, p v1alpha1.Percent) (share uint32, ok bool) {
	if p == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(string(p), "%"), 10, 8)
	if err != nil || n > 100 || !strings.HasSuffix(string(p), "%") {
		o.Invalid(at, "%q is no share; write one such as 20%%", p)
		return 0, false
	}
	return uint32(n), true
}

// What holds where nobody says another limit: as in the schema.
const (
	defaultAtMost       = 1000
	defaultAtLeast      = 3
	defaultEvery        = 100 * time.Millisecond
	defaultMeasureEvery = time.Minute
)

func concurrency(o *object.Object, spec *v1alpha1.AdaptiveConcurrency) *model.Concurrency {
	if spec == nil {
		return nil
	}
	at := object.Spec.Dot("adaptiveConcurrency")
	c := &model.Concurrency{AtMost: defaultAtMost, AtLeast: defaultAtLeast, Every: defaultEvery, MeasureEvery: defaultMeasureEvery, From: []model.Origin{o.Origin(at)}}
	if n := o.Count(at.Dot("atMost"), spec.AtMost); n > 0 {
		c.AtMost = n
	}
	if n := o.Count(at.Dot("atLeast"), spec.AtLeast); n > 0 {
		c.AtLeast = n
	}
	if d := positive(o, at.Dot("every"), spec.Every); d > 0 {
		c.Every = d
	}
	if d := positive(o, at.Dot("measureEvery"), spec.MeasureEvery); d > 0 {
		c.MeasureEvery = d
	}
	if c.AtLeast > c.AtMost {
		o.Invalid(at.Dot("atLeast"), "is %d, more than atMost, which is %d; lower it", c.AtLeast, c.AtMost)
		c.AtLeast = c.AtMost
	}
	return c
}
