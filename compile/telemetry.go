package compile

import (
	"cmp"
	"slices"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tagsv3 "github.com/envoyproxy/go-control-plane/envoy/type/tracing/v3"

	"weft.dev/model"
)

// tells is what a workload's proxy tells of the requests that it sends, and of those that it takes: as the mesh, but
// for what is said of its namespace, and then of itself. A gateway sends on what it takes: it is a caller.
func (s selectors) tells(w model.Workload) (calls, served model.Tracing) {
	sent, taken := teller{Tracing: s.tracing}, teller{Tracing: s.tracing}
	for _, t := range s.closestLast(w) {
		for _, said := range t.Says {
			if said.Calls {
				sent.hear(said)
			}
			if said.Served {
				taken.hear(said)
			}
		}
	}
	return sent.told(), taken.told()
}

// teller is what is told by what was said until now.
type teller struct {
	model.Tracing
	silent bool // whatever Percent is: who says nothing of spans as such leaves that
}

func (t teller) told() model.Tracing {
	if t.silent {
		t.Percent = 0
	}
	return t.Tracing
}

// closestLast are those that are about a workload: of the mesh, of its namespace, of itself, of each the oldest last.
func (s selectors) closestLast(w model.Workload) (all []model.Telemetry) {
	for _, t := range s.telemetries {
		if s.reached(t.Reach, w) {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b model.Telemetry) int {
		return cmp.Or(cmp.Compare(closeness(a.Reach), closeness(b.Reach)), cmp.Compare(b.Rank, a.Rank), b.Object.Compare(a.Object))
	})
	return all
}

func (t *teller) hear(said model.Tells) {
	if said.Percent != nil {
		t.Percent = *said.Percent
	}
	if said.Silent != nil {
		t.silent = *said.Silent
	}
	if said.Tags != nil {
		t.Tags = said.Tags
	}
	if said.Log != nil {
		t.Log, t.LogIf = *said.Log, said.LogIf
	}
}

// writes has a manager write down the requests that it should.
func writes(m *hcmv3.HttpConnectionManager, t model.Tracing) {
	switch t.Log {
	case model.LogAll:
		if m.AccessLog[0].Filter = nil; t.LogIf != "" {
			m.AccessLog[0].Filter = holding(t.LogIf)
		}
	case model.LogNothing:
		m.AccessLog = m.AccessLog[1:]
	}
}

func holding(expression string) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{ExtensionFilter: &accesslogv3.ExtensionFilter{
		Name:       "envoy.access_loggers.extension_filters.cel",
		ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{TypedConfig: pack(&celv3.ExpressionFilter{Expression: expression})},
	}}}
}

func spanTag(t model.SpanTag) *tagsv3.CustomTag {
	tag := &tagsv3.CustomTag{Tag: t.Name}
	switch {
	case t.Header != "":
		tag.Type = &tagsv3.CustomTag_RequestHeader{RequestHeader: &tagsv3.CustomTag_Header{Name: t.Header, DefaultValue: t.Default}}
	case t.Environment != "":
		tag.Type = &tagsv3.CustomTag_Environment_{Environment: &tagsv3.CustomTag_Environment{Name: t.Environment, DefaultValue: t.Default}}
	default:
		tag.Type = &tagsv3.CustomTag_Literal_{Literal: &tagsv3.CustomTag_Literal{Value: t.Literal}}
	}
	return tag
}
