package explain

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	rbachttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/compile"
	"weft.dev/model"
)

// guardOf asks the proxy of an endpoint.
func (c *call) guardOf(ep *endpointv3.LbEndpoint, workload string, m message) *Guard {
	v := c.mesh.View(workload, "")
	if v == nil {
		return nil
	}
	port := ep.GetEndpoint().GetAddress().GetSocketAddress().GetPortValue()
	for r := range v.All(model.TypeListener) {
		l, err := decoded[listenerv3.Listener](r)
		switch {
		case err != nil || l.TrafficDirection == corev3.TrafficDirection_OUTBOUND || l.UdpListenerConfig != nil:
		case l.Name == compile.InboundListener:
			return guardAt(v, r, portOf(l, port), m)
		case l.GetAddress().GetSocketAddress().GetPortValue() == port:
			return guardAt(v, r, l, m)
		}
	}
	return &Guard{Text: fmt.Sprintf("its proxy does not listen on port %d", port)}
}

// portOf is the part of a listener for redirected traffic that takes calls to a port.
func portOf(l *listenerv3.Listener, port uint32) *listenerv3.Listener {
	one := &listenerv3.Listener{Name: compile.InboundName(port)}
	for _, chain := range l.FilterChains {
		if chain.GetFilterChainMatch().GetDestinationPort().GetValue() == port {
			one.FilterChains = append(one.FilterChains, chain)
		}
	}
	if rest := l.DefaultFilterChain; len(one.FilterChains) == 0 && rest != nil {
		one.FilterChains = append(one.FilterChains, rest)
	}
	return one
}

func guardAt(v *model.View, r *model.Resource, l *listenerv3.Listener, m message) *Guard {
	mode := transport(l)
	if len(l.FilterChains) == 0 {
		return &Guard{Text: "refused: no service leads to the port, and what guards the workload is not asked about others", From: texts(r.From)}
	}
	if mode == "mTLS" && m.caller == "" {
		return &Guard{Text: "refused: it takes mTLS only", From: texts(r.From)}
	}
	path, query, ok := normal(m.headers[":path"], true)
	if !ok {
		return &Guard{Text: "refused with 400: other readers would read the path differently", From: texts(r.From)}
	}
	m.path, m.query = path, query
	if refused := tokens(v, &m, time.Now()); refused != nil {
		return &Guard{Text: refused.said(), From: refused.from}
	}
	table := v.Find(model.TypeRoute, l.Name)
	if table == nil {
		return &Guard{Allowed: true, Text: "TCP: by connection, " + mode, From: texts(r.From)}
	}
	config, err := decoded[routev3.RouteConfiguration](table)
	if err != nil || len(config.VirtualHosts) == 0 {
		return &Guard{Text: "its route table cannot be read"}
	}
	g := decide(config.VirtualHosts[0], m)
	if g.Text += ", " + mode; g.Allowed {
		host := config.VirtualHosts[0]
		g.Limits = limitsOf(host.TypedPerFilterConfig, compile.LimitsFilter, host.Metadata, nil, m)
	}
	if len(g.From) == 0 {
		g.From = texts(r.From)
	}
	return g
}

// transport says what the listener takes.
func transport(l *listenerv3.Listener) string {
	plain, mutual := false, false
	for _, c := range l.FilterChains {
		plain, mutual = plain || c.TransportSocket == nil, mutual || c.TransportSocket != nil
	}
	switch {
	case plain && mutual:
		return "mTLS or plain text"
	case mutual:
		return "mTLS"
	}
	return "plain text"
}

// ruled is what has configurations of the guards.
type ruled interface {
	GetTypedPerFilterConfig() map[string]*anypb.Any
	GetMetadata() *corev3.Metadata
}

// asked are the authorizers whose answer decides first, each with the policy that says so.
func asked(host ruled, m message) (all []string) {
	for _, filter := range model.SortedKeys(host.GetTypedPerFilterConfig()) {
		name, ok := strings.CutPrefix(filter, compile.AskFilter)
		config := &rbachttpv3.RBACPerRoute{}
		if !ok || host.GetTypedPerFilterConfig()[filter].UnmarshalTo(config) != nil {
			continue
		}
		if policy, met := evaluate(config.GetRbac().GetShadowRules(), m); met {
			all = append(all, strings.Replace(name, ".", "/", 1)+" ("+policy+")")
		}
	}
	return all
}

// decide asks the guards of a port, in the order of its filters.
func decide(host ruled, m message) *Guard {
	g := decideByRules(host, m)
	if all := asked(host, m); len(all) > 0 && g.Allowed {
		g.Text += ", if it is let pass by " + strings.Join(all, " and ")
	}
	return g
}

func decideByRules(host ruled, m message) *Guard {
	origins := host.GetMetadata().GetFilterMetadata()[compile.MetadataKey].GetFields()[compile.MetadataRules].GetStructValue().GetFields()
	from := func(policies ...string) (all []string) {
		for _, policy := range policies {
			if origin := origins[policy].GetStringValue(); origin != "" {
				all = append(all, origin)
			}
		}
		return all
	}
	g := &Guard{Allowed: true, Text: "allowed: no policy selects it"}
	for _, filter := range []string{compile.DenyFilter, compile.AllowFilter} {
		config := &rbachttpv3.RBACPerRoute{}
		if any, ok := host.GetTypedPerFilterConfig()[filter]; !ok || any.UnmarshalTo(config) != nil {
			continue
		}
		if shadow := config.GetRbac().GetShadowRules(); shadow != nil {
			if policy, allowed := evaluate(shadow, m); !allowed {
				g.DryRun = append(g.DryRun, cmp.Or(policy, "no ALLOW policy on trial"))
			}
		}
		rules := config.GetRbac().GetRules()
		if rules == nil {
			continue
		}
		policy, allowed := evaluate(rules, m)
		g.Policy, g.Allowed, g.From = policy, allowed, from(policy)
		switch {
		case !allowed && policy != "":
			g.Text = "refused with 403 by " + policy
		case !allowed:
			all := model.SortedKeys(rules.Policies)
			g.Text, g.From = "refused with 403: no ALLOW rule holds", from(all...)
		case policy != "":
			g.Text = "allowed by " + policy
		default:
			g.Text = "allowed: no DENY rule holds"
		}
		if !allowed {
			return g
		}
	}
	return g
}

// evaluate says whether a table lets the request through, and by which policy.
func evaluate(rules *rbacv3.RBAC, m message) (policy string, allowed bool) {
	for _, name := range model.SortedKeys(rules.Policies) {
		if p := rules.Policies[name]; anyOf(p.Permissions, m, permitted) && anyOf(p.Principals, m, identified) {
			return name, rules.Action == rbacv3.RBAC_ALLOW
		}
	}
	return "", rules.Action == rbacv3.RBAC_DENY
}

func anyOf[T any](all []T, m message, holds func(T, message) bool) bool {
	for _, one := range all {
		if holds(one, m) {
			return true
		}
	}
	return false
}

func allOf[T any](all []T, m message, holds func(T, message) bool) bool {
	return !anyOf(all, m, func(one T, m message) bool { return !holds(one, m) })
}

func permitted(p *rbacv3.Permission, m message) bool {
	switch r := p.Rule.(type) {
	case *rbacv3.Permission_Any:
		return r.Any
	case *rbacv3.Permission_AndRules:
		return allOf(r.AndRules.Rules, m, permitted)
	case *rbacv3.Permission_OrRules:
		return anyOf(r.OrRules.Rules, m, permitted)
	case *rbacv3.Permission_NotRule:
		return !permitted(r.NotRule, m)
	case *rbacv3.Permission_Header:
		return headerMatches(r.Header, m.headers)
	case *rbacv3.Permission_UrlPath:
		return stringMatches(r.UrlPath.GetPath(), m.path)
	}
	return false
}

func identified(p *rbacv3.Principal, m message) bool {
	switch id := p.Identifier.(type) {
	case *rbacv3.Principal_Any:
		return id.Any
	case *rbacv3.Principal_AndIds:
		return allOf(id.AndIds.Ids, m, identified)
	case *rbacv3.Principal_OrIds:
		return anyOf(id.OrIds.Ids, m, identified)
	case *rbacv3.Principal_NotId:
		return !identified(id.NotId, m)
	case *rbacv3.Principal_Authenticated_:
		return m.caller != "" && (id.Authenticated.PrincipalName == nil || stringMatches(id.Authenticated.PrincipalName, m.caller))
	case *rbacv3.Principal_SourcedMetadata:
		return m.claimed(id.SourcedMetadata.MetadataMatcher)
	case *rbacv3.Principal_DirectRemoteIp:
		return inRange(id.DirectRemoteIp, m.sourceIP)
	case *rbacv3.Principal_RemoteIp:
		return inRange(id.RemoteIp, m.sourceIP)
	}
	return false
}
