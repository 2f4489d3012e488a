package istio

import (
	"cmp"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// Inbound gives what a Sidecar says of the connections to its workloads' applications, if it does.
func Inbound(o *object.Object, spec *networking.Sidecar) []model.Inbound {
	if spec.InboundConnectionPool == nil {
		return nil
	}
	in := model.Inbound{
		Object: o.Key, Namespace: o.Namespace, Selector: spec.GetWorkloadSelector().GetLabels(), Rank: o.Rank, From: o.Whole(),
		Pool: pool(o, object.Spec.Dot("inboundConnectionPool"), spec.InboundConnectionPool),
	}
	if len(in.Selector) == 0 {
		in.Namespace = reach(o)
	}
	return []model.Inbound{in}
}

// Sidecar gives one row; none where it says nothing of whom its workloads call:
// then the next one decides, as in Istio.
func Sidecar(o *object.Object, spec *networking.Sidecar) []model.Egress {
	if !o.Audit(spec, honoured) {
		return nil
	}
	closed := false
	if p := spec.OutboundTrafficPolicy; p != nil {
		if closed = p.Mode == networking.OutboundTrafficPolicy_REGISTRY_ONLY; !closed {
			o.NotHonoured(object.Spec.Dot("outboundTrafficPolicy").Dot("mode"), "calls by a proxy that is named to the application are answered with 502 where no service has the host, whatever the mode; write a ServiceEntry for them")
		}
	}
	if len(spec.Egress) == 0 && !closed {
		return nil
	}
	e := model.Egress{
		Object: o.Key, Namespace: o.Namespace, Selector: spec.GetWorkloadSelector().GetLabels(), Rank: o.Rank, From: o.Whole(),
		Unbound: len(spec.Egress) == 0, Closed: closed,
	}
	if len(e.Selector) == 0 {
		e.Namespace = reach(o)
	}
	for i, listener := range spec.Egress {
		for j, text := range listener.GetHosts() {
			at := object.Spec.Dot("egress").At(i).Dot("hosts").At(j)
			pattern, except, ok := hostPattern(o, at, text, cmp.Or(e.Namespace, model.CallerNamespace))
			switch {
			case !ok:
			case except:
				e.Except = append(e.Except, pattern)
			default:
				e.Hosts = append(e.Hosts, pattern)
			}
		}
	}
	if len(e.Hosts) == 0 && len(e.Except) == 0 { // nothing of it is usable: a mistake must not cut every call off
		if e.Unbound = true; !closed {
			return nil
		}
	}
	return []model.Egress{e}
}

// hostPattern reads "namespace/host", here being the namespace ".". A namespace
// that begins with "~" takes out what the rest names; "~" alone is every namespace.
func hostPattern(o *object.Object, at object.Path, text, here string) (p model.HostPattern, except, ok bool) {
	namespace, host, found := strings.Cut(strings.ToLower(text), "/")
	if !found || namespace == "" || strings.Contains(host, "/") {
		o.Invalid(at, "%.60q names no services; write NAMESPACE/HOST, with * for every namespace and . for this one", text)
		return p, false, false
	}
	namespace, except = strings.CutPrefix(namespace, "~")
	switch namespace {
	case "", "*":
		namespace = ""
	case ".":
		namespace = here
	}
	if !o.CheckHost(at, host) {
		return p, except, false
	}
	if host != "*" && !strings.Contains(host, ".") {
		if namespace == "" || namespace == model.CallerNamespace {
			o.Invalid(at, "%q is a short name, and several namespaces may have one; write the namespace, or the full host", text)
			return p, except, false
		}
		host = model.HostOf(namespace, host)
	}
	return model.HostPattern{Namespace: namespace, Host: host, Origin: o.Origin(at)}, except, true
}
