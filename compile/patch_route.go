package compile

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/model"
)

func (p patching) table(t *routev3.RouteConfiguration) error {
	if p.Of == model.PatchTable {
		if p.Route.Table != "" && p.Route.Table != t.Name {
			return nil
		}
		if p.Port != 0 && p.at == model.PatchOutbound {
			return errors.New("one table has the routes to all ports there; remove the port, or patch a VIRTUAL_HOST")
		}
		if p.Port != 0 && p.Port != portIn(t.Name) {
			return nil
		}
		return p.merge(t)
	}
	for _, h := range t.VirtualHosts {
		if err := p.host(t.Name, h); err != nil {
			return err
		}
	}
	return nil
}

// portIn is that in the name of a listener, or of a table, of calls that come in; 0: none.
func portIn(name string) uint32 {
	_, rest, _ := strings.Cut(name, ".")
	digits, _, _ := strings.Cut(rest, ".")
	port, _ := strconv.ParseUint(digits, 10, 16)
	return uint32(port)
}

// tableOf is the table of a virtual host, by its name; any other name is the same.
func tableOf(name string) string {
	table, _, _ := strings.Cut(name, "/")
	return table
}

func (p patching) isHost(table string, h *routev3.VirtualHost) bool {
	name, port := strings.TrimPrefix(h.Name, table+"/"), portIn(table)
	switch p.at {
	case model.PatchGateway:
		name = fmt.Sprintf("%s:%d", name, port)
	case model.PatchOutbound:
		_, port, _, _ = model.ParseClusterName(name)
	}
	m := p.Route
	return (p.Port == 0 || p.Port == port) && (m.Table == "" || m.Table == table) && (m.Host == "" || m.Host == name) && (m.Domain == "" || slices.Contains(h.Domains, m.Domain))
}

func (p patching) host(table string, h *routev3.VirtualHost) error {
	switch {
	case !p.isHost(table, h):
		return nil
	case p.Of == model.PatchHost:
		return p.merge(h)
	}
	return p.routes(h)
}

// routes patches those of a virtual host. Tunnels are none: what is inside of them is routed.
func (p patching) routes(h *routev3.VirtualHost) (err error) {
	selected := func(r *routev3.Route) bool {
		return r.GetMatch().GetConnectMatcher() == nil && (p.Route.Name == "" || p.Route.Name == r.Name) && (p.Route.Does == "" || p.Route.Does == doing(r))
	}
	value := &routev3.Route{}
	if err := read(p.Value, value); err != nil {
		return err
	}
	if p.Do == model.PatchMerge {
		for _, r := range h.Routes {
			if err == nil && selected(r) && (value.Action == nil || doing(value) == doing(r)) {
				err = lay(r, value)
			}
		}
		return err
	}
	at := slices.IndexFunc(h.Routes, selected)
	switch {
	case p.Do == model.PatchFirst:
		at = 0
	case at < 0:
		return nil
	case p.Do == model.PatchAfter:
		at++
	}
	h.Routes = slices.Insert(h.Routes, at, value)
	return nil
}

// doing is what a route does with a request.
func doing(r *routev3.Route) model.RouteAction {
	switch r.Action.(type) {
	case *routev3.Route_Route:
		return model.RouteLeads
	case *routev3.Route_Redirect:
		return model.RouteRedirects
	case *routev3.Route_DirectResponse:
		return model.RouteAnswers
	}
	return ""
}

// keepsTable says what of a table is no patch's to change: whom it takes and guards, and where requests go.
func keepsTable(before, after *routev3.RouteConfiguration) error {
	if before.Name != after.Name || !proto.Equal(before.Vhds, after.Vhds) || before.IgnorePortInHostMatching != after.IgnorePortInHostMatching || len(before.VirtualHosts) != len(after.VirtualHosts) {
		return errors.New("which hosts a table has is weft's; use a VirtualService or an HTTPRoute")
	}
	for i, h := range before.VirtualHosts {
		if err := keepsHost(h, after.VirtualHosts[i]); err != nil {
			return err
		}
	}
	return keepsTold(before, after)
}

func keepsHost(before, after *routev3.VirtualHost) error {
	if before.Name != after.Name || !slices.Equal(before.Domains, after.Domains) || before.RequireTls != after.RequireTls || after.Matcher != nil {
		return errors.New("which requests a virtual host takes is weft's; use a VirtualService or an HTTPRoute")
	}
	if err := keepsTold(before, after); err != nil {
		return err
	}
	left := before.Routes
	for _, r := range after.Routes {
		if len(left) > 0 && left[0].Name == r.Name && proto.Equal(left[0].Match, r.Match) {
			if err := keepsRoute(left[0], r); err != nil {
				return err
			}
			left = left[1:]
		} else if does := doing(r); does != model.RouteAnswers && does != model.RouteRedirects {
			return errNotWherever
		}
	}
	if len(left) > 0 {
		return errNotWherever
	}
	return nil
}

var errNotWherever = errors.New("which requests a route takes and where they go is weft's, and a new one redirects or answers; use a VirtualService or an HTTPRoute")

func keepsRoute(before, after *routev3.Route) error {
	was, is := before.GetRoute(), after.GetRoute()
	if reflect.TypeOf(before.Action) != reflect.TypeOf(after.Action) || !proto.Equal(whereto(was), whereto(is)) {
		return errNotWherever
	}
	return keepsTold(before, after)
}

// whereto is an action without all but its destinations.
func whereto(a *routev3.RouteAction) *routev3.RouteAction {
	return &routev3.RouteAction{ClusterSpecifier: a.GetClusterSpecifier(), RequestMirrorPolicies: a.GetRequestMirrorPolicies()}
}

// told is a part of a table that tells filters, and people, something.
type told interface {
	GetTypedPerFilterConfig() map[string]*anypb.Any
	GetMetadata() *corev3.Metadata
}

// keepsTold says that what guards are told for some requests, and who is said to be behind them, is as it was.
func keepsTold(before, after told) error {
	for name, now := range after.GetTypedPerFilterConfig() {
		if isGuard(name) && !proto.Equal(before.GetTypedPerFilterConfig()[name], now) {
			return fmt.Errorf("%s is what policies act by, and stays as it is; use an AuthorizationPolicy", name)
		}
	}
	if !proto.Equal(before.GetMetadata().GetFilterMetadata()[MetadataKey], after.GetMetadata().GetFilterMetadata()[MetadataKey]) {
		return fmt.Errorf("the metadata %s says where something came from, and stays as it is; choose another name", MetadataKey)
	}
	return nil
}
