package explain

import (
	"maps"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	chainv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/filter_chain/v3"
	localv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	globalv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/compile"
	"weft.dev/model"
)

// limitsOf are the limits that the request meets at one place, in the order in which they are asked. Those that the
// server counts are not for what the proxy answers itself.
func limitsOf(filters map[string]*anypb.Any, name string, said *corev3.Metadata, route *routev3.Route, m message) (met []Part) {
	chain := &chainv3.FilterChainConfigPerRoute{}
	if config, ok := filters[name]; !ok || config.UnmarshalTo(chain) != nil {
		return nil
	}
	texts := said.GetFilterMetadata()[compile.MetadataKey].GetFields()[compile.MetadataLimits].GetStructValue().GetFields()
	add := func(all []*routev3.RateLimit) {
		for _, l := range all {
			id, meets := limitMet(l, route, m)
			if !meets {
				continue
			}
			_, limit, _, _ := model.LimitID(id).Parts()
			is := texts[id].GetStructValue().GetFields()
			met = append(met, Part{Name: "limit", Text: limit + ": " + is["text"].GetStringValue(), From: []string{is["from"].GetStringValue()}})
		}
	}
	for _, filter := range chain.GetFilterChain().GetFilters() {
		local, global := &localv3.LocalRateLimit{}, &globalv3.RateLimit{}
		switch {
		case filter.TypedConfig.UnmarshalTo(local) == nil:
			add(local.RateLimits)
		case filter.TypedConfig.UnmarshalTo(global) == nil && (route == nil || route.GetRoute() != nil):
			add(global.RateLimits)
		}
	}
	return met
}

// limitMet says which limit it is, and whether it is for the request: for its route, and for what it says.
func limitMet(l *routev3.RateLimit, route *routev3.Route, m message) (id string, meets bool) {
	headers := maps.Clone(m.headers)
	headers[":path"] = m.path + m.query
	for _, action := range l.Actions {
		switch a := action.ActionSpecifier.(type) {
		case *routev3.RateLimit_Action_GenericKey_:
			id = a.GenericKey.DescriptorValue
		case *routev3.RateLimit_Action_Metadata:
			path := a.Metadata.MetadataKey.Path
			name := path[len(path)-1].GetKey()
			id = route.GetMetadata().GetFilterMetadata()[compile.MetadataKey].GetFields()[compile.MetadataLimits].GetStructValue().GetFields()[name].GetStringValue()
		case *routev3.RateLimit_Action_HeaderValueMatch_:
			for _, h := range a.HeaderValueMatch.Headers {
				if !headerMatches(h, headers) {
					return id, false
				}
			}
		}
	}
	return id, id != ""
}
