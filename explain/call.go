package explain

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"weft.dev/compile"
	"weft.dev/model"
)

// call is one request on its way.
type call struct {
	view    *model.View
	mesh    Mesh
	trace   Trace
	gateway bool
	grpc    bool // its caller reads a status of gRPC, and no other
	table   *routev3.RouteConfiguration
	host    *routev3.VirtualHost
	refused *refusal // for its token; nil: it is not
	again   bool     // it is routed anew, because of what the first backend answered
}

// decoded reads a resource's bytes.
func decoded[M any, P interface {
	*M
	proto.Message
}](r *model.Resource) (P, error) {
	m := P(new(M))
	if err := proto.Unmarshal(r.Body, m); err != nil {
		return nil, fmt.Errorf("%v %s: %w", r.Type, r.Name, err)
	}
	return m, nil
}

// enter finds the listener, and the table by which it routes.
func (c *call) enter(m message, gateway bool) error {
	name := compile.OutboundListener
	if gateway {
		port, err := strconv.ParseUint(cmp.Or(m.port, defaultPorts[m.headers[":scheme"]]), 10, 16)
		if err != nil {
			return fmt.Errorf("port %q: want a number", m.port)
		}
		name = compile.GatewayName(uint32(port))
	}
	r := c.view.Find(model.TypeListener, name)
	if r == nil {
		return fmt.Errorf("proxy %s: it has no listener %s: nothing takes such a call there", c.trace.Proxy, name)
	}
	l, err := decoded[listenerv3.Listener](r)
	if err != nil {
		return err
	}
	at := l.GetAddress().GetSocketAddress()
	c.trace.Listener = Part{Name: name, Text: fmt.Sprintf("%s:%d", at.GetAddress(), at.GetPortValue()), From: texts(r.From)}
	c.trace.Identity = l.GetMetadata().GetFilterMetadata()[compile.MetadataKey].GetFields()[compile.MetadataIdentity].GetStringValue()
	m.caller = c.trace.Identity
	if gateway {
		chain, err := chainFor(l, m)
		if err != nil {
			return fmt.Errorf("proxy %s: %w", c.trace.Proxy, err)
		}
		name, m.previews = chain.Name, previewsOf(chain, m, time.Now())
		m.headers["x-forwarded-proto"] = m.headers[":scheme"]
	} else {
		m.headers[":scheme"] = "http" // what a caller encrypts itself has no routes
		m.headers["x-forwarded-proto"] = cmp.Or(m.headers["x-forwarded-proto"], "http")
	}
	c.grpc = isGRPC(m)
	table := c.view.Find(model.TypeRoute, name)
	if table == nil {
		return fmt.Errorf("proxy %s: it has no routes %s yet", c.trace.Proxy, name)
	}
	return c.route(table, m, gateway)
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

func (c *call) route(table *model.Resource, m message, gateway bool) error {
	config, err := decoded[routev3.RouteConfiguration](table)
	if err != nil {
		return err
	}
	if gateway {
		delete(m.headers, model.VersionHeader)
		delete(m.headers, compile.FallbackHeader)
		m.headers[":authority"] = withoutDot(m.headers[":authority"])
		if name := withUnderscore(m.headers); name != "" {
			c.grpc = false // what the codec refuses, no filter sees
			c.answer(100, 400, "the header "+name+" has an underscore, which other readers would take for a dash")
			return nil
		}
	}
	var ok bool
	if m.path, m.query, ok = normal(m.headers[":path"], gateway); !ok {
		c.answer(100, 400, "other readers would read the path differently")
		return nil
	}
	m.headers[":path"] = m.path + m.query
	c.table, c.gateway = config, gateway
	if gateway {
		c.refused = tokens(c.view, &m, time.Now())
	}
	host, domain := virtualHost(config, m.headers[":authority"])
	if config.Vhds != nil {
		if host, domain, err = discovered(c.view, config, m.headers[":authority"]); err != nil {
			return err
		}
	}
	switch {
	case host == nil && gateway:
		c.unrouted(100, 404, "no host of this port matches "+m.headers[":authority"])
		return nil
	case host == nil:
		c.answer(100, compile.UnknownHostStatus, compile.UnknownHost(m.headers[":authority"]))
		return nil
	}
	c.trace.Host = Part{Name: hostName(config, host), Text: "by the name " + domain}
	if host.RequireTls == routev3.VirtualHost_ALL && m.headers["x-forwarded-proto"] != "https" {
		c.unrouted(100, 301, "redirect to https://"+m.headers[":authority"]+m.headers[":path"])
		return nil
	}
	c.host = host
	return c.routes(m, 100)
}

// routes has the host's take a share of the requests, one route after the other.
func (c *call) routes(m message, left float64) error {
	for _, r := range c.host.Routes {
		switch why := unmet(r.Match, m); {
		case why != "":
			if left > 0 {
				c.miss(r, m, why)
			}
			continue
		case left <= 0:
			c.miss(r, m, "it matches, too, and comes later")
			continue
		}
		share := left
		if f := r.Match.RuntimeFraction; f != nil {
			share = left * percentOf(f.GetDefaultValue()) / 100
		}
		left -= share
		if err := c.take(r, m, share); err != nil {
			return err
		}
	}
	if left > 0 {
		c.unrouted(left, 404, "no route of the host matches")
	}
	return nil
}

// take follows a route with a share of the requests, through the filters in their order.
func (c *call) take(r *routev3.Route, m message, share float64) error {
	from := metadataFrom(r.Metadata)
	c.trace.Route, c.trace.Policies = Part{Name: r.Name, Text: matchText(r.Match), From: from}, nil
	met := func(name, text string) {
		if text != "" {
			c.trace.Policies = append(c.trace.Policies, Part{Name: name, Text: text, From: from})
		}
	}
	crossing := crossingOf(r, m)
	met("cors", crossing.text)
	if crossing.answers {
		c.trace.Answers = append(c.trace.Answers, Answer{Percent: share, Status: 200, Text: "the browser is told, and no backend is asked", From: from})
		return nil
	}
	if c.gateway {
		if refused := c.guarded(m); refused != nil {
			return c.own(r, m, share, *refused)
		}
	}
	if action := r.GetRoute(); action != nil {
		c.trace.Policies = append(c.trace.Policies, policies(c.host, r, action, m)...)
	}
	fault := faultOf(r)
	met("fault", faultText(fault))
	c.trace.Policies = slices.Concat(c.trace.Policies,
		limitsOf(c.host.TypedPerFilterConfig, compile.LimitsFilter, c.host.Metadata, r, m),
		limitsOf(c.table.TypedPerFilterConfig, compile.GatewayLimitsFilter, c.table.Metadata, r, m))
	if a := fault.GetAbort(); a != nil {
		aborted := share * percentOf(a.Percentage) / 100
		if err := c.own(r, m, aborted, abort(a, from)); err != nil {
			return err
		}
		share -= aborted
	}
	return c.act(r, m, share)
}

// act does what the route says with a share of the requests.
func (c *call) act(r *routev3.Route, m message, share float64) error {
	from := metadataFrom(r.Metadata)
	if share <= 0 {
		return nil
	}
	switch action := r.Action.(type) {
	case *routev3.Route_DirectResponse:
		c.answer(share, action.DirectResponse.Status, strings.TrimSpace(bodyOf(action.DirectResponse, m)), from...)
	case *routev3.Route_Redirect:
		c.answer(share, redirectStatus(action.Redirect), "redirect to "+location(r, m), from...)
	case *routev3.Route_Route:
		for _, to := range destinations(r, action.Route, share) {
			if err := c.target(r, to, rewritten(c.host, r, to.weighted, m)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *call) target(route *routev3.Route, to destination, m message) error {
	t := Target{Part: Part{Name: to.cluster}, Percent: to.percent, Fallback: fallbackText(c.host, route, to.filters)}
	r := c.view.Find(model.TypeCluster, to.cluster)
	if r == nil {
		t.Text = "not in the proxy's view: answered with 503"
		c.trace.Targets = append(c.trace.Targets, t)
		return nil
	}
	cluster, err := decoded[clusterv3.Cluster](r)
	if err != nil {
		return err
	}
	t.Text, t.From, t.Breaker = clusterText(cluster), metadataFrom(cluster.Metadata), breakerText(cluster)
	if host := to.weighted.GetHostRewriteLiteral(); host != "" {
		t.Text += ", asked for " + host + " " + m.headers[":path"]
	}
	t.Endpoints, err = c.endpoints(cluster, m)
	c.trace.Targets = append(c.trace.Targets, t)
	return err
}

func (c *call) endpoints(cluster *clusterv3.Cluster, m message) ([]Endpoint, error) {
	assignment := cluster.LoadAssignment
	if r := c.view.Find(model.TypeEndpoint, cluster.Name); r != nil {
		var err error
		if assignment, err = decoded[endpointv3.ClusterLoadAssignment](r); err != nil {
			return nil, err
		}
	}
	var all []Endpoint
	for _, group := range assignment.GetEndpoints() {
		for _, ep := range group.LbEndpoints {
			at := ep.GetEndpoint().GetAddress().GetSocketAddress()
			e := Endpoint{Address: fmt.Sprintf("%s:%d", at.GetAddress(), at.GetPortValue()), Health: healthText(ep.HealthStatus), Place: placeText(assignment.Endpoints, group)}
			if w, ok := c.mesh.At(at.GetAddress(), at.GetPortValue()); ok {
				e.Workload, e.Version = w.Key(), w.Version
				e.Guard = c.guardOf(ep, e.Workload, seenBy(cluster, m))
			}
			all = append(all, e)
		}
	}
	return all, nil
}

// seenBy is the message as the destination gets it: without TLS nobody vouches
// for the caller.
func seenBy(cluster *clusterv3.Cluster, m message) message {
	if plainText(cluster) {
		m.caller = ""
	}
	return m
}

func healthText(h corev3.HealthStatus) string {
	if h == corev3.HealthStatus_UNKNOWN {
		return "healthy"
	}
	return strings.ToLower(h.String())
}

// rewritten is the message after the changes of the cluster, if it is one of several, the route and the host.
func rewritten(host *routev3.VirtualHost, r *routev3.Route, to *routev3.WeightedCluster_ClusterWeight, m message) message {
	action := r.GetRoute()
	m.headers = maps.Clone(m.headers)
	for _, by := range []headerChanges{to, r, host} {
		for _, h := range by.GetRequestHeadersToAdd() {
			m.headers[strings.ToLower(h.Header.Key)] = h.Header.Value
		}
		for _, name := range by.GetRequestHeadersToRemove() {
			delete(m.headers, name)
		}
	}
	if name := cmp.Or(to.GetHostRewriteLiteral(), action.GetHostRewriteLiteral()); name != "" {
		m.headers[":authority"] = name
	}
	m.path = rewrittenPath(r.Match, action, m.path)
	m.headers[":path"] = m.path + m.query
	return m
}

// headerChanges are in Envoy's messages at several levels.
type headerChanges interface {
	GetRequestHeadersToAdd() []*corev3.HeaderValueOption
	GetRequestHeadersToRemove() []string
}

func rewrittenPath(match *routev3.RouteMatch, action *routev3.RouteAction, path string) string {
	return replaced(match, action.PrefixRewrite, action.RegexRewrite, path)
}

// replaced is the path with what the match took of it, or a pattern, replaced.
func replaced(match *routev3.RouteMatch, prefix string, regex *matcherv3.RegexMatchAndSubstitute, path string) string {
	if regex != nil {
		if re, err := regexp.Compile(compile.Bytes(regex.GetPattern().GetRegex())); err == nil {
			return cmp.Or(re.ReplaceAllString(path, template(regex.Substitution)), path) // Envoy sends no empty path
		}
	}
	if prefix == "" {
		return path
	}
	switch p := match.PathSpecifier.(type) {
	case *routev3.RouteMatch_Prefix:
		return prefix + path[len(p.Prefix):]
	case *routev3.RouteMatch_PathSeparatedPrefix:
		return prefix + path[len(p.PathSeparatedPrefix):]
	}
	return prefix
}

// template is RE2's substitution in Go's words: \1 is ${1}, \\ one backslash, and
// a dollar nothing special.
func template(substitution string) string {
	return escapes.ReplaceAllStringFunc(substitution, func(s string) string {
		switch {
		case s == "$":
			return "$$"
		case s[1] == '\\':
			return `\`
		}
		return "${" + s[1:] + "}"
	})
}

var escapes = regexp.MustCompile(`\\[\d\\]|\$`)

func metadataFrom(m *corev3.Metadata) []string {
	var all []string
	for _, v := range m.GetFilterMetadata()[compile.MetadataKey].GetFields()["from"].GetListValue().GetValues() {
		if s, ok := v.Kind.(*structpb.Value_StringValue); ok {
			all = append(all, s.StringValue)
		}
	}
	return all
}

func texts(keys []model.Key) []string {
	all := make([]string, len(keys))
	for i, k := range keys {
		all[i] = k.String()
	}
	return all
}
