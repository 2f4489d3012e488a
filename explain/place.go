package explain

import (
	"cmp"
	"fmt"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"weft.dev/model"
)

// placeText is what the caller makes of where endpoints are; "": nothing.
func placeText(all []*endpointv3.LocalityLbEndpoints, group *endpointv3.LocalityLbEndpoints) string {
	var weights uint64
	for _, g := range all {
		weights += uint64(g.GetLoadBalancingWeight().GetValue())
	}
	l := group.GetLocality()
	where := cmp.Or(model.JoinLocality(l.GetRegion(), l.GetZone(), l.GetSubZone()), "no known place")
	switch {
	case weights > 0:
		return fmt.Sprintf("in %s, which gets %s%%", where, number(100*float64(group.GetLoadBalancingWeight().GetValue())/float64(weights)))
	case group.Priority > 0:
		return "in " + where + ", when those before it fail"
	case len(all) > 1:
		return "in " + where
	}
	return ""
}
