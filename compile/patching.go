package compile

import (
	"fmt"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
)

// patching is one patch at one side of a proxy.
type patching struct {
	model.Patch
	at model.PatchAt
}

// isOf says whether a patch may change resources of a type.
func isOf(p model.Patch, t model.Type) bool {
	switch t {
	case model.TypeCluster:
		return p.Of == model.PatchCluster && p.Do != model.PatchAdd
	case model.TypeRoute:
		return p.Of.OfRoutes()
	case model.TypeVirtualHost:
		return p.Of == model.PatchHost || p.Of == model.PatchRoute
	}
	return t == model.TypeListener && p.Of != model.PatchCluster && !p.Of.OfRoutes()
}

// resource is a message with the patch, or the same where it does not match.
func (p patching) resource(m proto.Message) (proto.Message, error) {
	if p.At != model.PatchAnywhere && p.At != p.at || !p.concerns(m) {
		return m, nil
	}
	next := proto.Clone(m)
	if err := p.put(next); err != nil {
		return nil, err
	}
	if proto.Equal(m, next) {
		return m, nil
	}
	if err := keeps(m, next); err != nil {
		return nil, err
	}
	return next, sound(next.ProtoReflect())
}

// concerns is false where a look at the name says that the patch is about something else: most are, and a copy costs more.
func (p patching) concerns(m proto.Message) bool {
	switch m := m.(type) {
	case *clusterv3.Cluster:
		return p.isCluster(m.Name)
	case *routev3.VirtualHost:
		return p.isHost(tableOf(m.Name), m)
	}
	return true
}

func (p patching) put(m proto.Message) error {
	switch m := m.(type) {
	case *listenerv3.Listener:
		return p.listener(m)
	case *clusterv3.Cluster:
		return p.merge(m)
	case *routev3.RouteConfiguration:
		return p.table(m)
	case *routev3.VirtualHost:
		return p.host(tableOf(m.Name), m)
	}
	return nil
}

// merge lays the value over a message.
func (p patching) merge(onto proto.Message) error {
	over := onto.ProtoReflect().New().Interface()
	if err := read(p.Value, over); err != nil {
		return err
	}
	return lay(onto, over)
}

// read is a value as a message.
func read(text string, into proto.Message) error {
	if err := protojson.Unmarshal([]byte(text), into); err != nil {
		text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
		return fmt.Errorf("its value is no %s that is known here: %.200s", into.ProtoReflect().Descriptor().FullName(), text)
	}
	return nil
}

// named is an element of a list of filters, or of routes.
type named interface {
	proto.Message
	GetName() string
}

// patchList does to a list of filters what a patch says. target names one; "" is the first.
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
		return list, lay(list[at], one)
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

func shortType(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }
