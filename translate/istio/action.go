package istio

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

func redirect(o *object.Object, at object.Path, r *networking.HTTPRedirect) *model.Redirect {
	out := &model.Redirect{Scheme: r.Scheme, Host: r.Authority, Path: r.Uri, Code: r.RedirectCode}
	switch port := r.RedirectPort.(type) {
	case *networking.HTTPRedirect_Port:
		if !o.CheckPort(at.Dot("port"), port.Port) {
			return nil
		}
		out.Port = port.Port
	case *networking.HTTPRedirect_DerivePort:
		if port.DerivePort == networking.HTTPRedirect_FROM_PROTOCOL_DEFAULT {
			out.Port = defaultPort(o, at, r.Scheme)
		}
	}
	if r.PrefixRewrite != "" {
		out.PrefixPath = &r.PrefixRewrite
	}
	if out.Code == 0 {
		out.Code = 301
	}
	if !slices.Contains([]uint32{301, 302, 303, 307, 308}, out.Code) {
		o.Invalid(at.Dot("redirectCode"), "%d is no redirect; write 301, 302, 303, 307 or 308", out.Code)
		return nil
	}
	return out
}

func defaultPort(o *object.Object, at object.Path, scheme string) uint32 {
	switch scheme {
	case "http":
		return 80
	case "https":
		return 443
	}
	o.NotHonoured(at.Dot("derivePort"), "the default port is known only with a scheme; set scheme to http or https")
	return 0
}

func direct(o *object.Object, at object.Path, d *networking.HTTPDirectResponse) *model.DirectResponse {
	if d.Status < 200 || d.Status > 599 {
		o.Invalid(at.Dot("status"), "%d is no status of a response; write 200 to 599", d.Status)
		return nil
	}
	out := &model.DirectResponse{Status: d.Status}
	switch body := d.GetBody().GetSpecifier().(type) {
	case *networking.HTTPBody_String_:
		out.Body = body.String_
	case *networking.HTTPBody_Bytes:
		out.Body = string(body.Bytes)
	}
	return out
}

func rewrite(o *object.Object, at object.Path, r *networking.HTTPRewrite) *model.Rewrite {
	if r == nil {
		return nil
	}
	out := &model.Rewrite{Host: r.Authority}
	if r.Uri != "" {
		out.PrefixPath = &r.Uri
	}
	if r.UriRegexRewrite != nil {
		place := at.Dot("uriRegexRewrite")
		switch {
		case r.Uri != "":
			o.Invalid(place, "uri is set too, and wins; keep one of them")
		case r.UriRegexRewrite.Match == "":
			o.Invalid(place.Dot("match"), "is empty; write the expression whose matches are replaced")
		case o.CheckRegex(place.Dot("match"), r.UriRegexRewrite.Match):
			out.Regex, out.RegexSubst = r.UriRegexRewrite.Match, r.UriRegexRewrite.Rewrite
		}
	}
	return out
}

// headers reads both directions. Envoy changes the host of a request by a
// rewrite only.
func headers(o *object.Object, at object.Path, h *networking.Headers, request, response *model.HeaderChange, host **model.Rewrite) {
	*request = headerChange(o, at.Dot("request"), h.GetRequest())
	*response = headerChange(o, at.Dot("response"), h.GetResponse())
	request.Set = slices.DeleteFunc(request.Set, func(h model.Header) bool {
		if !isHost(h.Name) {
			return false
		}
		if *host == nil {
			*host = &model.Rewrite{}
		}
		if (*host).Host == "" {
			(*host).Host = h.Value
		}
		return true
	})
}

func isHost(name string) bool { return name == ":authority" || strings.EqualFold(name, "host") }

func headerChange(o *object.Object, at object.Path, h *networking.Headers_HeaderOperations) model.HeaderChange {
	c := model.HeaderChange{
		Set: headerList(o, at.Dot("set"), h.GetSet(), strings.HasSuffix(string(at), "request")),
		Add: headerList(o, at.Dot("add"), h.GetAdd(), false),
	}
	for i, name := range h.GetRemove() {
		if o.CheckHeaderName(at.Dot("remove").At(i), name) && !fixed(o, at.Dot("remove").At(i), name) {
			c.Remove = append(c.Remove, name)
		}
	}
	return c
}

func headerList(o *object.Object, at object.Path, values map[string]string, hostToo bool) []model.Header {
	var all []model.Header
	for _, name := range slices.Sorted(maps.Keys(values)) {
		place := at.Entry(name)
		if hostToo && isHost(name) {
			all = append(all, model.Header{Name: name, Value: values[name]})
			continue
		}
		if o.CheckHeaderName(place, name) && !fixed(o, place, name) && o.CheckHeaderValue(place, values[name]) {
			all = append(all, model.Header{Name: name, Value: values[name]})
		}
	}
	return all
}

// fixed reports the one header that Envoy refuses to change this way.
func fixed(o *object.Object, at object.Path, name string) bool {
	if isHost(name) {
		o.Invalid(at, "the host of a request is changed by headers.request.set or rewrite.authority only")
		return true
	}
	return false
}

func mirrors(o *object.Object, at object.Path, route *networking.HTTPRoute) []model.Mirror {
	var all []model.Mirror
	add := func(at object.Path, d *networking.Destination, percent float64) {
		if b, ok := backend(o, at, d); ok {
			all = append(all, model.Mirror{Backend: b, Percent: percent})
		}
	}
	if route.GetMirror() != nil {
		percent := 100.0
		switch {
		case route.MirrorPercentage != nil:
			percent = o.Percent(at.Dot("mirrorPercentage").Dot("value"), route.MirrorPercentage.Value)
		case route.MirrorPercent != nil: //nolint:staticcheck // old objects have it
			percent = o.Percent(at.Dot("mirrorPercent"), float64(route.MirrorPercent.Value)) //nolint:staticcheck
		}
		add(at.Dot("mirror"), route.Mirror, percent)
	}
	for i, m := range route.GetMirrors() {
		place := at.Dot("mirrors").At(i)
		add(place.Dot("destination"), m.GetDestination(), share(o, place, m.GetPercentage()))
	}
	return all
}

// share is a percentage whose absence means all requests.
func share(o *object.Object, at object.Path, p *networking.Percent) float64 {
	if p == nil {
		return 100
	}
	return o.Percent(at.Dot("percentage").Dot("value"), p.Value)
}

// retryWords are what Envoy's retry_on understands.
var retryWords = strings.Fields(`5xx gateway-error reset reset-before-request connect-failure envoy-ratelimited
	retriable-4xx refused-stream retriable-status-codes retriable-headers http3-post-connect-failure
	cancelled deadline-exceeded internal resource-exhausted unavailable`)

func retry(o *object.Object, at object.Path, r *networking.HTTPRetry) *model.Retry {
	if r == nil {
		return nil
	}
	out := &model.Retry{
		SameHost:   r.RetryIgnorePreviousHosts != nil && !r.RetryIgnorePreviousHosts.GetValue(),
		Attempts:   min(o.Count(at.Dot("attempts"), r.Attempts), maxAttempts),
		Elsewhere:  r.RetryRemoteLocalities.GetValue(),
		NotMethods: o.Annotations[object.IdempotentAnnotation] == "true",
	}
	if r.Attempts > maxAttempts {
		o.Invalid(at.Dot("attempts"), "%d attempts would multiply an outage; at most %d are made", r.Attempts, maxAttempts)
	}
	duration := func(field string, d object.ProtoDuration) time.Duration { return o.Duration(at.Dot(field), d) }
	if r.PerTryTimeout != nil {
		out.PerTry = duration("perTryTimeout", r.PerTryTimeout)
	}
	if r.Backoff != nil {
		out.Backoff = duration("backoff", r.Backoff)
	}
	for word := range strings.SplitSeq(r.RetryOn, ",") {
		word = strings.TrimSpace(word)
		status, err := strconv.ParseUint(word, 10, 16)
		switch {
		case word == "":
		case err == nil && status >= 100 && status <= 599:
			out.Statuses = append(out.Statuses, uint32(status))
		case slices.Contains(retryWords, word):
			out.On = append(out.On, word)
		default:
			o.NotHonoured(at.Dot("retryOn"), "%q is no reason to retry; write statuses or words such as 5xx, reset, connect-failure, unavailable", word)
		}
	}
	return out
}

const maxAttempts = 10
