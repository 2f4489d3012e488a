package gateway

import (
	"regexp"
	"slices"
	"strings"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// filters applies the filters of one rule, or of one backend, to a rule.
type filters struct {
	*object.Object
	rule      *model.Rule
	ofBackend bool
	broken    bool // one of them is not done: requests must not pass without it
}

func (f *filters) apply(at object.Path, in *gatewayv1.HTTPRouteFilter) {
	switch {
	case in.Type == gatewayv1.HTTPRouteFilterExtensionRef, in.Type == gatewayv1.HTTPRouteFilterExternalAuth:
		f.broken = true // reported by the audit: the fields are not honoured
	case in.Type == gatewayv1.HTTPRouteFilterRequestHeaderModifier && in.RequestHeaderModifier != nil:
		f.rule.RequestHeaders = f.headers(at.Dot("requestHeaderModifier"), in.RequestHeaderModifier)
	case in.Type == gatewayv1.HTTPRouteFilterResponseHeaderModifier && in.ResponseHeaderModifier != nil:
		f.rule.ResponseHeaders = f.headers(at.Dot("responseHeaderModifier"), in.ResponseHeaderModifier)
	case in.Type == gatewayv1.HTTPRouteFilterURLRewrite && in.URLRewrite != nil:
		f.rule.Rewrite = f.rewrite(at.Dot("urlRewrite"), in.URLRewrite)
	case f.ofBackend:
		f.refuse(at, "weft does not do %s for one backend, so its share is answered with 500; move the filter to the rule", in.Type)
	case in.Type == gatewayv1.HTTPRouteFilterRequestRedirect && in.RequestRedirect != nil:
		f.rule.Redirect = f.redirect(at.Dot("requestRedirect"), in.RequestRedirect)
	case in.Type == gatewayv1.HTTPRouteFilterRequestMirror && in.RequestMirror != nil:
		f.mirror(at.Dot("requestMirror"), in.RequestMirror)
	case in.Type == gatewayv1.HTTPRouteFilterCORS && in.CORS != nil:
		f.rule.CORS = f.cors(in.CORS)
	default:
		f.refuse(at, "weft does not do the filter %s, so the rule answers 500; remove the filter", in.Type)
	}
}

func (f *filters) refuse(at object.Path, format string, kind gatewayv1.HTTPRouteFilterType) {
	f.broken = true
	f.NotHonoured(at, format, kind)
}

func (f *filters) headers(at object.Path, in *gatewayv1.HTTPHeaderFilter) model.HeaderChange {
	list := func(field string, all []gatewayv1.HTTPHeader) (out []model.Header) {
		for i, h := range all {
			if f.headerName(at.Dot(field).At(i).Dot("name"), string(h.Name)) {
				// The Gateway API has no variables in values.
				out = append(out, model.Header{Name: string(h.Name), Value: strings.ReplaceAll(h.Value, "%", "%%")})
			}
		}
		return out
	}
	change := model.HeaderChange{Set: list("set", in.Set), Add: list("add", in.Add)}
	for i, name := range in.Remove {
		if f.headerName(at.Dot("remove").At(i), name) {
			change.Remove = append(change.Remove, name)
		}
	}
	return change
}

func (f *filters) headerName(at object.Path, name string) bool {
	if strings.EqualFold(name, "host") {
		f.Invalid(at, "the host is changed by a URLRewrite filter only")
		return false
	}
	return f.CheckHeaderName(at, name)
}

func (f *filters) rewrite(at object.Path, in *gatewayv1.HTTPURLRewriteFilter) *model.Rewrite {
	out := &model.Rewrite{Host: string(value(in.Hostname, ""))}
	out.Path, out.PrefixPath = f.path(at.Dot("path"), in.Path)
	return out
}

func (f *filters) path(at object.Path, in *gatewayv1.HTTPPathModifier) (whole string, prefix *string) {
	switch {
	case in == nil:
	case in.Type == gatewayv1.FullPathHTTPPathModifier && in.ReplaceFullPath != nil:
		return *in.ReplaceFullPath, nil
	case in.Type == gatewayv1.PrefixMatchHTTPPathModifier && in.ReplacePrefixMatch != nil:
		return "", in.ReplacePrefixMatch
	default:
		f.broken = true
		f.Invalid(at, "the type %q and the field that is set do not fit, so the rule answers 500; set ReplaceFullPath or ReplacePrefixMatch in both", in.Type)
	}
	return "", nil
}

func (f *filters) redirect(at object.Path, in *gatewayv1.HTTPRequestRedirectFilter) *model.Redirect {
	out := &model.Redirect{
		Scheme: value(in.Scheme, ""), Host: string(value(in.Hostname, "")), Code: uint32(value(in.StatusCode, 302)),
		Port: uint32(value(in.Port, 0)),
	}
	out.Path, out.PrefixPath = f.path(at.Dot("path"), in.Path)
	if in.Port == nil {
		out.Port = map[string]uint32{"http": 80, "https": 443}[out.Scheme]
	}
	if !slices.Contains([]uint32{301, 302, 303, 307, 308}, out.Code) {
		f.broken = true
		f.Invalid(at.Dot("statusCode"), "%d is no redirect; write 301, 302, 303, 307 or 308", out.Code)
	}
	return out
}

func (f *filters) mirror(at object.Path, in *gatewayv1.HTTPRequestMirrorFilter) {
	m := model.Mirror{Backend: backend(f.Object, at.Dot("backendRef"), &in.BackendRef), Percent: 100}
	if in.Percent != nil {
		m.Percent = f.Percent(at.Dot("percent"), float64(*in.Percent))
	}
	if in.Fraction != nil {
		denominator := max(1, value(in.Fraction.Denominator, 100))
		m.Percent = f.Percent(at.Dot("fraction"), 100*float64(in.Fraction.Numerator)/float64(denominator))
	}
	if m.Backend.Invalid == "" {
		f.rule.Mirrors = append(f.rule.Mirrors, m)
	}
}

func (f *filters) cors(in *gatewayv1.HTTPCORSFilter) *model.CORS {
	out := &model.CORS{
		Methods: words(in.AllowMethods), Headers: words(in.AllowHeaders), ExposeHeaders: words(in.ExposeHeaders),
		Stops: true, Credentials: value(in.AllowCredentials, false), MaxAge: time.Duration(max(0, in.MaxAge)) * time.Second,
	}
	for _, origin := range words(in.AllowOrigins) {
		m := model.StringMatch{Exact: origin}
		if origin != "*" && strings.Contains(origin, "*") {
			m = model.StringMatch{Regex: strings.ReplaceAll(regexp.QuoteMeta(origin), `\*`, `.*`)}
		}
		out.Origins = append(out.Origins, m)
	}
	return out
}

func words[S ~string](list []S) []string {
	var out []string
	for _, w := range list {
		out = append(out, string(w))
	}
	return out
}
