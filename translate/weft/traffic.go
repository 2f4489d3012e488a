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

// defaultOn are the statuses that say that no backend answered.
var defaultOn = []uint32{502, 503, 504}

// Fallback gives one fallback, or none where its response is not usable.
func Fallback(o *object.Object, spec *v1alpha1.FallbackSpec) []model.Fallback {
	f := model.Fallback{
		Host: model.HostOf(o.Namespace, strings.ToLower(spec.Service)), Service: spec.Service, On: defaultOn,
		Status: 200, ContentType: "application/json", Body: spec.Response.Body, From: o.Whole(),
	}
	response := object.Spec.Dot("response")
	if spec.Response.Status != 0 {
		f.Status = uint32(spec.Response.Status)
	}
	if spec.Response.ContentType != "" {
		f.ContentType = spec.Response.ContentType
	}
	switch {
	case !o.CheckHost(object.Spec.Dot("service"), f.Host):
		return nil
	case f.Status < 200 || f.Status > 599:
		o.Invalid(response.Dot("status"), "%d is no status of a response; write 200 to 599", f.Status)
		return nil
	case len(f.Body) > object.MaxString:
		o.Invalid(response.Dot("body"), "has %d bytes, more than %d", len(f.Body), object.MaxString)
		return nil
	case strings.ContainsFunc(f.ContentType, func(r rune) bool { return r < ' ' || r > '~' || r == '%' }):
		o.Invalid(response.Dot("contentType"), "is no media type; write one such as application/json")
		return nil
	}
	if len(spec.Statuses) > 0 {
		f.On = nil
	}
	for i, status := range spec.Statuses {
		if status < 400 || status > 599 || i >= object.MaxList {
			o.Invalid(object.Spec.Dot("statuses").At(i), "%d is no status of a failure; write 400 to 599", status)
			return nil
		}
		f.On = append(f.On, uint32(status))
	}
	return []model.Fallback{f}
}
