package compile

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbaccfgv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	rbachttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	rbacnetv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"weft.dev/model"
)

// Filters of an inbound port, in this order: what is denied is denied, and
// where anything is allowed, all else is not.
const (
	DenyFilter  = "weft.deny"
	AllowFilter = "weft.allow"
	// AuditFilter stands before them, where a policy only counts what it matches.
	AuditFilter = "weft.audit"
	// dryRunPrefix is where a policy on trial leaves what it would have done.
	dryRunPrefix = "weft_dry_run_"
	auditPrefix  = "weft_audit_"
)

// onRequests are the guards' configurations for one port, by filter.
func (g guards) onRequests(port uint32) map[string]*anypb.Any {
	filters := map[string]*anypb.Any{}
	at := attributes{port: port, http: true, nameless: g.nameless}
	put := func(name, prefix string, rules, shadow *rbaccfgv3.RBAC) {
		if rules != nil || shadow != nil {
			filters[name] = pack(&rbachttpv3.RBACPerRoute{Rbac: &rbachttpv3.RBAC{Rules: rules, ShadowRules: shadow, ShadowRulesStatPrefix: prefix, TrackPerRuleStats: prefix == dryRunPrefix && shadow != nil || prefix == auditPrefix}})
		}
	}
	for _, a := range g.asked {
		put(AskFilter+a.name(), a.askPrefix(), nil, a.askedAbout(g.rules, at))
	}
	audited, _ := rbac(g.rules, model.Audit, at)
	put(AuditFilter, auditPrefix, nil, audited)
	for name, action := range map[string]model.AuthzAction{DenyFilter: model.Deny, AllowFilter: model.Allow} {
		rules, shadow := rbac(g.rules, action, at)
		put(name, dryRunPrefix, rules, shadow)
	}
	if len(filters) == 0 {
		return nil
	}
	return filters
}

// MetadataRules is where, by policy id, a table says which rule of which object
// is meant.
const MetadataRules = "rules"

func ruleOrigins(guards []model.Authorization) *corev3.Metadata {
	fields := map[string]*structpb.Value{}
	for _, a := range guards {
		for i, rule := range a.Rules {
			fields[a.PolicyID(i)] = structpb.NewStringValue(rule.Origin.String())
		}
	}
	if len(fields) == 0 {
		return nil
	}
	rules := structpb.NewStructValue(&structpb.Struct{Fields: fields})
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{MetadataKey: {Fields: map[string]*structpb.Value{MetadataRules: rules}}}}
}

// onConnections are the guards' filters of a port whose bytes nobody reads, and the clusters that
// they need. An authorizer that speaks HTTP cannot be asked there: what it would be asked is denied.
func (g guards) onConnections(port uint32, stat string) (filters []*listenerv3.Filter, needs []string) {
	at := attributes{port: port, nameless: g.nameless}
	g = g.without(func(a asked) bool { return a.HTTP != nil })
	for _, a := range g.asked {
		if about := a.askedAbout(g.rules, at); about != nil {
			filters, needs = append(filters, a.connectionFilters(about, stat)...), append(needs, a.cluster)
		}
	}
	for _, action := range []model.AuthzAction{model.Audit, model.Deny, model.Allow} {
		inForce, onTrial := rbac(g.rules, action, at)
		filters = append(filters, g.watching(action, at, stat)...)
		if action == model.Allow && onTrial != nil {
			filters = append(filters, watcher(model.StatTrials, onTrial, stat))
		}
		if inForce != nil && action != model.Audit {
			filters = append(filters, networkFilter(rbacNetworkFilter, &rbacnetv3.RBAC{Rules: inForce, StatPrefix: stat + "."}))
		}
	}
	return filters, needs
}

// watching are the filters of connections that only count: of those Envoy does not count by rule, so each rule has its own.
func (g guards) watching(action model.AuthzAction, at attributes, stat string) (filters []*listenerv3.Filter) {
	name, envoyAction := model.StatLetIn, rbaccfgv3.RBAC_ALLOW
	if action == model.Deny {
		name, envoyAction = model.StatKeptOut, rbaccfgv3.RBAC_DENY
	}
	for _, a := range g.rules {
		for i, rule := range a.Rules {
			p := at.policy(rule, action)
			if p == nil || a.Action != action || !a.DryRun && action != model.Audit {
				continue
			}
			id := a.PolicyID(i)
			filters = append(filters, watcher(name+"."+id, &rbaccfgv3.RBAC{Action: envoyAction, Policies: map[string]*rbaccfgv3.Policy{id: p}}, stat))
		}
	}
	return filters
}

// watcher counts what rules say of connections under a name.
func watcher(name string, rules *rbaccfgv3.RBAC, stat string) *listenerv3.Filter {
	return networkFilter(rbacNetworkFilter, &rbacnetv3.RBAC{ShadowRules: rules, ShadowRulesStatPrefix: name, StatPrefix: stat + "."})
}

// rbac is the table of all guards of one action: those in force and those on
// trial. A table of ALLOW without any policy denies everything, so nil, which
// means that there is no guard, must not be mistaken for empty.
func rbac(guards []model.Authorization, action model.AuthzAction, at attributes) (rules, shadow *rbaccfgv3.RBAC) {
	envoyAction := rbaccfgv3.RBAC_ALLOW
	if action == model.Deny {
		envoyAction = rbaccfgv3.RBAC_DENY
	}
	for _, a := range guards {
		if a.Action != action {
			continue
		}
		into := &rules
		if a.DryRun {
			into = &shadow
		}
		if *into == nil {
			*into = &rbaccfgv3.RBAC{Action: envoyAction, Policies: map[string]*rbaccfgv3.Policy{}}
		}
		for i, rule := range a.Rules {
			if p := at.policy(rule, action); p != nil {
				(*into).Policies[a.PolicyID(i)] = p
			}
		}
	}
	if action == model.Allow {
		return rules, shadow
	}
	return unlessEmpty(rules), unlessEmpty(shadow)
}

// unlessEmpty is nil for a table that matches nothing: a policy that is not about a port
// must not change its chain, which would end its connections.
func unlessEmpty(table *rbaccfgv3.RBAC) *rbaccfgv3.RBAC {
	if table == nil || len(table.Policies) == 0 {
		return nil
	}
	return table
}

// attributes is what is known of the calls that a guard sees.
type attributes struct {
	port     uint32 // of the service, that the listener serves
	http     bool
	nameless bool // callers prove no name by their certificates
}

// policy is one rule; nil if it cannot hold here.
func (at attributes) policy(rule model.AuthzRule, action model.AuthzAction) *rbaccfgv3.Policy {
	unknown := unknownHolds(action == model.Deny || action == model.Custom)
	var permissions, principals []expression
	for _, op := range rule.To {
		permissions = append(permissions, at.operation(op, unknown))
	}
	for _, source := range rule.From {
		principals = append(principals, at.source(source, unknown))
	}
	all := []expression{anyOrTrue(permissions), anyOrTrue(principals)}
	for _, when := range rule.When {
		all = append(all, at.condition(when, unknown))
	}
	whole := and(all...)
	if whole.constant && !whole.value {
		return nil
	}
	permission, principal := whole.split()
	return &rbaccfgv3.Policy{
		Permissions: []*rbaccfgv3.Permission{permission},
		Principals:  []*rbaccfgv3.Principal{principal},
	}
}

// unknownHolds is the value of what a guard cannot check, the path of a TCP
// connection for example: whatever refuses more.
type unknownHolds bool

// anyOrTrue holds if one does; an empty list always holds.
func anyOrTrue(all []expression) expression {
	if len(all) == 0 {
		return always(true)
	}
	return or(all...)
}
