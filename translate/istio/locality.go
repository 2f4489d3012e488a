package istio

import (
	"cmp"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// maxNear bounds the labels by which endpoints are ordered: Envoy has a limit on how many steps there are.
const maxNear = 16

// localities are nil where it is switched off.
func localities(o *object.Object, at object.Path, in *networking.LocalityLoadBalancerSetting) *model.Localities {
	if in == nil || in.Enabled != nil && !in.Enabled.Value {
		return nil
	}
	out := &model.Localities{Near: in.FailoverPriority}
	for i, d := range in.Distribute {
		if shares, ok := localityShares(o, at.Dot("distribute").At(i), d); ok {
			out.Shares = append(out.Shares, shares)
		}
	}
	for i, f := range in.Failover {
		place := at.Dot("failover").At(i)
		switch {
		case f.GetFrom() == "" || f.GetTo() == "" || strings.ContainsAny(f.From+f.To, "/*"):
			o.Invalid(place, "%.60q and %.60q are not both regions; write two, without zones", f.GetFrom(), f.GetTo())
		case f.From == f.To:
			o.Invalid(place, "leads from %q to itself; its zones follow each other anyway, write another region", f.From)
		default:
			out.Failover = append(out.Failover, model.RegionFailover{Callers: f.From, To: f.To})
		}
	}
	if len(out.Near) > maxNear {
		o.Invalid(at.Dot("failoverPriority"), "has %d labels, more than %d, so the order is by region, zone and subzone; leave some out", len(out.Near), maxNear)
		out.Near = nil
	}
	if i := slices.Index(out.Near, nodeLabel); i >= 0 {
		o.NotHonoured(at.Dot("failoverPriority").At(i), "weft does not know on which node a pod is, so only the label of that name counts that pods themselves have; use a zone or a subzone")
	}
	if len(out.Shares) > 0 && len(out.Failover)+len(out.Near) > 0 {
		o.Invalid(at, "has distribute beside an order of failover; distribute is used, keep one of them")
		out.Failover, out.Near = nil, nil
	}
	return out
}

const nodeLabel = "kubernetes.io/hostname"

// localityShares are false where they are not usable: then the place is as if nothing was said of it.
func localityShares(o *object.Object, at object.Path, in *networking.LocalityLoadBalancerSetting_Distribute) (model.LocalityShares, bool) {
	out, sum, sound := model.LocalityShares{Callers: in.GetFrom()}, uint64(0), checkPlace(o, at.Dot("from"), in.GetFrom())
	for _, place := range model.SortedKeys(in.GetTo()) {
		sound = checkPlace(o, at.Dot("to").Entry(place), place) && sound
		out.To = append(out.To, model.LocalityShare{Place: place, Percent: in.To[place]})
		sum += uint64(in.To[place])
	}
	if sound && sum != 100 {
		o.Invalid(at.Dot("to"), "the shares are %d together, so this entry has no effect; they must be 100", sum)
		return out, false
	}
	slices.SortStableFunc(out.To, func(a, b model.LocalityShare) int { return cmp.Compare(saying(b.Place), saying(a.Place)) })
	return out, sound
}

// saying is how much of a place is said.
func saying(place string) (n int) {
	for _, part := range model.SplitLocality(place) {
		if part != "" && part != "*" {
			n++
		}
	}
	return n
}

func checkPlace(o *object.Object, at object.Path, place string) bool {
	if place == "" || strings.Count(place, "/") > 2 || strings.HasPrefix(place, "/") {
		o.Invalid(at, "%.60q is no place, so the entry has no effect; write REGION/ZONE/SUBZONE, or the front of it, with * for any", place)
		return false
	}
	return true
}

// checkFailover reports an order of places that would never count: who comes first is left alone when it fails, and
// without outlierDetection nobody sees that.
func checkFailover(o *object.Object, spec *networking.DestinationRule) {
	whole := spec.GetTrafficPolicy()
	check := func(at object.Path, s settings, whole bool) {
		lb := s.GetLoadBalancer().GetLocalityLbSetting()
		if lb == nil || lb.Enabled != nil && !lb.Enabled.Value || len(lb.Distribute) > 0 || s.GetOutlierDetection() != nil || whole {
			return
		}
		o.NotHonoured(at.Dot("loadBalancer").Dot("localityLbSetting"), "without outlierDetection nobody sees that endpoints fail, so those of all places are alike; set outlierDetection beside it")
	}
	at := object.Spec.Dot("trafficPolicy")
	check(at, whole, false)
	for i, port := range whole.GetPortLevelSettings() {
		check(at.Dot("portLevelSettings").At(i), port, false)
	}
	for i, subset := range spec.Subsets {
		check(object.Spec.Dot("subsets").At(i).Dot("trafficPolicy"), subset.GetTrafficPolicy(), whole.GetOutlierDetection() != nil)
	}
}
