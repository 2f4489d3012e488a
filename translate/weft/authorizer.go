package weft

import (
	"maps"
	"slices"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/translate/object"
)

const (
	askTimeout    = time.Second // of one question, where nobody says more
	maxAskTimeout = time.Minute
	refusedStatus = 403
	maxAskBody    = 1 << 20 // bytes of a request that a proxy holds back
)

// ExternalAuthorizer gives one authorizer, or none where it is not usable: what it would be asked is denied then.
func ExternalAuthorizer(o *object.Object, spec *v1alpha1.ExternalAuthorizerSpec) []model.Authorizer {
	a := model.Authorizer{
		Object: o.Key, Host: o.Host(spec.Service), Port: uint32(spec.Port), Timeout: askTimeout,
		FailOpen: spec.FailOpen, Status: refusedStatus, From: o.Whole(),
	}
	at := object.Spec
	if !o.CheckHost(at.Dot("service"), a.Host) || !o.CheckPort(at.Dot("port"), a.Port) {
		return nil
	}
	if spec.Timeout != nil {
		if a.Timeout = spec.Timeout.Duration; a.Timeout < time.Millisecond || a.Timeout > maxAskTimeout {
			o.Invalid(at.Dot("timeout"), "%s is out of range; write 1ms to %s. What it would be asked is denied", a.Timeout, maxAskTimeout)
			return nil
		}
	}
	if s := spec.StatusOnError; s != 0 {
		if a.Status = uint32(s); s < 400 || s > 599 {
			o.Invalid(at.Dot("statusOnError"), "%d is no status of a failure; write 400 to 599. What it would be asked is denied", s)
			return nil
		}
	}
	if b := spec.Body; b != nil {
		if a.BodyBytes, a.BodyPart = uint32(b.MaxBytes), b.AllowPartial; b.MaxBytes < 1 || b.MaxBytes > maxAskBody {
			o.Invalid(at.Dot("body").Dot("maxBytes"), "%d is out of range; write 1 to %d. What it would be asked is denied", b.MaxBytes, maxAskBody)
			return nil
		}
	}
	if spec.HTTP != nil {
		a.HTTP = authorizerHTTP(o, at.Dot("http"), spec.HTTP)
	}
	return []model.Authorizer{a}
}

func authorizerHTTP(o *object.Object, at object.Path, in *v1alpha1.AuthorizerHTTP) *model.HTTPAuthorizer {
	out := &model.HTTPAuthorizer{}
	if p := in.PathPrefix; p != "" && (!strings.HasPrefix(p, "/") || strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r > '~' })) {
		o.Invalid(at.Dot("pathPrefix"), "%q is no path; write one that begins with /", p)
	} else {
		out.PathPrefix = p
	}
	names := func(field string, all []string) (good []string) {
		for i, name := range all {
			if i < object.MaxList && o.CheckHeaderName(at.Dot(field).At(i), strings.Trim(name, "*")) {
				good = append(good, name)
			}
		}
		return good
	}
	out.Send, out.ToBackend, out.ToCaller = names("sendHeaders", in.SendHeaders), names("toBackend", in.ToBackend), names("toCaller", in.ToCaller)
	for _, name := range slices.Sorted(maps.Keys(in.AddHeaders)) {
		place := at.Dot("addHeaders").Entry(name)
		if o.CheckHeaderName(place, name) && o.CheckHeaderValue(place, in.AddHeaders[name]) {
			out.Add = append(out.Add, model.Header{Name: name, Value: in.AddHeaders[name]})
		}
	}
	return out
}
