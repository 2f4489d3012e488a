package weft

import (
	"cmp"
	"slices"
	"strings"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/translate/object"
)

const (
	maxRequests = 1_000_000
	maxLimits   = 16 // of one object, and its targets
	maxLimitKey = 4  // parts of one key
	gatewayAPI  = "gateway.networking.k8s.io"
	limitGlobal = "global"
	limitClosed = "closed"
)

// RateLimit gives one for each target. A limit that is not usable is left out; the others hold.
func RateLimit(o *object.Object, spec *v1alpha1.RateLimitSpec) (all []model.RateLimit) {
	limits := limitsOf(o, spec.Limits)
	if len(limits) == 0 {
		return nil
	}
	at := object.Spec.Dot("targetRefs")
	for i, ref := range spec.TargetRefs {
		target := model.LimitTarget{Kind: ref.Kind, Name: ref.Name, Section: ref.SectionName}
		switch {
		case i >= maxLimits:
			o.Invalid(at, "has %d entries, more than %d; the others have no effect", len(spec.TargetRefs), maxLimits)
			return all
		case !targetKind(o, at.At(i), ref):
		case !object.IsHost(ref.Name) || strings.ContainsAny(ref.SectionName, "/*"):
			o.Invalid(at.At(i).Dot("name"), "%q is no name", ref.Name)
		case slices.ContainsFunc(all, func(r model.RateLimit) bool { return r.Target.String() == target.String() }):
			o.Invalid(at.At(i), "is listed above; remove one of them")
		default:
			all = append(all, model.RateLimit{Object: o.Key, Target: target, Limits: limits, From: []model.Origin{o.Origin(at.At(i))}})
		}
	}
	return all
}

func targetKind(o *object.Object, at object.Path, ref v1alpha1.LimitTarget) bool {
	group := ref.Group
	switch api.Kind(ref.Kind) {
	case api.Service:
	case api.Gateway, api.HTTPRoute, api.GRPCRoute:
		group = strings.TrimPrefix(group, gatewayAPI)
	default:
		o.NotHonoured(at.Dot("kind"), "weft limits no %q; name a Service, Gateway, HTTPRoute or GRPCRoute", ref.Kind)
		return false
	}
	if group != "" {
		o.NotHonoured(at.Dot("group"), "there is no %s of the group %q; remove group", ref.Kind, ref.Group)
	}
	return group == ""
}

// limitsOf are the usable ones, in the order in which they are asked.
func limitsOf(o *object.Object, all []v1alpha1.Limit) (limits []model.Limit) {
	at := object.Spec.Dot("limits")
	for i, in := range all {
		if i >= maxLimits {
			o.Invalid(at, "has %d entries, more than %d; the others have no effect", len(all), maxLimits)
			break
		}
		if slices.ContainsFunc(limits, func(l model.Limit) bool { return l.Name == in.Name }) {
			o.Invalid(at.At(i).Dot("name"), "%q is listed above; the first one holds", in.Name)
			continue
		}
		if l, ok := limit(o, at.At(i), in); ok {
			limits = append(limits, l)
		}
	}
	slices.SortStableFunc(limits, func(a, b model.Limit) int { return model.CompareBool(len(a.Key) == 0, len(b.Key) == 0) })
	return limits
}

func limit(o *object.Object, at object.Path, in v1alpha1.Limit) (model.Limit, bool) {
	l := model.Limit{
		Name: in.Name, Requests: uint32(in.Requests), Per: model.LimitUnit(in.Per), Burst: uint32(cmp.Or(in.Burst, in.Requests)),
		Global: in.Scope == limitGlobal, Shadow: in.Shadow, Closed: in.OnFailure == limitClosed, Origin: o.Origin(at),
	}
	sound := object.IsHost(in.Name) && !strings.ContainsAny(in.Name, ".*")
	if !sound {
		o.Invalid(at.Dot("name"), "%q is no name; write letters, digits and dashes", in.Name)
	}
	sound = inRange(o, at.Dot("requests"), in.Requests) && sound
	sound = inRange(o, at.Dot("burst"), cmp.Or(in.Burst, 1)) && sound
	if l.Per == 0 {
		o.Invalid(at.Dot("per"), "%q is no unit; write second, minute, hour or day", in.Per)
		sound = false
	}
	if in.Match != nil {
		var ok bool
		l.Match, ok = limitMatch(o, at.Dot("match"), in.Match)
		sound = sound && ok
	}
	for i, k := range in.Key {
		key := model.LimitKey{Header: strings.ToLower(k.Header), Claim: k.Claim, Caller: k.Caller, Address: k.Address}
		if k.Header != "" && (!o.CheckHeaderName(at.Dot("key").At(i).Dot("header"), k.Header) || strings.Contains(k.Header, "%")) {
			sound = false
		}
		if key == (model.LimitKey{}) || i >= maxLimitKey || strings.ContainsAny(k.Claim, "%():") {
			o.Invalid(at.Dot("key").At(i), "tells nobody apart; write a header, a claim, caller: true or address: true, at most %d of them", maxLimitKey)
			sound = false
			continue
		}
		l.Key = append(l.Key, key)
	}
	return l, sound
}

func inRange(o *object.Object, at object.Path, n int32) bool {
	if n < 1 || n > maxRequests {
		o.Invalid(at, "%d is out of range; write 1 to %d", n, maxRequests)
		return false
	}
	return true
}

func limitMatch(o *object.Object, at object.Path, in *v1alpha1.LimitMatch) (m model.LimitMatch, sound bool) {
	sound = true
	if most := max(len(in.Paths), len(in.Methods), len(in.Headers)); most > maxLimits {
		o.Invalid(at, "a list has %d entries, more than %d", most, maxLimits)
		return m, false
	}
	length := 0
	for i, p := range in.Paths {
		path := cmp.Or(p.Exact, p.Prefix)
		length += len(path)
		if !strings.HasPrefix(path, "/") || len(path) > object.MaxRegex || strings.ContainsAny(path, "?#") {
			o.Invalid(at.Dot("paths").At(i), "%.100q is no path; begin it with /, and leave the query out", path)
			sound = false
		}
		m.Paths = append(m.Paths, model.StringMatch{Exact: p.Exact, PathPrefix: p.Prefix})
	}
	if length > object.MaxRegex { // they are one expression
		o.Invalid(at.Dot("paths"), "have %d bytes together, more than %d; split the limit", length, object.MaxRegex)
		sound = false
	}
	for i, method := range in.Methods {
		if !o.CheckHeaderName(at.Dot("methods").At(i), method) {
			sound = false
		}
		m.Methods = append(m.Methods, method)
	}
	for i, h := range in.Headers {
		if !o.CheckHeaderName(at.Dot("headers").At(i).Dot("name"), h.Name) {
			sound = false
		}
		value := model.StringMatch{Exact: h.Value, Present: h.Value == ""}
		m.Headers = append(m.Headers, model.HeaderMatch{Name: strings.ToLower(h.Name), Value: value})
	}
	return m, sound
}
