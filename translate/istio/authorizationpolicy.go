package istio

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	security "istio.io/api/security/v1beta1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// dryRunAnnotation is Istio's: the policy is counted and logged, not enforced.
const dryRunAnnotation = "istio.io/dry-run"

// AuthorizationPolicy gives one row. What cannot be honoured never opens a
// door: an allowing rule with such a part holds for nothing, a denying one is
// taken without that part and so denies more.
func AuthorizationPolicy(o *object.Object, spec *security.AuthorizationPolicy, trust string) []model.Authorization {
	a := model.Authorization{
		Object: o.Key, DryRun: o.Annotations[dryRunAnnotation] == "true", From: o.Whole(),
	}
	var meant bool
	a.Reach, meant = policyReach(o, spec.GetSelector().GetMatchLabels(), spec.TargetRef, spec.TargetRefs)
	switch spec.Action {
	case security.AuthorizationPolicy_ALLOW:
		a.Action = model.Allow
	case security.AuthorizationPolicy_DENY:
		a.Action = model.Deny
	case security.AuthorizationPolicy_AUDIT:
		a.Action = model.Audit
	case security.AuthorizationPolicy_CUSTOM:
		a.Action, a.Provider = model.Custom, spec.GetProvider().GetName()
	default:
		o.NotHonoured(object.Spec.Dot("action"), "weft does not know the action %d, so the policy has no effect; use ALLOW, DENY, CUSTOM or AUDIT", spec.Action)
		return nil
	}
	sound := o.Audit(spec, honoured)
	if !meant || !tried(o, a) {
		return nil
	}
	if !sound {
		return []model.Authorization{a}
	}
	r := authz{Object: o, trust: trust, action: a.Action}
	for i, rule := range spec.Rules {
		if out, ok := r.rule(object.Spec.Dot("rules").At(i), rule); ok {
			a.Rules = append(a.Rules, out)
		}
	}
	return []model.Authorization{a}
}

// tried reports a dry run of what cannot be tried.
func tried(o *object.Object, a model.Authorization) bool {
	at := object.Annotation(dryRunAnnotation)
	switch {
	case a.Action == model.Custom && a.DryRun:
		o.NotHonoured(at, "weft asks no authorizer on trial, so the policy has no effect; remove the annotation, or try the rules as a DENY")
		return false
	case a.Action == model.Custom && a.Provider == "":
		o.Invalid(object.Spec.Dot("provider").Dot("name"), "is empty, so what the rules match is denied; name an ExternalAuthorizer")
	case a.Action != model.Custom && a.Provider != "":
		o.Invalid(object.Spec.Dot("provider"), "has an effect only with the action CUSTOM; remove it")
	}
	return true
}

// authz translates the rules of one policy.
type authz struct {
	*object.Object
	trust  string
	action model.AuthzAction
}

// drop decides what becomes of the part around something that is not honoured:
// true if it must not hold for anything. Without it more is denied, or asked about.
func (r authz) drop() bool { return r.action == model.Allow || r.action == model.Audit }

func (r authz) rule(at object.Path, rule *security.Rule) (model.AuthzRule, bool) {
	out := model.AuthzRule{Origin: r.Origin(at)}
	if rule == nil {
		r.Invalid(at, "is empty; write {} for a rule that always holds")
		return out, false
	}
	for i, from := range rule.From {
		if source, ok := r.source(at.Dot("from").At(i).Dot("source"), from.GetSource()); ok {
			out.From = append(out.From, source)
		}
	}
	for i, to := range rule.To {
		if operation, ok := r.operation(at.Dot("to").At(i).Dot("operation"), to.GetOperation()); ok {
			out.To = append(out.To, operation)
		}
	}
	for i, when := range rule.When {
		condition, verdict := r.condition(at.Dot("when").At(i), when)
		switch verdict {
		case never:
			return out, false
		case sometimes:
			out.When = append(out.When, condition)
		}
	}
	// A list that lost all its entries must not come to mean "any".
	lost := len(rule.From) > 0 && len(out.From) == 0 || len(rule.To) > 0 && len(out.To) == 0
	return out, !lost
}

func (r authz) source(at object.Path, s *security.Source) (model.AuthzSource, bool) {
	if s == nil {
		r.Invalid(at, "is empty; name who calls")
		return model.AuthzSource{}, false
	}
	l := lists{authz: r, at: at, sound: true}
	out := model.AuthzSource{
		Principals:    append(r.principals(s.Principals), r.accounts(l.keep("serviceAccounts", s.ServiceAccounts, r.account))...),
		NotPrincipals: append(r.principals(s.NotPrincipals), r.accounts(l.keep("notServiceAccounts", s.NotServiceAccounts, r.account))...),
		Namespaces:    s.Namespaces, NotNamespaces: s.NotNamespaces,
		IPBlocks: l.keep("ipBlocks", s.IpBlocks, r.block), NotIPBlocks: l.keep("notIpBlocks", s.NotIpBlocks, r.block),
		TrustDomains: r.domains(s.TrustDomains), NotTrust: r.domains(s.NotTrustDomains),
		RequestPrincipals: s.RequestPrincipals, NotReqPr: s.NotRequestPrincipals,
		RemoteBlocks: l.keep("remoteIpBlocks", s.RemoteIpBlocks, r.block), NotRemote: l.keep("notRemoteIpBlocks", s.NotRemoteIpBlocks, r.block),
	}
	if len(s.ServiceAccounts) > 0 && len(s.Principals)+len(s.Namespaces) > 0 {
		r.Invalid(at.Dot("serviceAccounts"), "cannot be set together with principals or namespaces; keep one of them")
		l.sound = false
	}
	return out, l.sound || !r.drop()
}

// lists reads the lists of values of one source or operation.
type lists struct {
	authz
	at    object.Path
	sound bool
}

// keep gives the values that are usable. Of a list that says what is meant, one
// value less would deny less: there a single bad one takes the list with it,
// which then means everything.
func (l *lists) keep(field string, values []string, usable func(object.Path, string) bool) []string {
	var good []string
	for i, v := range values {
		if usable(l.at.Dot(field).At(i), v) {
			good = append(good, v)
		}
	}
	if len(good) == len(values) {
		return good
	}
	l.sound = false
	if strings.HasPrefix(field, "not") {
		return good
	}
	return nil
}

// principals puts the mesh's own trust domain where people write Istio's usual one.
func (r authz) principals(values []string) []string {
	var out []string
	for _, v := range values {
		if rest, ok := strings.CutPrefix(v, "cluster.local/"); ok {
			v = r.trust + "/" + rest
		}
		out = append(out, v)
	}
	return out
}

// domains puts the mesh's own where people write Istio's usual one.
func (r authz) domains(values []string) []string {
	out := slices.Clone(values)
	for i, v := range out {
		if v == "cluster.local" {
			out[i] = r.trust
		}
	}
	return out
}

// accounts are "namespace/name" or "name", of any trust domain.
func (r authz) accounts(values []string) []string {
	var out []string
	for _, v := range values {
		namespace, name, found := strings.Cut(v, "/")
		if !found {
			namespace, name = r.Namespace, v
		}
		out = append(out, "*/ns/"+namespace+"/sa/"+name)
	}
	return out
}

func (r authz) account(at object.Path, v string) bool {
	if v == "" || strings.HasSuffix(v, "/") || strings.Contains(v, "*") {
		r.Invalid(at, "%q is no service account; write NAMESPACE/NAME", v)
		return false
	}
	return true
}

func (r authz) block(at object.Path, v string) bool {
	_, notPrefix := netip.ParsePrefix(v)
	_, notAddress := netip.ParseAddr(v)
	if notPrefix != nil && notAddress != nil {
		r.Invalid(at, "%q is no IP address and no block such as 10.0.0.0/8", v)
		return false
	}
	return true
}

func (r authz) operation(at object.Path, op *security.Operation) (model.AuthzOperation, bool) {
	if op == nil {
		r.Invalid(at, "is empty; name what is done")
		return model.AuthzOperation{}, false
	}
	l := lists{authz: r, at: at, sound: true}
	out := model.AuthzOperation{
		Hosts: op.Hosts, NotHosts: op.NotHosts, Methods: op.Methods, NotMethods: op.NotMethods,
		Ports: l.keep("ports", op.Ports, r.port), NotPorts: l.keep("notPorts", op.NotPorts, r.port),
		Paths: l.keep("paths", op.Paths, r.path), NotPaths: l.keep("notPaths", op.NotPaths, r.path),
	}
	return out, l.sound || !r.drop()
}

func (r authz) port(at object.Path, v string) bool {
	if n, err := strconv.ParseUint(v, 10, 16); err != nil || n == 0 {
		r.Invalid(at, "%q is no port", v)
		return false
	}
	return true
}

// path takes Istio's templates: {*} is one element, {**} any number of them.
func (r authz) path(at object.Path, v string) bool {
	if strings.ContainsAny(templates.Replace(v), "{}") {
		r.Invalid(at, "%q has a brace that is no {*} and no {**}; write one of these", v)
		return false
	}
	return true
}

var templates = strings.NewReplacer("{*}", "", "{**}", "")

// claimForm is a claim of a token, or one within it.
var claimForm = regexp.MustCompile(`^request\.auth\.claims(\[[^\[\]]+\]){1,10}$`)

// verdict is what is known of a condition beforehand.
type verdict int

const (
	sometimes verdict = iota // it is checked with each request
	always
	never
)

func (r authz) condition(at object.Path, c *security.Condition) (model.AuthzCondition, verdict) {
	out := model.AuthzCondition{Key: c.GetKey(), Values: c.GetValues(), NotValues: c.GetNotValues()}
	key, argument, _ := strings.Cut(out.Key, "[")
	switch {
	case len(out.Values)+len(out.NotValues) == 0:
		r.Invalid(at, "has no values; add values or notValues")
		return out, never
	case out.Key == "request.auth.principal" || out.Key == "request.auth.audiences" || out.Key == "request.auth.presenter" || claimForm.MatchString(out.Key):
		return out, sometimes
	case key == "request.headers" && argument != "":
		return out, r.unless(r.CheckHeaderName(at.Dot("key"), strings.TrimSuffix(argument, "]")))
	case key == "source.ip" || key == "remote.ip" || key == "destination.ip":
		l := lists{authz: r, at: at, sound: true}
		l.keep("values", out.Values, r.block)
		l.keep("notValues", out.NotValues, r.block)
		return out, r.unless(l.sound)
	case key == "source.principal":
		out.Values, out.NotValues = r.principals(out.Values), r.principals(out.NotValues)
		return out, sometimes
	case key == "source.namespace" || key == "destination.port" || key == "connection.sni":
		return out, sometimes
	}
	r.NotHonoured(at.Dot("key"), "weft does not honour the condition %q; use request.headers[NAME], source.ip, source.namespace, source.principal, destination.port, connection.sni, request.auth.principal, request.auth.audiences, request.auth.presenter or request.auth.claims[NAME]", out.Key)
	return out, r.unless(false)
}

// unless is the verdict on a condition that can, or cannot, be checked.
func (r authz) unless(sound bool) verdict {
	switch {
	case sound:
		return sometimes
	case r.drop():
		return never
	}
	return always
}
