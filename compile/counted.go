package compile

import (
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"weft.dev/model"
)

const (
	// metadataCounted is where a route says as what its requests are counted; see RouteCounts.
	metadataCounted = "counted"
	// maxCounted routes of one virtual host are told apart; those beyond are counted as one.
	maxCounted     = 32
	maxCountedName = 100 // bytes
)

// count has the requests of a route counted, where versions of a service share them.
func (r *router) count(m *corev3.Metadata, c candidate) *corev3.Metadata {
	if !slices.ContainsFunc(c.rule.Backends, func(b model.Backend) bool { return b.Subset == "" && shared(r.split(b.Host)) }) {
		return m
	}
	name := countedName(c)
	if !slices.Contains(r.counted, name) {
		if len(r.counted) >= maxCounted {
			name = model.OtherRoutes
		} else {
			r.counted = append(r.counted, name)
		}
	}
	return withField(m, metadataCounted, structpb.NewStringValue(model.EscapeRoute(name)))
}

// shared says whether more than one version gets some of the traffic.
func shared(s *model.Split) bool {
	weighed := 0
	if s != nil {
		for _, v := range s.Versions {
			if v.Weight > 0 {
				weighed++
			}
		}
	}
	return weighed > 1
}

// countedName is what people know the route by: its path, else the rule's name.
func countedName(c candidate) string {
	p := c.match.Path
	name := p.Exact + p.PathPrefix + p.Prefix + p.Regex
	if name == "" {
		name = routeName(c.rule)
	}
	return name[:min(len(name), maxCountedName)]
}
