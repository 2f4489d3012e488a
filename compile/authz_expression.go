package compile

import (
	rbaccfgv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
)

// expression is a condition on a call. Envoy keeps those on the request
// (permissions) and those on the caller (principals) apart; every rule of ours
// is a conjunction of expressions that are wholly one or the other.
type expression struct {
	unknown         bool // no proxy can check it
	constant, value bool // without any of the below
	permissions     []*rbaccfgv3.Permission
	principals      []*rbaccfgv3.Principal
}

func always(value bool) expression { return expression{constant: true, value: value} }

func onRequest(p *rbaccfgv3.Permission) expression {
	return expression{permissions: []*rbaccfgv3.Permission{p}}
}

func onCaller(p *rbaccfgv3.Principal) expression {
	return expression{principals: []*rbaccfgv3.Principal{p}}
}

// and holds if all do.
func and(all ...expression) expression {
	var out expression
	for _, e := range all {
		if e.constant {
			if !e.value {
				return e
			}
			continue
		}
		out.permissions = append(out.permissions, e.permissions...)
		out.principals = append(out.principals, e.principals...)
	}
	if len(out.permissions)+len(out.principals) == 0 {
		return always(true)
	}
	return out
}

// or holds if one does. All must be on the same side.
func or(all ...expression) expression {
	var permissions []*rbaccfgv3.Permission
	var principals []*rbaccfgv3.Principal
	for _, e := range all {
		switch {
		case e.constant && e.value:
			return e
		case e.constant:
		case len(e.permissions) > 0:
			permissions = append(permissions, allPermissions(e.permissions))
		default:
			principals = append(principals, allPrincipals(e.principals))
		}
	}
	switch {
	case len(permissions) == 1:
		return onRequest(permissions[0])
	case len(principals) == 1:
		return onCaller(principals[0])
	case len(permissions) > 0:
		return onRequest(&rbaccfgv3.Permission{Rule: &rbaccfgv3.Permission_OrRules{OrRules: &rbaccfgv3.Permission_Set{Rules: permissions}}})
	case len(principals) > 0:
		return onCaller(&rbaccfgv3.Principal{Identifier: &rbaccfgv3.Principal_OrIds{OrIds: &rbaccfgv3.Principal_Set{Ids: principals}}})
	}
	return always(false)
}

func not(e expression) expression {
	switch {
	case e.constant:
		return always(!e.value)
	case len(e.permissions) > 0:
		return onRequest(&rbaccfgv3.Permission{Rule: &rbaccfgv3.Permission_NotRule{NotRule: allPermissions(e.permissions)}})
	}
	return onCaller(&rbaccfgv3.Principal{Identifier: &rbaccfgv3.Principal_NotId{NotId: allPrincipals(e.principals)}})
}

// split gives both sides of a conjunction; a side without a condition is any.
func (e expression) split() (*rbaccfgv3.Permission, *rbaccfgv3.Principal) {
	return allPermissions(e.permissions), allPrincipals(e.principals)
}

func allPermissions(all []*rbaccfgv3.Permission) *rbaccfgv3.Permission {
	switch len(all) {
	case 0:
		return &rbaccfgv3.Permission{Rule: &rbaccfgv3.Permission_Any{Any: true}}
	case 1:
		return all[0]
	}
	return &rbaccfgv3.Permission{Rule: &rbaccfgv3.Permission_AndRules{AndRules: &rbaccfgv3.Permission_Set{Rules: all}}}
}

func allPrincipals(all []*rbaccfgv3.Principal) *rbaccfgv3.Principal {
	switch len(all) {
	case 0:
		return &rbaccfgv3.Principal{Identifier: &rbaccfgv3.Principal_Any{Any: true}}
	case 1:
		return all[0]
	}
	return &rbaccfgv3.Principal{Identifier: &rbaccfgv3.Principal_AndIds{AndIds: &rbaccfgv3.Principal_Set{Ids: all}}}
}
