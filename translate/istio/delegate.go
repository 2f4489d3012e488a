package istio

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/api"
	"weft.dev/model"
	"weft.dev/translate/object"
)

// Delegate is a VirtualService without hosts: its rules stand where rules of others delegate to it.
type Delegate struct {
	Object model.Key
	To     []string // namespaces whose rules may; nil: all
	Rules  []model.Rule
	From   []model.Origin
}

// DelegateOf gives one, or none where it is not usable.
func DelegateOf(o *object.Object, spec *networking.VirtualService) []Delegate {
	if !o.Audit(spec, honoured) {
		return nil
	}
	for field, n := range map[string]int{"gateways": len(spec.Gateways), "tls": len(spec.Tls), "tcp": len(spec.Tcp)} {
		if n > 0 {
			o.Invalid(object.Spec.Dot(field), "without spec.hosts the rules are for those who delegate to them, and only http is theirs; name the hosts, or remove it")
		}
	}
	d := Delegate{Object: o.Key, From: o.Whole(), To: exportedTo(o, spec.ExportTo)}
	d.Rules = slices.DeleteFunc(rules(o, spec.Http, nil), func(r model.Rule) bool {
		if r.Delegate != nil {
			o.Invalid(object.Path(r.Origin.Path).Dot("delegate"), "the object has no hosts, so others delegate to it, and their rules go no further; write the rules of %s here", r.Delegate.Name)
		}
		return r.Delegate != nil
	})
	return []Delegate{d}
}

// exportedTo are the namespaces that may use what the object says; nil: all.
func exportedTo(o *object.Object, names []string) []string {
	if len(names) == 0 || slices.Contains(names, "*") {
		return nil
	}
	all := []string{}
	for _, name := range names {
		switch name {
		case ".":
			all = append(all, o.Namespace)
		case "~":
		default:
			all = append(all, name)
		}
	}
	return all
}

// delegateKey is whom a rule delegates to.
func delegateKey(o *object.Object, at object.Path, d *networking.Delegate) *model.Key {
	key := &model.Key{Kind: string(api.VirtualService), Namespace: d.GetNamespace(), Name: d.GetName()}
	if key.Namespace == "" {
		key.Namespace = o.Namespace
	}
	if key.Name == "" {
		o.Invalid(at.Dot("name"), "is empty; name a VirtualService without hosts")
		return nil
	}
	return key
}

// Merged are the rules of a delegate where a rule delegates to it: each takes what both match, and does what it says
// itself, and for the rest what that rule says. Those that match nothing of what the rule does are lost.
func Merged(rule model.Rule, all []model.Rule) (merged, lost []model.Rule) {
	for _, r := range all {
		matches, sound := bothMatch(rule.Matches, r.Matches)
		if !sound {
			lost = append(lost, r)
			continue
		}
		r.Matches = matches
		r.Name = strings.Trim(rule.Name+"-"+r.Name, "-")
		r.Rewrite, r.Fault, r.CORS, r.Retry = either(r.Rewrite, rule.Rewrite), either(r.Fault, rule.Fault), either(r.CORS, rule.CORS), either(r.Retry, rule.Retry)
		if r.Timeout == 0 {
			r.Timeout = rule.Timeout
		}
		if r.Mirrors == nil {
			r.Mirrors = rule.Mirrors
		}
		if reflect.ValueOf(r.RequestHeaders).IsZero() && reflect.ValueOf(r.ResponseHeaders).IsZero() {
			r.RequestHeaders, r.ResponseHeaders = rule.RequestHeaders, rule.ResponseHeaders
		}
		merged = append(merged, r)
	}
	return merged, lost
}

func either[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// bothMatch are the matches of a delegate within those of a rule; false: there are some, and none is.
func bothMatch(outer, inner []model.Match) ([]model.Match, bool) {
	if len(outer) == 0 {
		return inner, true
	}
	if len(inner) == 0 {
		return outer, true
	}
	var all []model.Match
	for _, in := range inner {
		for _, out := range outer {
			if both, ok := within(out, in); ok {
				all = append(all, both)
			}
		}
	}
	return all, len(all) > 0
}

// within is what both match; false: the inner one matches what the outer one does not, or may.
func within(outer, inner model.Match) (both model.Match, sound bool) {
	both, sound = inner, inner.Path.IsZero() || outer.Path.IsZero() || outer.IgnoreCase == inner.IgnoreCase
	if inner.Path.IsZero() {
		both.IgnoreCase = outer.IgnoreCase
	}
	text := func(o, i model.StringMatch) model.StringMatch {
		one, ok := narrower(o, i)
		sound = sound && ok
		return one
	}
	both.Path, both.Method = text(outer.Path, inner.Path), text(outer.Method, inner.Method)
	both.Scheme, both.Authority = text(outer.Scheme, inner.Scheme), text(outer.Authority, inner.Authority)
	both.Headers, sound = narrowerNames(outer.Headers, inner.Headers, sound)
	both.Query, sound = narrowerNames(outer.Query, inner.Query, sound)
	if both.Port == 0 {
		both.Port = outer.Port
	}
	if both.SourceNamespace == "" {
		both.SourceNamespace = outer.SourceNamespace
	}
	sound = sound && (outer.Port == 0 || outer.Port == both.Port) && (outer.SourceNamespace == "" || outer.SourceNamespace == both.SourceNamespace)
	if len(outer.SourceLabels) > 0 {
		both.SourceLabels = maps.Clone(outer.SourceLabels)
		maps.Copy(both.SourceLabels, inner.SourceLabels)
		sound = sound && model.Matches(outer.SourceLabels, both.SourceLabels)
	}
	if len(inner.Gateways) == 0 {
		both.Gateways = outer.Gateways
	}
	for _, name := range inner.Gateways {
		sound = sound && (len(outer.Gateways) == 0 || slices.Contains(outer.Gateways, name))
	}
	return both, sound
}

// narrower is the inner one of two, if it is within the outer one. What an expression matches nobody compares.
func narrower(outer, inner model.StringMatch) (model.StringMatch, bool) {
	switch {
	case inner.IsZero():
		return outer, true
	case outer.IsZero() || outer.Present || outer == inner:
		return inner, true
	case outer.Prefix != "":
		return inner, strings.HasPrefix(inner.Exact, outer.Prefix) || strings.HasPrefix(inner.Prefix, outer.Prefix)
	}
	return inner, false
}

func narrowerNames(outer, inner []model.HeaderMatch, sound bool) ([]model.HeaderMatch, bool) {
	all := slices.Clone(inner)
	for _, o := range outer {
		i := slices.IndexFunc(inner, func(h model.HeaderMatch) bool { return h.Name == o.Name && h.Invert == o.Invert })
		if i < 0 {
			all = append(all, o)
			continue
		}
		if o.Invert { // the inner one takes more out, or the same: both of them count
			all = append(all, o)
			continue
		}
		one, ok := narrower(o.Value, inner[i].Value)
		all[i].Value, sound = one, sound && ok
	}
	return slices.CompactFunc(all, func(a, b model.HeaderMatch) bool { return a == b }), sound
}
