package weft

import (
	"strings"

	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/translate/object"
)

// TrafficSplit gives one split, or none where its shares are not usable.
func TrafficSplit(o *object.Object, spec *v1alpha1.TrafficSplitSpec) []model.Split {
	s := model.Split{Host: model.HostOf(o.Namespace, strings.ToLower(spec.Service)), Service: spec.Service, From: o.Whole()}
	if !o.CheckHost(object.Spec.Dot("service"), s.Host) {
		return nil
	}
	at := object.Spec.Dot("versions")
	if len(spec.Versions) > object.MaxList {
		o.Invalid(at, "has %d entries, more than %d", len(spec.Versions), object.MaxList)
		return nil
	}
	var sum uint64
	seen := map[string]bool{}
	for i, v := range spec.Versions {
		if v.Version == "" || strings.ContainsAny(v.Version, "/,= ") || len(v.Version) > 63 || seen[v.Version] {
			o.Invalid(at.At(i).Dot("version"), "%q is no version, or is listed twice; write each version label once", v.Version)
			return nil
		}
		seen[v.Version] = true
		share := model.VersionShare{Version: v.Version, Weight: o.Count(at.At(i).Dot("weight"), v.Weight)}
		sum += uint64(share.Weight)
		s.Versions = append(s.Versions, share)
	}
	if sum != 100 {
		o.Invalid(at, "the weights sum to %d; make it 100", sum)
		return nil
	}
	return []model.Split{s}
}
