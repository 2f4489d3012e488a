package istio

import (
	"slices"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// gatewayPrefix keeps the names of Istio's gateways apart from the Gateway API's.
const gatewayPrefix = "istio:"

// Gateway gives one gateway with the listeners that are usable, or none.
func Gateway(o *object.Object, spec *networking.Gateway) []model.Gateway {
	if !o.Audit(spec, honoured) {
		return nil
	}
	g := model.Gateway{
		Object: o.Key, Name: gatewayPrefix + o.Namespace + "/" + o.Key.Name, Selector: spec.Selector, From: o.Whole(),
	}
	if len(spec.Selector) == 0 {
		o.Invalid(object.Spec.Dot("selector"), "is empty; write the labels of the gateway's proxies")
		return nil
	}
	for i, server := range spec.Servers {
		g.Listeners = append(g.Listeners, listeners(o, object.Spec.Dot("servers").At(i), i, server)...)
	}
	o.WithHTTP3(&g)
	return []model.Gateway{g}
}

// listeners of one server: one, or one for each namespace that its hosts name.
func listeners(o *object.Object, at object.Path, i int, s *networking.Server) []model.GatewayListener {
	l := model.GatewayListener{Name: s.GetName(), Port: s.GetPort().GetNumber(), Origin: o.Origin(at)}
	if l.Name == "" {
		l.Name = s.GetPort().GetName()
	}
	if l.Name == "" {
		l.Name = strconv.Itoa(i)
	}
	if !o.CheckPort(at.Dot("port").Dot("number"), l.Port) || !protocol(o, at, s, &l) {
		return nil
	}
	var all []model.GatewayListener
	for j, name := range s.GetHosts() {
		space, host := hostOfServer(o, name)
		if !o.CheckHost(at.Dot("hosts").At(j), host) {
			continue
		}
		n := slices.IndexFunc(all, func(l model.GatewayListener) bool { return slices.Equal(l.RouteSpace, space) })
		if n < 0 {
			n = len(all)
			all = append(all, l)
			all[n].RouteSpace = space
		}
		all[n].Hosts = append(all[n].Hosts, host)
	}
	if len(s.GetHosts()) == 0 {
		o.Invalid(at.Dot("hosts"), "is empty; name the hosts, or \"*\"")
	}
	return all
}

// hostOfServer splits "namespace/host"; no namespaces means all.
func hostOfServer(o *object.Object, name string) (namespaces []string, host string) {
	namespace, host, found := strings.Cut(name, "/")
	switch {
	case !found:
		return nil, strings.ToLower(name)
	case namespace == "*":
		return nil, strings.ToLower(host)
	case namespace == ".":
		namespace = o.Namespace
	}
	return []string{namespace}, strings.ToLower(host)
}

// protocol also decides what TLS asks for. A listener whose TLS is not done as
// asked must not open.
func protocol(o *object.Object, at object.Path, s *networking.Server, l *model.GatewayListener) bool {
	tls := s.GetTls()
	switch name := strings.ToUpper(s.GetPort().GetProtocol()); name {
	case "HTTP", "HTTP2", "GRPC", "GRPC-WEB":
		l.Protocol, l.ToHTTPS = model.GatewayHTTP, tls.GetHttpsRedirect()
		return true
	case "HTTPS", "TLS":
		if tls.GetMode() == networking.ServerTLSSettings_PASSTHROUGH {
			l.Protocol = model.GatewayTLS
			return true
		}
		if l.Protocol = model.GatewayHTTPS; name == "TLS" {
			l.Protocol = model.GatewayTLS
		}
	case "TCP", "MONGO", "MYSQL", "REDIS":
		if l.Protocol = model.GatewayTCP; tls != nil {
			o.NotHonoured(at.Dot("tls"), "a server of %s opens no TLS, so this server stays closed; write the protocol TLS", name)
		}
		return tls == nil
	default:
		o.Invalid(at.Dot("port").Dot("protocol"), "%q is no protocol; write HTTP, HTTPS, TLS or TCP", name)
		return false
	}
	return serverTLS(o, at.Dot("tls"), tls, l)
}
