package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"weft.dev/compile"
	"weft.dev/model"
)

// Policies are the rows of which follows how services are called, and by whom.
type Policies struct {
	Policies       []model.Policy
	Limits         []model.Policy // what of them Resilience says
	Concurrencies  []model.Concurrency
	RateLimits     []model.RateLimit
	Authorizations []model.Authorization
	// Mode is what holds of a port of a workload, and the objects that say so.
	Mode func(w model.Workload, port uint32) (model.MTLSMode, []model.Key)
}

// Term is one limit, timeout, breaker, fallback or permission of a service.
type Term struct {
	Namespace string `json:"namespace"`
	Service   string `json:"service"`  // short; of one outside of the mesh its host
	Requests  string `json:"requests"` // of which it holds, in words
	Name      string `json:"name"`     // timeout, retries, circuitBreaker, ...
	Value     string `json:"value"`
	Default   bool   `json:"default,omitempty"` // nobody says so: it is the mesh's
	From      Origin `json:"from,omitzero"`     // who says so
}

const everything = "everything"

// resilience lists the terms of every service, of one (service=NAMESPACE/NAME), or of a namespace.
func resilience(mesh Mesh, r *http.Request) (any, error) {
	query := r.URL.Query()
	namespace, service := query.Get("namespace"), query.Get("service")
	all, policies, tables := []Term{}, mesh.Policies(), mesh.Routes()
	for _, s := range mesh.Services() {
		if namespace != "" && s.Namespace != namespace || service != "" && service != s.Name && service != s.Host {
			continue
		}
		all = append(all, policies.of(s, tables)...)
	}
	return all, nil
}

// of are the terms of one service.
func (a Policies) of(s model.Service, tables []model.RouteTable) []Term {
	l := terms{service: s}
	l.calls(tables)
	l.connections(a.policy(s), a.limits(s.Host))
	for _, c := range a.Concurrencies {
		if c.Host == s.Host {
			l.say("adaptiveConcurrency", fmt.Sprintf("%d to %d requests at once, set anew every %s", c.AtLeast, c.AtMost, c.Every), c.From...)
		}
	}
	for _, r := range a.RateLimits {
		if r.Object.Namespace == s.Namespace && r.Target.Kind == "Service" && r.Target.Name == s.Name {
			for _, limit := range r.Limits {
				l.say("rateLimit", limit.Name+": "+limit.Text(), limit.Origin)
			}
		}
	}
	l.guards(a)
	return l.all
}

// policy of a service: its own, else that of the closest wildcard of its namespace.
func (a Policies) policy(s model.Service) (found model.Policy) {
	for _, p := range a.Policies {
		suffix, wild := strings.CutPrefix(p.Host, "*")
		wild = wild && p.Object.Namespace == s.Namespace && strings.HasSuffix(s.Host, suffix)
		if p.Host == s.Host || wild && len(p.Host) > len(found.Host) && found.Host != s.Host {
			found = p
		}
	}
	return found
}

// limits are what Resilience says of a host.
func (a Policies) limits(host string) model.Policy {
	if i := slices.IndexFunc(a.Limits, func(p model.Policy) bool { return p.Host == host }); i >= 0 {
		return a.Limits[i]
	}
	return model.Policy{}
}

// terms collects those of a service.
type terms struct {
	service  model.Service
	requests string
	all      []Term
}

// say adds one; without origins it is a default.
func (l *terms) say(name, value string, from ...model.Origin) {
	one := Term{Namespace: l.service.Namespace, Service: l.service.Name, Requests: cmp.Or(l.requests, everything), Name: name, Value: value, Default: len(from) == 0}
	if len(from) > 0 {
		one.From = originOf(from[0])
	}
	l.all = append(l.all, one)
}

// calls are what routes say of requests, those of the mesh and of gateways.
func (l *terms) calls(tables []model.RouteTable) {
	own := false
	for _, t := range tables {
		for _, rule := range t.Rules {
			if i := slices.IndexFunc(rule.Backends, func(b model.Backend) bool { return b.Host == l.service.Host }); i >= 0 && t.Connections == "" {
				own = own || slices.Contains(t.Hosts, l.service.Host)
				l.rule(t, rule, rule.Backends[i].Fallback)
			}
		}
	}
	if !own && slices.ContainsFunc(l.service.Ports, func(p model.Port) bool { return p.Protocol.IsHTTP() }) {
		l.rule(model.RouteTable{}, model.Rule{}, nil)
	}
	l.requests = ""
}

func (l *terms) rule(t model.RouteTable, rule model.Rule, fallback *model.Fallback) {
	l.requests = matchText(rule.Matches)
	if at := slices.DeleteFunc(slices.Clone(t.Gateways), func(g string) bool { return g == model.Mesh }); len(at) > 0 {
		l.requests += " at " + strings.Join(at, ", ")
	}
	switch {
	case rule.Timeout == model.NoTimeout:
		l.say("timeout", "none", saidBy(rule.TimeoutFrom, rule)...)
	case rule.Timeout > 0:
		l.say("timeout", rule.Timeout.String(), saidBy(rule.TimeoutFrom, rule)...)
	default:
		l.say("timeout", "none")
	}
	if rule.Retry == nil {
		l.say("retries", fmt.Sprintf("%d, of what reached nobody or was answered 503", compile.DefaultAttempts))
	} else {
		l.say("retries", fullRetryText(*rule.Retry), saidBy(rule.RetryFrom, rule)...)
	}
	if fallback != nil {
		l.say("fallback", fallbackText(*fallback), fallback.From...)
	}
}

func saidBy(from *model.Origin, rule model.Rule) []model.Origin {
	if from != nil {
		return []model.Origin{*from}
	}
	return []model.Origin{rule.Origin}
}

func fullRetryText(r model.Retry) string {
	text := retryText(r)
	if r.HedgeAfter > 0 {
		text += ", one beside the first after " + r.HedgeAfter.String()
	}
	if r.NotMethods {
		text += ", of every method"
	}
	return text
}

func fallbackText(f model.Fallback) string {
	var words []string
	for _, status := range f.On {
		words = append(words, fmt.Sprint(status))
	}
	for _, failure := range f.Failures {
		words = append(words, string(failure))
	}
	text := strings.Join(words, ", ")
	if f.Instead == nil {
		return fmt.Sprintf("%s: %d %s", text, f.Status, f.Body)
	}
	return text + ": " + backendText(*f.Instead) + " for GET and HEAD"
}

// connections are what a policy says, Resilience what it says of that, and what holds where neither does.
func (l *terms) connections(p, said model.Policy) {
	t, rest := p.Traffic, said.Traffic
	by := func(resilience bool) []model.Origin {
		if resilience {
			return said.From
		}
		return p.From
	}
	count := func(name, unit string, n, its, standard uint32) {
		if n > 0 {
			l.say(name, fmt.Sprintf("%d %s", n, unit), by(n == its)...)
		} else if standard > 0 {
			l.say(name, fmt.Sprintf("%d %s", standard, unit))
		}
	}
	during := func(name string, d, its, standard time.Duration) {
		if d > 0 {
			l.say(name, d.String(), by(d == its)...)
		} else if standard > 0 {
			l.say(name, standard.String())
		}
	}
	if t.Budget != nil {
		l.say("retryBudget", fmt.Sprintf("%g%% of the requests under way, and always %d", t.Budget.Percent, t.Budget.Least), by(rest.Budget != nil && *t.Budget == *rest.Budget)...)
	} else {
		l.say("retryBudget", fmt.Sprintf("%d%% of the requests under way, and always %d", compile.RetryBudgetPercent, compile.RetryBudgetMinimum))
	}
	count("circuitBreaker", "connections", t.Pool.MaxConnections, rest.Pool.MaxConnections, compile.DefaultConnections)
	count("circuitBreaker", "requests at once", t.Pool.MaxRequests, rest.Pool.MaxRequests, compile.DefaultRequests)
	count("circuitBreaker", "requests waiting", t.Pool.MaxPending, rest.Pool.MaxPending, compile.DefaultPending)
	count("connectionPool", "requests a connection", t.Pool.MaxPerConnection, rest.Pool.MaxPerConnection, 0)
	during("connectTimeout", t.Pool.ConnectTimeout, rest.Pool.ConnectTimeout, compile.ConnectTimeout)
	during("idleTimeout", t.Pool.IdleTimeout, rest.Pool.IdleTimeout, compile.IdleTimeout)
	during("maxConnectionAge", t.Pool.MaxAge, rest.Pool.MaxAge, 0)
	if o := t.Outlier; o != nil {
		l.say("outlierDetection", outlierText(*o), by(rest.Outlier != nil && *o == *rest.Outlier)...)
	} else {
		l.say("outlierDetection", fmt.Sprintf("out after %d connections in a row that fail", compile.DeadAfterConnectFails))
	}
}

func outlierText(o model.Outlier) string {
	var parts []string
	count := func(n uint32, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("out after %d %s", n, what))
		}
	}
	count(o.Consecutive5xx, "errors in a row")
	count(o.ConsecutiveGateway, "502, 503 or 504 in a row")
	count(o.ConsecutiveConnect, "connections in a row that fail")
	if o.BaseEjection > 0 {
		parts = append(parts, "for "+o.BaseEjection.String())
	}
	if o.MaxEjectionPercent > 0 {
		parts = append(parts, fmt.Sprintf("at most %d%% of the instances", o.MaxEjectionPercent))
	}
	return strings.Join(parts, ", ")
}

// guards are who may call the service's workloads, and whether by mTLS alone.
func (l *terms) guards(a Policies) {
	s := l.service
	if len(s.Selector) == 0 {
		return
	}
	all := model.Workload{Namespace: s.Namespace, Labels: s.Selector} // what holds of every instance
	for _, port := range s.Ports {
		mode, by := a.Mode(all, cmp.Or(port.Target, port.Number))
		var from []model.Origin
		for _, key := range by {
			from = append(from, model.Origin{Key: key})
		}
		l.say("mtls", fmt.Sprintf("%s at port %d", mode, port.Number), from...)
	}
	guarded := false
	for _, p := range a.Authorizations {
		if reaches(p.Reach, s) {
			guarded = true
			l.say(actionWord(p), ruleCount(p), p.From...)
		}
	}
	if !guarded {
		l.say("callers", "everybody")
	}
}

// reaches says whether a policy is about the workloads of a service.
func reaches(r model.Reach, s model.Service) bool {
	targeted := len(r.Targets) == 0 || slices.ContainsFunc(r.Targets, func(t model.Target) bool { return t.Service == s.Host })
	return targeted && (r.Namespace == "" || r.Namespace == s.Namespace) && model.Matches(r.Selector, s.Selector)
}

func actionWord(a model.Authorization) string {
	if a.DryRun {
		return string(a.Action) + " (dry run)"
	}
	return string(a.Action)
}

// ruleCount is who is meant, where that is short.
func ruleCount(a model.Authorization) string {
	var who []string
	for _, rule := range a.Rules {
		for _, source := range rule.From {
			who = append(who, source.Principals...)
			for _, namespace := range source.Namespaces {
				who = append(who, "namespace "+namespace)
			}
		}
	}
	switch {
	case len(a.Rules) == 0:
		return "nobody"
	case len(who) == 0 || len(who) > 5:
		return fmt.Sprintf("by %d rules", len(a.Rules))
	}
	return strings.Join(who, ", ")
}
