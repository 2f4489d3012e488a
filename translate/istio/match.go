package istio

import (
	"maps"
	"slices"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// matches gives the usable ones. It returns false if there were some and none
// is usable: the rule must not come to match everything then.
func matches(o *object.Object, at object.Path, all []*networking.HTTPMatchRequest, gateways []string) ([]model.Match, bool) {
	var usable []model.Match
	for i, m := range all {
		if match, ok := match(o, at.At(i), m, gateways); ok {
			usable = append(usable, match)
		}
	}
	return usable, len(usable) > 0 || len(all) == 0
}

func match(o *object.Object, at object.Path, m *networking.HTTPMatchRequest, gateways []string) (model.Match, bool) {
	out := model.Match{
		IgnoreCase: m.GetIgnoreUriCase(), Port: m.GetPort(),
		SourceLabels: m.GetSourceLabels(), SourceNamespace: m.GetSourceNamespace(),
	}
	sound := true
	text := func(field string, s *networking.StringMatch) (v model.StringMatch) {
		if s != nil {
			var ok bool
			v, ok = stringMatch(o, at.Dot(field), s)
			sound = sound && ok
		}
		return v
	}
	out.Path = text("uri", m.GetUri())
	out.Scheme = text("scheme", m.GetScheme())
	out.Method = text("method", m.GetMethod())
	out.Authority = text("authority", m.GetAuthority())
	if out.Port != 0 {
		sound = o.CheckPort(at.Dot("port"), out.Port) && sound
	}
	named := func(field string, entries map[string]*networking.StringMatch, invert bool) []model.HeaderMatch {
		all, ok := headerMatches(o, at.Dot(field), entries, invert, field != "queryParams")
		sound = sound && ok
		return all
	}
	out.Headers = append(named("headers", m.GetHeaders(), false), named("withoutHeaders", m.GetWithoutHeaders(), true)...)
	out.Query = named("queryParams", m.GetQueryParams(), false)
	if gateways != nil && !slices.Contains(gateways, model.Mesh) && (len(out.SourceLabels) > 0 || out.SourceNamespace != "") {
		o.Report(model.ProblemUnreachable, at, "who calls a gateway has no workload, so this never holds; remove sourceLabels and sourceNamespace, or add mesh to spec.gateways")
		sound = false
	}
	if len(m.GetGateways()) > 0 {
		out.Gateways = slices.DeleteFunc(gatewayNames(o, at.Dot("gateways"), m.GetGateways()), func(name string) bool {
			return gateways != nil && !slices.Contains(gateways, name)
		})
		if len(out.Gateways) == 0 {
			o.Report(model.ProblemUnreachable, at.Dot("gateways"), "names no gateway of spec.gateways, so it never holds; add the gateway there")
			sound = false
		}
	}
	return out, sound && !contradicts(o, at, out)
}

// stringMatch of nothing means that the value is present.
func stringMatch(o *object.Object, at object.Path, s *networking.StringMatch) (model.StringMatch, bool) {
	switch v := s.GetMatchType().(type) {
	case *networking.StringMatch_Exact:
		if v.Exact == "" {
			return model.StringMatch{Regex: "^$"}, true
		}
		return model.StringMatch{Exact: v.Exact}, true
	case *networking.StringMatch_Prefix:
		if v.Prefix == "" {
			return model.StringMatch{Present: true}, true
		}
		return model.StringMatch{Prefix: v.Prefix}, true
	case *networking.StringMatch_Regex:
		if v.Regex == "" {
			o.Invalid(at.Dot("regex"), "is empty; write an expression, or leave the match out")
			return model.StringMatch{}, false
		}
		return model.StringMatch{Regex: v.Regex}, o.CheckRegex(at.Dot("regex"), v.Regex)
	}
	return model.StringMatch{Present: true}, true
}

func headerMatches(o *object.Object, at object.Path, entries map[string]*networking.StringMatch, invert, header bool) ([]model.HeaderMatch, bool) {
	var all []model.HeaderMatch
	sound := true
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if header && !o.CheckHeaderName(at.Entry(name), name) {
			sound = false
			continue
		}
		value, ok := stringMatch(o, at.Entry(name), entries[name])
		sound = sound && ok
		all = append(all, model.HeaderMatch{Name: name, Value: value, Invert: invert})
	}
	return all, sound
}

// contradicts reports a match that asks for a header to be there and not to be.
func contradicts(o *object.Object, at object.Path, m model.Match) bool {
	for _, h := range m.Headers {
		if !h.Invert {
			continue
		}
		for _, asked := range m.Headers {
			if !asked.Invert && asked.Name == h.Name && (h.Value == asked.Value || h.Value.Present) {
				o.Report(model.ProblemUnreachable, at.Dot("withoutHeaders").Entry(h.Name), "headers asks for what withoutHeaders excludes, so it never holds; remove one of them")
				return true
			}
		}
	}
	return false
}
