package model

import "strconv"

// Type is a kind of Envoy resource that xDS delivers. The order is the one in
// which they are sent, so that nothing refers to what the proxy lacks.
type Type uint8

const (
	TypeSecret Type = iota
	TypeCluster
	TypeEndpoint
	TypeListener
	TypeScopedRoute
	TypeRoute
	TypeVirtualHost
	TypeExtension // a filter of a listener that changes without it
	NumTypes
)

var typeMessages = [NumTypes]struct{ name, pkg string }{
	TypeSecret:      {"Secret", "envoy.extensions.transport_sockets.tls.v3"},
	TypeCluster:     {"Cluster", "envoy.config.cluster.v3"},
	TypeEndpoint:    {"ClusterLoadAssignment", "envoy.config.endpoint.v3"},
	TypeListener:    {"Listener", "envoy.config.listener.v3"},
	TypeScopedRoute: {"ScopedRouteConfiguration", "envoy.config.route.v3"},
	TypeRoute:       {"RouteConfiguration", "envoy.config.route.v3"},
	TypeVirtualHost: {"VirtualHost", "envoy.config.route.v3"},
	TypeExtension:   {"TypedExtensionConfig", "envoy.config.core.v3"},
}

// String is Envoy's word for the type, such as ClusterLoadAssignment.
func (t Type) String() string {
	if t >= NumTypes {
		return "Type(" + strconv.Itoa(int(t)) + ")"
	}
	return typeMessages[t].name
}

// TypeURL is how xDS names the type.
func (t Type) TypeURL() string {
	return "type.googleapis.com/" + typeMessages[t].pkg + "." + typeMessages[t].name
}

// TypeOf is the inverse of String.
func TypeOf(name string) (Type, bool) {
	for t := range NumTypes {
		if typeMessages[t].name == name {
			return t, true
		}
	}
	return 0, false
}
