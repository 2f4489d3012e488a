package istio

import (
	"strings"

	telemetry "istio.io/api/telemetry/v1alpha1"

	"weft.dev/model"
	"weft.dev/translate/cel"
	"weft.dev/translate/object"
)

// maxTags bounds what each span has beside that which all have.
const maxTags = 30

// Telemetry gives one row: which spans and lines the proxies write that it is about. What it says of metrics is a problem.
func Telemetry(o *object.Object, spec *telemetry.Telemetry) []model.Telemetry {
	t := model.Telemetry{Object: o.Key, Rank: o.Rank, From: o.Whole()}
	var meant bool
	if t.Reach, meant = policyReach(o, spec.GetSelector().GetMatchLabels(), spec.TargetRef, spec.TargetRefs); !meant {
		return nil
	}
	if !o.Audit(spec, honoured) {
		return nil
	}
	for i, in := range spec.Tracing {
		t.Says = append(t.Says, spans(o, object.Spec.Dot("tracing").At(i), in))
	}
	for i, in := range spec.AccessLogging {
		condition := in.GetFilter().GetExpression()
		if in.GetFilter() != nil {
			if why := cel.Check(condition); why != "" {
				o.Invalid(object.Spec.Dot("accessLogging").At(i).Dot("filter").Dot("expression"), "%s, so the entry has no effect", why)
				continue
			}
		}
		said := sides(in.GetMatch().GetMode())
		lines := model.LogAll
		if in.GetDisabled().GetValue() {
			lines = model.LogNothing
		}
		said.Log, said.LogIf = &lines, condition
		t.Says = append(t.Says, said)
	}
	return []model.Telemetry{t}
}

// sides are whose requests an entry is about: by default those that are sent and those that are taken.
func sides(mode telemetry.WorkloadMode) model.Tells {
	return model.Tells{Calls: mode != telemetry.WorkloadMode_SERVER, Served: mode != telemetry.WorkloadMode_CLIENT}
}

func spans(o *object.Object, at object.Path, in *telemetry.Tracing) model.Tells {
	said := sides(in.GetMatch().GetMode())
	if d := in.GetDisableSpanReporting(); d != nil {
		said.Silent = &d.Value
	}
	if p := in.GetRandomSamplingPercentage(); p != nil {
		if percent := o.Percent(at.Dot("randomSamplingPercentage"), p.Value); percent == p.Value {
			said.Percent = &percent
		}
	}
	if len(in.CustomTags) > maxTags {
		o.Invalid(at.Dot("customTags"), "has %d entries, more than %d, so spans have none of them; leave some out", len(in.CustomTags), maxTags)
		return said
	}
	for _, name := range model.SortedKeys(in.CustomTags) {
		if tag, ok := customTag(o, at.Dot("customTags").Entry(name), name, in.CustomTags[name]); ok {
			said.Tags = append(said.Tags, tag)
		}
	}
	return said
}

func customTag(o *object.Object, at object.Path, name string, in *telemetry.Tracing_CustomTag) (model.SpanTag, bool) {
	tag := model.SpanTag{Name: name}
	switch is := in.GetType().(type) {
	case *telemetry.Tracing_CustomTag_Literal:
		tag.Literal = is.Literal.GetValue()
	case *telemetry.Tracing_CustomTag_Header:
		tag.Header, tag.Default = strings.ToLower(is.Header.GetName()), is.Header.GetDefaultValue()
		if !o.CheckHeaderName(at.Dot("header.name"), tag.Header) {
			return tag, false
		}
	case *telemetry.Tracing_CustomTag_Environment:
		tag.Environment, tag.Default = is.Environment.GetName(), is.Environment.GetDefaultValue()
	}
	if tag == (model.SpanTag{Name: name, Default: tag.Default}) || name == "" || strings.HasPrefix(name, reservedTags) {
		o.Invalid(at, "has no name, or no value, or begins with %s, which are weft's own, so spans have no such tag; write a literal, a header or an environment variable under another name", reservedTags)
		return tag, false
	}
	return tag, true
}

// reservedTags begin the names of what weft reads from spans.
const reservedTags = "weft."
