package relay

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// fullMark ends the version of a cluster of which Envoy keeps full statistics. The relay never sees it.
const fullMark = "+full"

// fullStats is, behind a Cluster, part of that: Envoy then keeps all that it counts of it, whatever its
// bootstrap lets it keep, from the moment that it takes this.
var fullStats = func() []byte {
	field := func(number protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
	}
	reject := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 0) // StatsMatcher.reject_all: false
	matcher := slices.Concat(field(1, []byte("type.googleapis.com/envoy.config.metrics.v3.StatsMatcher")), field(2, reject))
	entry := slices.Concat(field(1, []byte("envoy.stats_matcher")), field(2, matcher))
	return field(25, field(2, entry)) // metadata.typed_filter_metadata
}()

// SetFull has Envoy keep full statistics of every cluster, or what its bootstrap says. It asks anew for that, by
// another stream, and is then sent each cluster in its other form.
func (s *Service) SetFull(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full != full {
		s.full = full
		s.envoys++ // nobody's: the stream that there is ends
		wake(s.envoy)
	}
}

// shown is a response as Envoy gets it.
func shown(p *response, full bool) *response {
	if !full || p.TypeUrl != clusterURL {
		return p
	}
	p = proto.CloneOf(p) // the relay remembers the other
	for _, one := range p.Resources {
		if one.Resource != nil {
			one.Version += fullMark
			one.Resource.Value = append(one.Resource.Value, fullStats...)
		}
	}
	return p
}

// told is a request as the relay gets it: what Envoy has in the other form, it has not.
func told(q *request, full bool) *request {
	if q.TypeUrl != clusterURL {
		return q
	}
	for name, version := range q.InitialResourceVersions {
		plain, marked := strings.CutSuffix(version, fullMark)
		if marked != full && version != "" {
			plain += "?"
		}
		q.InitialResourceVersions[name] = plain
	}
	return q
}
