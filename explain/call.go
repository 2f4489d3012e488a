package explain

import (
	"cmp"
	"fmt"
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
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"weft.dev/compile"
	"weft.dev/model"
)

// call is one request on its way.
type call struct {
	view   *model.View
	mesh   Mesh
	trace  Trace
	table  *routev3.RouteConfiguration
	guards []Part // what a gateway's own say of a request that they let pass
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
	} else {
		m.headers[":scheme"] = "http" // what a caller encrypts itself has no routes
	}
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
		m.headers[":authority"] = withoutDot(m.headers[":authority"])
		if name := withUnderscore(m.headers); name != "" {
			c.answer(100, 400, "the header "+name+" has an underscore, which other readers would take for a dash")
			return nil
		}
	}
	var ok bool
	if m.path, m.query, ok = normal(m.headers[":path"], gateway); !ok {
		c.answer(100, 400, "other readers would read the path differently")
		return nil
	}
	c.table = config
	host, domain := virtualHost(config, m.headers[":authority"])
	if config.Vhds != nil {
		if host, domain, err = discovered(c.view, config, m.headers[":authority"]); err != nil {
			return err
		}
	}
	switch {
	case host == nil && gateway:
		c.answer(100, 404, "no host of this port matches "+m.headers[":authority"])
		return nil
	case host == nil:
		c.answer(100, compile.UnknownHostStatus, compile.UnknownHost(m.headers[":authority"]))
		return nil
	}
	c.trace.Host = Part{Name: hostName(config, host), Text: "by the name " + domain}
	if host.RequireTls == routev3.VirtualHost_ALL && m.headers[":scheme"] == "http" {
		c.answer(100, 301, "the host wants HTTPS")
		return nil
	}
	if gateway && c.guarded(config, &m) {
		return nil
	}
	left := 100.0
	for _, r := range host.Routes {
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
		if err := c.take(host, r, m, share); err != nil {
			return err
		}
	}
	if left > 0 {
		c.answer(left, 404, "no route of the host matches")
	}
	return nil
}

// guarded says whether the gateway's own guards refuse the request, and answers it then.
func (c *call) guarded(config *routev3.RouteConfiguration, m *message) bool {
	if refused := tokens(c.view, m, time.Now()); refused != nil {
		c.answer(100, refused.status, refused.why, refused.from...)
		return true
	}
	g := decide(config, *m)
	if !g.Allowed {
		c.answer(100, 403, g.Text, g.From...)
		return true
	}
	for _, policy := range g.DryRun {
		c.guards = append(c.guards, Part{Name: "dry run", Text: "would be refused by " + policy})
	}
	if len(asked(config, *m)) > 0 {
		c.guards = append(c.guards, Part{Name: "guard", Text: g.Text, From: g.From})
	}
	return false
}

func withUnderscore(headers map[string]string) string {
	for _, name := range model.SortedKeys(headers) {
		if strings.Contains(name, "_") {
			return name
		}
	}
	return ""
}

func (c *call) answer(percent float64, status uint32, text string, from ...string) {
	c.trace.Answers = append(c.trace.Answers, Answer{Percent: percent, Status: status, Text: text, From: from})
}

// take follows a route with a share of the requests.
func (c *call) take(host *routev3.VirtualHost, r *routev3.Route, m message, share float64) error {
	from := metadataFrom(r.Metadata)
	c.trace.Route = Part{Name: r.Name, Text: matchText(r.Match), From: from}
	c.trace.Policies = slices.Concat(
		limitsOf(host.TypedPerFilterConfig, compile.LimitsFilter, host.Metadata, r, m),
		limitsOf(c.table.TypedPerFilterConfig, compile.GatewayLimitsFilter, c.table.Metadata, r, m))
	switch action := r.Action.(type) {
	case *routev3.Route_DirectResponse:
		c.answer(share, action.DirectResponse.Status, strings.TrimSpace(bodyOf(action.DirectResponse, m)), from...)
	case *routev3.Route_Redirect:
		c.answer(share, redirectStatus(action.Redirect), redirectText(action.Redirect), from...)
	case *routev3.Route_Route:
		c.trace.Policies = slices.Concat(c.guards, policies(host, r, action.Route, m), c.trace.Policies)
		return c.forward(r, action.Route, rewritten(r, action.Route, m), share)
	}
	return nil
}

func (c *call) forward(r *routev3.Route, action *routev3.RouteAction, m message, share float64) error {
	for _, to := range sharesOf(r, action, share) {
		if err := c.target(to, m); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) target(to Share, m message) error {
	t := Target{Part: Part{Name: to.Cluster}, Percent: to.Percent, Fallback: to.Fallback}
	r := c.view.Find(model.TypeCluster, to.Cluster)
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
			e := Endpoint{Address: fmt.Sprintf("%s:%d", at.GetAddress(), at.GetPortValue()), Health: healthText(ep.HealthStatus)}
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
	if cluster.TransportSocket == nil {
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

// rewritten is the message after the route's changes.
func rewritten(r *routev3.Route, action *routev3.RouteAction, m message) message {
	headers := map[string]string{}
	for k, v := range m.headers {
		headers[k] = v
	}
	for _, h := range r.RequestHeadersToAdd {
		headers[strings.ToLower(h.Header.Key)] = h.Header.Value
	}
	for _, name := range r.RequestHeadersToRemove {
		delete(headers, name)
	}
	if host := action.GetHostRewriteLiteral(); host != "" {
		headers[":authority"] = host
	}
	m.headers = headers
	m.path = rewrittenPath(r.Match, action, m.path)
	headers[":path"] = m.path
	if m.query != "" {
		headers[":path"] += "?" + m.query
	}
	return m
}

func rewrittenPath(match *routev3.RouteMatch, action *routev3.RouteAction, path string) string {
	if rx := action.RegexRewrite; rx != nil {
		if re, err := regexp.Compile(rx.GetPattern().GetRegex()); err == nil {
			return cmp.Or(re.ReplaceAllString(path, template(rx.Substitution)), path) // Envoy sends no empty path
		}
	}
	if action.PrefixRewrite == "" {
		return path
	}
	switch p := match.PathSpecifier.(type) {
	case *routev3.RouteMatch_Prefix:
		return action.PrefixRewrite + path[len(p.Prefix):]
	case *routev3.RouteMatch_PathSeparatedPrefix:
		return action.PrefixRewrite + path[len(p.PathSeparatedPrefix):]
	}
	return action.PrefixRewrite
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
