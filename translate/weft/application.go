package weft

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/translate/object"
)

// App is what an Application says of traffic. Each part counts where nobody wrote more: it is
// no object that could be left behind. Key: host.
type App struct {
	Host    string         // of the service that it is about
	Service *model.Service // as its ports make it; nil: it lists none
	Calls   Calls          // its timeout and retries
	Callers []Caller       // who may call; none: everybody
	From    []model.Origin
}

// Caller is an application or a gateway.
type Caller struct {
	Namespace, Name string
	Origin          model.Origin
}

func (a App) Key() string      { return a.Host }
func (a App) Equal(o App) bool { return reflect.DeepEqual(a, o) }

// Application gives what it says; what is not usable is left out, but for callers: a list of
// them without a usable one lets nobody in.
func Application(o *object.Object, spec *v1alpha1.ApplicationSpec) App {
	a := App{Host: o.Host(cmp.Or(spec.Service, o.Key.Name)), From: o.Whole()}
	a.Callers = callers(o, spec.Callers)
	if _, namespace, ok := model.SplitHost(a.Host); !ok || namespace != o.Namespace {
		if len(spec.Ports) > 0 || spec.Resilience != nil {
			o.Invalid(object.Spec.Dot("service"), "%q is no service of the namespace %s, so ports and resilience have no effect; name one that the application is", spec.Service, o.Namespace)
		}
		return a
	}
	if len(spec.Ports) > 0 {
		a.Service = service(o, a.Host, spec.Ports)
	}
	if spec.Resilience != nil {
		a.Calls = calls(o, object.Spec.Dot("resilience"), v1alpha1.CallPolicy{Calls: *spec.Resilience})
	}
	return a
}

// service is the one that the ports make; nil where none of them is usable.
func service(o *object.Object, host string, ports []v1alpha1.ApplicationPort) *model.Service {
	at := object.Spec.Dot("ports")
	name, _, _ := model.SplitHost(host)
	s := &model.Service{
		Host: host, Namespace: o.Namespace, Name: name, Resolution: model.ByWorkload,
		Selector: map[string]string{appLabel: o.Key.Name}, From: []model.Origin{o.Origin(at)},
	}
	if !o.CheckHost(object.Spec.Dot("service"), host) {
		return nil
	}
	for i, p := range ports {
		port, ok := portOf(o, at.At(i), p)
		if _, have := s.Port(port.Number); have {
			o.Invalid(at.At(i).Dot("number"), "%d is listed above; the first one is used", p.Number)
			continue
		}
		if ok && i < object.MaxList {
			s.Ports = append(s.Ports, port)
		}
	}
	if len(s.Ports) == 0 {
		return nil
	}
	slices.SortFunc(s.Ports, func(a, b model.Port) int { return cmp.Compare(a.Number, b.Number) })
	return s
}

func portOf(o *object.Object, at object.Path, p v1alpha1.ApplicationPort) (model.Port, bool) {
	protocol, known := object.Protocol(p.Protocol, p.Name)
	prefix, _, _ := strings.Cut(strings.ToLower(p.Name), "-")
	if _, says := object.Protocol(prefix, ""); p.Protocol == "" && (p.Name == "" || !says) && !model.ServerFirst(uint32(p.Number)) {
		protocol = model.HTTP
	}
	if !known {
		o.NotHonoured(at.Dot("protocol"), "weft does not know %q and treats the port as tcp; write http, http2, grpc or tcp", p.Protocol)
	}
	port := model.Port{Number: uint32(p.Number), Name: cmp.Or(p.Name, string(protocol)), Protocol: protocol}
	ok := o.CheckPort(at.Dot("number"), port.Number)
	if p.Target != 0 && p.Target != p.Number {
		port.Target = uint32(p.Target)
		ok = o.CheckPort(at.Dot("target"), port.Target) && ok
	}
	return port, ok
}

// callers are those that are named by words; an empty name stands for one that is not, and is nobody.
func callers(o *object.Object, names []string) (all []Caller) {
	for i, name := range names {
		at := object.Spec.Dot("callers").At(i)
		c := Caller{Namespace: o.Namespace, Name: name, Origin: o.Origin(at)}
		if namespace, rest, ok := strings.Cut(name, "/"); ok {
			c.Namespace, c.Name = namespace, rest
		}
		if !object.IsHost(model.HostOf(c.Namespace, c.Name)) || strings.ContainsAny(name, "*") || strings.Count(name, "/") > 1 || i >= object.MaxList {
			o.Invalid(at, "%q is no application and no gateway; write NAME, or NAMESPACE/NAME of another namespace", name)
			c.Name = ""
		}
		all = append(all, c)
	}
	return all
}
