package compile

import (
	"cmp"
	"slices"

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
		t.Log = *said.Log
	}
}

// writes has a manager write down the requests that it should.
func writes(m *hcmv3.HttpConnectionManager, l model.Log) {
	switch l {
	case model.LogAll:
		m.AccessLog[0].Filter = nil
	case model.LogNothing:
		m.AccessLog = m.AccessLog[1:]
	}
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
