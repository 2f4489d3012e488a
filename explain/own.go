package explain

import (
	"fmt"
	"maps"
	"strings"

	cncfcorev3 "github.com/cncf/xds/go/xds/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	localv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/custom_response/local_response_policy/v3"
	redirectv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/custom_response/redirect_policy/v3"

	"weft.dev/model"
)

// refusal is what a filter answers instead of what the route says.
type refusal struct {
	status uint32
	why    string
	from   []string
}

// said is the answer in words.
func (r *refusal) said() string { return fmt.Sprintf("refused with %d: %s", r.status, r.why) }

// answer is one that the proxy gives. Callers by gRPC get a status of theirs.
func (c *call) answer(percent float64, status uint32, text string, from ...string) {
	if c.grpc {
		status, text = 200, fmt.Sprintf("as gRPC, for %d: %s", status, text)
	}
	c.trace.Answers = append(c.trace.Answers, Answer{Percent: percent, Status: status, Text: text, From: from})
}

func isGRPC(m message) bool {
	rest, ok := strings.CutPrefix(m.headers["content-type"], "application/grpc")
	return ok && (rest == "" || rest[0] == '+')
}

// unrouted is the answer to what no route takes: tokens are looked at all the same.
func (c *call) unrouted(percent float64, status uint32, text string) {
	if r := c.refused; r != nil {
		c.answer(percent, r.status, r.why, r.from...)
		return
	}
	c.answer(percent, status, text)
}

// guarded says why the gateway's own guards refuse the request; nil: they do not.
func (c *call) guarded(m message) *refusal {
	if c.refused != nil {
		return c.refused
	}
	g := decide(c.table, m)
	if !g.Allowed {
		return &refusal{403, g.Text, g.From}
	}
	for _, policy := range g.DryRun {
		c.trace.Policies = append(c.trace.Policies, Part{Name: "dry run", Text: "would be refused by " + policy})
	}
	if len(asked(c.table, m)) > 0 {
		c.trace.Policies = append(c.trace.Policies, Part{Name: "guard", Text: g.Text, From: g.From})
	}
	return nil
}

// own is an answer to a share of a route's requests before they are sent on. A fallback of where they
// would go may replace it.
func (c *call) own(r *routev3.Route, m message, share float64, given refusal) error {
	all := []destination{{percent: share}}
	if action := r.GetRoute(); action != nil {
		all = destinations(r, action, share)
	}
	for _, to := range all {
		switch then := insteadOf(to.filters, given.status, m); {
		case to.percent <= 0:
		case then == nil || c.again || c.grpc: // a status of gRPC is in another place than is looked at
			c.answer(to.percent, given.status, given.why, given.from...)
		default:
			if err := c.replace(then, m, to.percent, given); err != nil {
				return err
			}
		}
	}
	return nil
}

// replace gives what a fallback says in place of an answer.
func (c *call) replace(then *cncfcorev3.TypedExtensionConfig, m message, percent float64, given refusal) error {
	answer, other := &localv3.LocalResponsePolicy{}, &redirectv3.RedirectPolicy{}
	switch {
	case then.GetTypedConfig().UnmarshalTo(answer) == nil:
		c.answer(percent, answer.StatusCode.GetValue(), fmt.Sprintf("fallback, instead of %d: %s", given.status, given.why), given.from...)
	case then.GetTypedConfig().UnmarshalTo(other) == nil:
		m.headers = maps.Clone(m.headers)
		m.headers[":method"] = "GET"
		for _, h := range other.RequestHeadersToAdd {
			m.headers[h.Header.Key] = h.Header.Value
		}
		route, met := c.trace.Route, c.trace.Policies // what the trace is about
		c.again = true
		err := c.routes(m, percent)
		c.again, c.trace.Route, c.trace.Policies = false, route, met
		return err
	}
	return nil
}

func withUnderscore(headers map[string]string) string {
	for _, name := range model.SortedKeys(headers) {
		if strings.Contains(name, "_") {
			return name
		}
	}
	return ""
}
