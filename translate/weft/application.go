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
	Calls   *model.Rule    // its timeout and retries; nil: it says nothing of them
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
		a.Calls = calls(o, a.Host, spec.Resilience)
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
	if _, says := object.Protocol(prefix, ""); p.Protocol == "" && (p.Name == "" || !says) {
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

// retriesOn are the failures that are repeated where an application says how often: whether the
// request may be sent twice is looked at apart.
var retriesOn = []string{"connect-failure", "refused-stream", "reset", "gateway-error", "unavailable", "cancelled"}

// maxRetries is above what helps anybody.
const maxRetries = 10

// calls is the rule of calls to the host that no other rule takes.
func calls(o *object.Object, host string, r *v1alpha1.Resilience) *model.Rule {
	at := object.Spec.Dot("resilience")
	rule := &model.Rule{Name: "application", Backends: []model.Backend{{Host: host, Weight: 1, Origin: o.Origin(at)}}, Origin: o.Origin(at)}
	if r.Timeout != nil {
		if rule.Timeout = o.CheckDuration(at.Dot("timeout"), r.Timeout.Duration); r.Timeout.Duration == 0 {
			o.Invalid(at.Dot("timeout"), "is 0; write a time such as 2s, or remove it: then there is none")
		}
	}
	switch {
	case r.Retries != nil && (*r.Retries < 0 || *r.Retries > maxRetries):
		o.Invalid(at.Dot("retries"), "%d is out of range; write 0 to %d", *r.Retries, maxRetries)
	case r.Retries != nil:
		rule.Retry = &model.Retry{Attempts: uint32(*r.Retries), NotMethods: r.Idempotent}
		if *r.Retries > 0 {
			rule.Retry.On = slices.Clone(retriesOn)
		}
	}
	if r.Idempotent && (rule.Retry == nil || rule.Retry.Attempts == 0) {
		o.Invalid(at.Dot("idempotent"), "says what may be repeated, and nothing is; set retries to 1 or more, or remove it")
	}
	if rule.Timeout == 0 && rule.Retry == nil {
		return nil
	}
	return rule
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
