package join

import (
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/gateway"
)

// fault is what is wrong with what a listener names: reasons of the Gateway API.
type fault struct {
	Accepted string // "": it is
	Resolved string
	Closed   bool // it is not served
	Message  string
}

// asking has a listener that opens TLS ask of callers what its Gateway says. Where nobody is left whose certificates
// are any good, it does not open: nobody must come in unasked.
func (m *Mesh) asking(x *flow.Ctx, p *problems, by Part, l *model.GatewayListener) (trusts *model.Certificate, f fault) {
	all := Of[gateway.Frontend](by)
	if len(all) == 0 || l.TLS.Secret == "" {
		return nil, f
	}
	asked := all[0].At(l.Port)
	if asked == nil {
		return nil, f
	}
	ca, missing := m.trusted(x, by.Object, asked.Authorities)
	for _, why := range missing {
		f.Resolved, f.Message = string(unresolvedAuthority(why.Code)), why.Message
		p.add(why.Code, l.Origin.Path, fmt.Sprintf("of %s %s: %s", by.Object, why.Path, why.Message))
	}
	if len(ca) == 0 {
		p.add(model.ProblemMissingSecret, l.Origin.Path, "its gateway asks callers for certificates and nobody says whose are good, so this listener stays closed")
		f.Accepted, f.Closed = string(gatewayv1.ListenerReasonNoValidCACertificate), true
		return nil, f
	}
	l.TLS.Callers = model.CallerRequired
	if asked.Fallback {
		l.TLS.Callers = model.CallerUnproven
	}
	l.TLS.Trust = fmt.Sprintf("%s/%s/%s/%s", by.Object.Kind, by.Object.Namespace, by.Object.Name, asked.Name)
	return &model.Certificate{Name: l.TLS.Trust, CA: ca, From: []model.Origin{{Key: by.Object, Path: asked.Path}}}, f
}

func unresolvedAuthority(code string) gatewayv1.ListenerConditionReason {
	switch code {
	case model.ProblemNotPermitted:
		return gatewayv1.ListenerReasonRefNotPermitted
	case model.ProblemNotHonoured:
		return gatewayv1.ListenerReasonInvalidCACertificateKind
	}
	return gatewayv1.ListenerReasonInvalidCACertificateRef
}

// showing is the Certificate by which a gateway's proxies prove themselves to services. One that must not be used is
// replaced by one that never is there: calls fail, and are not made as if nothing had been asked.
func (m *Mesh) showing(x *flow.Ctx, p *problems) (name string, state shown) {
	for _, s := range Of[gateway.Shown](p.part) {
		name := s.Namespace + "/" + s.Name
		not := func(code string, reason gatewayv1.GatewayConditionReason, message string) shown {
			p.add(code, s.Path, message)
			return shown{reason, message}
		}
		switch c, _ := flow.Get(x, m.secrets, name); {
		case s.Unread:
			return p.part.Object.String(), not(model.ProblemNotHonoured, gatewayv1.GatewayReasonInvalidClientCertificateRef, "weft reads certificates from Secrets only, so calls to services by TLS fail")
		case s.Namespace != p.part.Object.Namespace && !m.granted(x, p.part.Object, "Secret", s.Namespace, s.Name):
			return p.part.Object.String(), not(model.ProblemNotPermitted, gatewayv1.GatewayReasonRefNotPermitted, fmt.Sprintf("no ReferenceGrant of the namespace %s lets a Gateway of %s use the Secret %s, so calls to services by TLS fail", s.Namespace, p.part.Object.Namespace, name))
		case len(c.Chain) == 0:
			return name, not(model.ProblemMissingSecret, gatewayv1.GatewayReasonInvalidClientCertificateRef, c.Missing(name))
		}
		return name, shown{Reason: gatewayv1.GatewayReasonResolvedRefs}
	}
	return "", shown{}
}

// shown is whether what a gateway's proxies show to services is to be had, and why not; no reason: they show nothing.
type shown struct {
	Reason  gatewayv1.GatewayConditionReason
	Message string
}

// frontendOf is the object that says what the listeners of a part ask of callers: the Gateway.
func (m *Mesh) frontendOf(x *flow.Ctx, p Part) Part {
	for _, set := range Of[gateway.Set](p) {
		p, _ = flow.Get(x, m.parts, set.Parent.String())
	}
	return p
}

// withTrust adds whom a listener trusts, once.
func withTrust(all []model.Certificate, trusts *model.Certificate) []model.Certificate {
	if trusts == nil || slices.ContainsFunc(all, func(c model.Certificate) bool { return c.Name == trusts.Name }) {
		return all
	}
	return append(all, *trusts)
}
