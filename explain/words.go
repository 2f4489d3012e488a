package explain

import (
	"fmt"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	headerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/proxy_protocol/v3"
	rawv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"weft.dev/compile"
	"weft.dev/model"
)

// policies are what the route does beside forwarding.
func policies(host *routev3.VirtualHost, r *routev3.Route, action *routev3.RouteAction, m message) []Part {
	from := metadataFrom(r.Metadata)
	all := []Part{
		{Name: "timeout", Text: timeoutText(action), From: settledBy(r.Metadata, compile.MetadataTimeout, from)},
		retryPart(host, action, settledBy(r.Metadata, compile.MetadataRetries, from), m),
	}
	add := func(name, text string) {
		if text != "" {
			all = append(all, Part{Name: name, Text: text, From: from})
		}
	}
	if after := rewritten(host, r, nil, m); after.headers[":authority"] != m.headers[":authority"] || after.path != m.path {
		add("rewrite", after.headers[":authority"]+" "+after.headers[":path"])
	}
	for _, mirror := range action.RequestMirrorPolicies {
		add("mirror", fmt.Sprintf("%s%% to %s", number(percentOf(mirror.GetRuntimeFraction().GetDefaultValue())), mirror.Cluster))
	}
	return all
}

// settledBy is who says so of the route's calls: who wrote the route, if nobody else does.
func settledBy(m *corev3.Metadata, setting string, from []string) []string {
	if text := m.GetFilterMetadata()[compile.MetadataKey].GetFields()[setting].GetStringValue(); text != "" {
		return []string{text}
	}
	return from
}

func timeoutText(action *routev3.RouteAction) string {
	if t := action.GetTimeout().AsDuration(); t > 0 {
		return t.String()
	}
	return "none"
}

func retryPart(host *routev3.VirtualHost, action *routev3.RouteAction, from []string, m message) Part {
	p := Part{Name: "retries", From: from}
	policy := action.RetryPolicy
	if policy == nil {
		policy, p.From = host.RetryPolicy, []string{"default of the mesh"}
	}
	p.Text = retryText(policy)
	if action.GetHedgePolicy().GetHedgeOnPerTryTimeout() {
		p.Text = strings.Replace(p.Text, " each", " before another is made beside it", 1)
	}
	if len(policy.GetRetriableRequestHeaders()) > 0 && !repeatable(policy, m) {
		p.Text = fmt.Sprintf("none: a %s is not repeated without an Idempotency-Key", m.headers[":method"])
	}
	return p
}

func retryText(policy *routev3.RetryPolicy) string {
	if policy.GetRetryOn() == "" {
		return "none"
	}
	text := fmt.Sprintf("%d on %s", policy.NumRetries.GetValue(), strings.ReplaceAll(policy.RetryOn, ",", ", "))
	for i, status := range policy.RetriableStatusCodes {
		text += []string{" ", ", "}[min(i, 1)] + fmt.Sprint(status)
	}
	if policy.PerTryTimeout != nil {
		text += ", " + policy.PerTryTimeout.AsDuration().String() + " each"
	}
	return text
}

func repeatable(policy *routev3.RetryPolicy, m message) bool {
	for _, h := range policy.RetriableRequestHeaders {
		if headerMatches(h, m.headers) {
			return true
		}
	}
	return false
}

func clusterText(c *clusterv3.Cluster) string {
	transport := "plain text"
	switch {
	case plainText(c):
	case strings.Contains(string(c.TransportSocket.GetTypedConfig().GetValue()), model.SecretWorkload):
		transport = "mTLS"
	default:
		transport = "TLS"
	}
	if c.GetClusterType() != nil {
		return "whatever the name that is called resolves to, " + transport
	}
	return strings.ToLower(strings.ReplaceAll(c.LbPolicy.String(), "_", " ")) + ", " + transport
}

// plainText says whether nothing vouches for who calls: a header in front of the bytes does not.
func plainText(c *clusterv3.Cluster) bool {
	socket, header := c.TransportSocket, &headerv3.ProxyProtocolUpstreamTransport{}
	if socket.GetTypedConfig().UnmarshalTo(header) == nil {
		socket = header.TransportSocket
	}
	return socket == nil || socket.GetTypedConfig().MessageIs(&rawv3.RawBuffer{})
}

func breakerText(c *clusterv3.Cluster) string {
	var all []string
	for _, t := range c.GetCircuitBreakers().GetThresholds() {
		all = append(all, fmt.Sprintf("%d connections, %d requests, %d waiting",
			t.MaxConnections.GetValue(), t.MaxRequests.GetValue(), t.MaxPendingRequests.GetValue()))
	}
	o := c.OutlierDetection
	if n := o.GetConsecutive_5Xx().GetValue(); n > 0 && o.GetEnforcingConsecutive_5Xx().GetValue() > 0 {
		all = append(all, fmt.Sprintf("out after %d errors 5xx in a row", n))
	}
	if n := o.GetConsecutiveGatewayFailure().GetValue(); n > 0 && o.GetEnforcingConsecutiveGatewayFailure().GetValue() > 0 {
		all = append(all, fmt.Sprintf("out after %d gateway errors in a row", n))
	}
	if n := o.GetConsecutiveLocalOriginFailure().GetValue(); n > 0 {
		all = append(all, fmt.Sprintf("out after %d failed connections in a row", n))
	}
	return strings.Join(all, ", ")
}

func matchText(m *routev3.RouteMatch) string {
	text := "CONNECT"
	if path := pathText(m); path != "" {
		text = "path " + path
	}
	for _, h := range m.Headers {
		text += ", " + headerText(h)
	}
	for _, q := range m.QueryParameters {
		text += strings.TrimRight(", query "+q.Name+" "+stringText(q.GetStringMatch()), " ")
	}
	if len(m.DynamicMetadata) > 0 {
		text += ", preview"
	}
	return text
}

// headerText leaves out which version is asked for: that is in the name of the route, and here a long pattern.
func headerText(h *routev3.HeaderMatcher) string {
	text := "header " + h.Name
	if pseudo, ok := strings.CutPrefix(h.Name, ":"); ok {
		text = pseudo
	}
	if wanted := stringText(h.GetStringMatch()); wanted != "" && h.Name != model.VersionHeader {
		text += " " + wanted
	}
	if h.InvertMatch {
		return "not " + text
	}
	return text
}

func pathText(m *routev3.RouteMatch) string {
	switch p := m.PathSpecifier.(type) {
	case *routev3.RouteMatch_Path:
		return p.Path
	case *routev3.RouteMatch_Prefix:
		return p.Prefix + "*"
	case *routev3.RouteMatch_PathSeparatedPrefix:
		return p.PathSeparatedPrefix + "/*"
	case *routev3.RouteMatch_SafeRegex:
		return "~ " + p.SafeRegex.Regex
	}
	return ""
}

func bodyOf(d *routev3.DirectResponseAction, m message) string {
	if format := d.GetBodyFormat().GetTextFormatSource().GetInlineString(); format != "" {
		return strings.ReplaceAll(format, "%REQ(:AUTHORITY)%", m.headers[":authority"])
	}
	return d.GetBody().GetInlineString()
}

func percentOf(f *typev3.FractionalPercent) float64 {
	switch f.GetDenominator() {
	case typev3.FractionalPercent_TEN_THOUSAND:
		return float64(f.GetNumerator()) / 100
	case typev3.FractionalPercent_MILLION:
		return float64(f.GetNumerator()) / 10_000
	}
	return float64(f.GetNumerator())
}

// number writes a percentage without needless zeros.
func number(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", f), "0"), ".")
}
