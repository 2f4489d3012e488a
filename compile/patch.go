package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/flow"
	"weft.dev/model"
)

// filtersOf are the EnvoyFilters that select a workload, in the order in which they apply.
func filtersOf(all []model.EnvoyFilter, w model.Workload) []model.EnvoyFilter {
	var selected []model.EnvoyFilter
	labels := labelsOf(w)
	for _, f := range all {
		if (f.Namespace == "" || f.Namespace == w.Namespace) && model.Matches(f.Selector, labels) {
			selected = append(selected, f)
		}
	}
	slices.SortStableFunc(selected, func(a, b model.EnvoyFilter) int {
		whole := func(f model.EnvoyFilter) int { return min(len(f.Namespace), 1) } // the mesh's before a namespace's
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(whole(a), whole(b)), cmp.Compare(a.Rank, b.Rank), a.Object.Compare(b.Object))
	})
	return selected
}

// patched are the resources of a layer with the plugins of a scope, and with what EnvoyFilters make of them. A patch that would break a resource, or what guards
// the workload, is left out: it is a problem of its object, and of nothing else.
func (c *compiler) patched(x *flow.Ctx, s scope, resources []*model.Resource) (all []*model.Resource, problems []model.Problem) {
	if !s.changed() {
		return resources, nil
	}
	plugins := allFound(x, c.Plugins, s.Plugins)
	filters, problems := c.good(x, allFound(x, c.EnvoyFilters, s.Patches))
	for _, r := range resources {
		at := sideOf(r.Name)
		if r.Type != model.TypeListener || at == model.PatchAnywhere {
			all = append(all, r)
			continue
		}
		l := &listenerv3.Listener{}
		if err := proto.Unmarshal(r.Body, l); err != nil {
			panic("compile: listener " + r.Name + ": " + err.Error())
		}
		from := slices.Concat(r.From, plugin(l, at, plugins))
		for _, f := range filters {
			changed := false
			for _, p := range f.Patches {
				next, err := patchListener(l, at, p)
				if err != nil {
					problems = append(problems, model.Problem{Object: f.Object, Code: model.ProblemInvalid, Path: p.Origin.Path,
						Message: fmt.Sprintf("the patch is left out of listener %s: %v", r.Name, err)})
					continue
				}
				changed, l = changed || next != l, next
			}
			if changed {
				from = append(from, f.Object)
			}
		}
		all = append(all, c.intern.resource(model.TypeListener, r.Name, l, r.Needs, from...))
	}
	return all, problems
}

// good are the EnvoyFilters that no proxy has refused.
func (c *compiler) good(x *flow.Ctx, all []model.EnvoyFilter) (good []model.EnvoyFilter, problems []model.Problem) {
	for _, f := range all {
		if bad, ok := flow.Get(x, c.Spoiled, f.Key()); ok && bad.Content == f.Content() {
			problems = append(problems, model.Problem{Object: f.Object, Code: model.ProblemRefused, Path: "spec.configPatches",
				Message: "all of it is left out until it is changed, as Envoy refused it: " + bad.Reason})
			continue
		}
		good = append(good, f)
	}
	return good, problems
}

// lostPatches are those that are left out of what a scope has.
func (c *compiler) lostPatches(x *flow.Ctx, s scope) []report {
	if len(s.Patches) == 0 {
		return nil
	}
	resources := c.ownResources(x, s)
	if s.transparent() {
		resources = append(resources, c.tunnels(x, s)...)
	}
	_, problems := c.patched(x, s, resources)
	slices.SortFunc(problems, func(a, b model.Problem) int { return strings.Compare(a.Key(), b.Key()) })
	return reportOf("patches "+s.Key(), slices.Compact(problems))
}

// sideOf is where a listener is, by its name; that of a tunnel's inside is nowhere.
func sideOf(listener string) model.PatchAt {
	switch {
	case withoutTwin(listener) == OutboundListener:
		return model.PatchOutbound
	case listener == InboundListener || strings.HasPrefix(listener, "inbound."):
		return model.PatchInbound
	case strings.HasPrefix(listener, "gateway."):
		return model.PatchGateway
	}
	return model.PatchAnywhere
}

// withoutTwin is the name of a listener, or of the one that it stands beside: by UDP, or for an address.
func withoutTwin(listener string) string {
	if strings.HasPrefix(listener, OutboundListener+".") {
		return OutboundListener
	}
	return strings.TrimSuffix(listener, http3Suffix)
}

// patchListener is the listener with the patch, or the same where it does not match.
func patchListener(l *listenerv3.Listener, at model.PatchAt, p model.Patch) (*listenerv3.Listener, error) {
	if p.At != model.PatchAnywhere && p.At != at || p.Listener != "" && p.Listener != withoutTwin(l.Name) {
		return l, nil
	}
	if p.Port != 0 && at == model.PatchOutbound {
		return nil, fmt.Errorf("one listener takes calls to all ports there; remove portNumber")
	}
	next := proto.Clone(l).(*listenerv3.Listener)
	if err := (patching{p, at}).listener(next); err != nil {
		return nil, err
	}
	if proto.Equal(l, next) {
		return l, nil
	}
	if err := keeps(l, next); err != nil {
		return nil, err
	}
	if err := sound(next.ProtoReflect()); err != nil {
		return nil, err
	}
	return next, nil
}

// patching is one patch at one listener.
type patching struct {
	model.Patch
	at model.PatchAt
}

func (p patching) listener(l *listenerv3.Listener) error {
	if p.Of == model.PatchListener {
		if l.UdpListenerConfig != nil {
			return nil // what is said of a listener is said of TCP
		}
		if p.Port != 0 && !isOfPort(l.Name, nil, p.Port) {
			return nil
		}
		return p.merge(l)
	}
	chains := slices.Clone(l.FilterChains)
	if l.DefaultFilterChain != nil {
		chains = append(chains, l.DefaultFilterChain)
	}
	for _, chain := range chains {
		if !p.selects(l.Name, chain) {
			continue
		}
		var err error
		switch p.Of {
		case model.PatchChain:
			err = p.merge(chain)
		case model.PatchNetwork:
			chain.Filters, err = patchList(p.Do, p.Filter, p.Value, chain.Filters, func() *listenerv3.Filter { return &listenerv3.Filter{} })
		case model.PatchHTTP:
			err = p.managers(chain)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p patching) selects(listener string, chain *listenerv3.FilterChain) bool {
	m := chain.GetFilterChainMatch()
	return (p.Port == 0 || isOfPort(listener, m, p.Port)) && (p.Chain == "" || p.Chain == chain.Name) &&
		(p.SNI == "" || slices.Contains(m.GetServerNames(), p.SNI)) && (p.Speaks == "" || p.Speaks == m.GetTransportProtocol() || p.Speaks == "tls" && m.GetTransportProtocol() == "quic")
}

// isOfPort says whether a listener, or a chain of the one for all ports, is of a port.
func isOfPort(listener string, m *listenerv3.FilterChainMatch, number uint32) bool {
	_, port, _ := strings.Cut(withoutTwin(listener), ".")
	return port == strconv.Itoa(int(number)) || m.GetDestinationPort().GetValue() == number
}

// merge lays the value over a message.
func (p patching) merge(onto proto.Message) error {
	over := onto.ProtoReflect().New().Interface()
	if err := read(p.Value, over); err != nil {
		return err
	}
	proto.Merge(onto, over)
	return nil
}

// read is a value as a message.
func read(text string, into proto.Message) error {
	if err := protojson.Unmarshal([]byte(text), into); err != nil {
		text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
		return fmt.Errorf("its value is no %s that is known here: %.200s", into.ProtoReflect().Descriptor().FullName(), text)
	}
	return nil
}

// named is an element of a list of filters.
type named interface {
	proto.Message
	GetName() string
	GetTypedConfig() *anypb.Any
}

// patchList does to a list of filters what a patch says. target names one; "" is the first, or for a merge, all.
func patchList[F named](do model.PatchDo, target, value string, list []F, empty func() F) ([]F, error) {
	at := 0
	if target != "" {
		at = slices.IndexFunc(list, func(f F) bool { return f.GetName() == target })
	}
	if at < 0 || len(list) == 0 {
		return list, nil
	}
	if do == model.PatchRemove {
		if target == "" {
			return nil, fmt.Errorf("it removes no filter by name; name one in match")
		}
		return slices.Delete(slices.Clone(list), at, at+1), nil
	}
	one := empty()
	if err := read(value, one); err != nil {
		return nil, err
	}
	switch do {
	case model.PatchMerge:
		return list, mergeFilter(list[at], one)
	case model.PatchReplace:
		list[at] = one
		return list, nil
	case model.PatchAdd: // the last one ends the list: nothing behind it is asked
		return slices.Insert(list, len(list)-1, one), nil
	case model.PatchBefore:
		return slices.Insert(list, at, one), nil
	case model.PatchAfter:
		return slices.Insert(list, min(at+1, len(list)), one), nil
	case model.PatchFirst:
		return slices.Insert(list, 0, one), nil
	}
	return nil, fmt.Errorf("it cannot %s here", do)
}

// mergeFilter lays one over a filter: their configurations are merged, not their bytes.
func mergeFilter(onto, over named) error {
	before, after := onto.GetTypedConfig(), over.GetTypedConfig()
	if before == nil || after == nil {
		proto.Merge(onto, over)
		return nil
	}
	if before.TypeUrl != after.TypeUrl {
		return fmt.Errorf("it merges a %s into a %s", shortType(after.TypeUrl), shortType(before.TypeUrl))
	}
	config, err := before.UnmarshalNew()
	if err != nil {
		return err
	}
	more, err := after.UnmarshalNew()
	if err != nil {
		return err
	}
	proto.Merge(config, more)
	before.Value = encode(config)
	return nil
}

func shortType(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

// sound says whether Envoy would take a message: everything in it is of a known type, and within its type's bounds.
func sound(m protoreflect.Message) error {
	if a, ok := m.Interface().(*anypb.Any); ok {
		inner, err := a.UnmarshalNew()
		if err != nil {
			return fmt.Errorf("%s is no type that is known here", shortType(a.TypeUrl))
		}
		return sound(inner.ProtoReflect())
	}
	if v, ok := m.Interface().(interface{ ValidateAll() error }); ok {
		if err := v.ValidateAll(); err != nil {
			return fmt.Errorf("Envoy would refuse it: %.200s", err)
		}
	}
	var err error
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil || f.IsMap() && f.MapValue().Message() == nil:
		case f.IsMap():
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { err = sound(v.Message()); return err == nil })
		case f.IsList():
			for i := 0; i < v.List().Len() && err == nil; i++ {
				err = sound(v.List().Get(i).Message())
			}
		default:
			err = sound(v.Message())
		}
		return err == nil
	})
	return err
}
