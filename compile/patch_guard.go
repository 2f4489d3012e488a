package compile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
)

// keeps says what of a resource is no patch's to change. A namespace's patch must not lift what the mesh asks of everybody.
func keeps(before, after proto.Message) error {
	switch after := after.(type) {
	case *listenerv3.Listener:
		return keepsListener(before.(*listenerv3.Listener), after)
	case *clusterv3.Cluster:
		return keepsCluster(before.(*clusterv3.Cluster), after)
	case *routev3.RouteConfiguration:
		return keepsTable(before.(*routev3.RouteConfiguration), after)
	case *routev3.VirtualHost:
		return keepsHost(before.(*routev3.VirtualHost), after)
	}
	return nil
}

// keepsListener is about where it listens, whom it trusts, what guards the workload, and where its requests go.
func keepsListener(before, after *listenerv3.Listener) error {
	switch {
	case before.Name != after.Name || !proto.Equal(before.Address, after.Address) || before.TrafficDirection != after.TrafficDirection:
		return errors.New("name, address and direction of a listener are weft's")
	case len(before.FilterChains) != len(after.FilterChains) || (before.DefaultFilterChain == nil) != (after.DefaultFilterChain == nil):
		return errors.New("filter chains are neither added nor removed")
	}
	for i, chain := range before.FilterChains {
		if err := keepsChain(chain, after.FilterChains[i]); err != nil {
			return err
		}
	}
	return keepsChain(before.DefaultFilterChain, after.DefaultFilterChain)
}

func keepsChain(before, after *listenerv3.FilterChain) error {
	if before.GetName() != after.GetName() || !proto.Equal(before.GetFilterChainMatch(), after.GetFilterChainMatch()) || !proto.Equal(before.GetTransportSocket(), after.GetTransportSocket()) {
		return errors.New("whom a filter chain takes and trusts is weft's; use PeerAuthentication or a Gateway")
	}
	if err := keepsAll(guardsAmong(before.GetFilters()), after.GetFilters()); err != nil {
		return err
	}
	if len(before.GetFilters()) == 0 {
		return nil
	}
	last := before.Filters[len(before.Filters)-1]
	if len(after.Filters) == 0 || after.Filters[len(after.Filters)-1].Name != last.Name {
		return fmt.Errorf("%s must stay the last filter of a connection", last.Name)
	}
	if last.Name != hcmFilter {
		return nil
	}
	return keepsManager(last, after.Filters[len(after.Filters)-1])
}

func keepsManager(before, after *listenerv3.Filter) error {
	was, err := managerOf(before)
	if err != nil {
		return err
	}
	is, err := managerOf(after)
	if err != nil {
		return err
	}
	if !proto.Equal(was.GetRds(), is.GetRds()) || was.ForwardClientCertDetails != is.ForwardClientCertDetails || was.PathWithEscapedSlashesAction != is.PathWithEscapedSlashesAction || was.MergeSlashes != is.MergeSlashes {
		return errors.New("routes, the caller's identity and how paths are read are weft's; use a VirtualService or an HTTPRoute")
	}
	if len(is.HttpFilters) == 0 || is.HttpFilters[len(is.HttpFilters)-1].Name != was.HttpFilters[len(was.HttpFilters)-1].Name {
		return errors.New("the router must stay the last filter")
	}
	return keepsAll(guardsAmong(was.HttpFilters), is.HttpFilters)
}

// Guards are the filters by which policies act: those that have a name of ours, and these.
const ownFilters = "weft."

var guardFilterNames = []string{"envoy.filters.network.rbac", "envoy.filters.http.jwt_authn"}

func guardsAmong[F named](list []F) []F {
	return slices.DeleteFunc(slices.Clone(list), func(f F) bool {
		return !isGuard(f.GetName())
	})
}

func isGuard(filter string) bool {
	return strings.HasPrefix(filter, ownFilters) || slices.Contains(guardFilterNames, filter)
}

// keepsAll says that guards are all there, as they were and in their order.
func keepsAll[F named](guards, list []F) error {
	for _, f := range list {
		if len(guards) > 0 && proto.Equal(guards[0], f) {
			guards = guards[1:]
		}
	}
	if len(guards) > 0 {
		return fmt.Errorf("%s is what policies act by, and stays as it is; use an AuthorizationPolicy", guards[0].GetName())
	}
	return nil
}

// patchKeys are those of filters.
func patchKeys(all []model.EnvoyFilter) (keys []string) {
	for _, f := range all {
		keys = append(keys, f.Key())
	}
	return keys
}
