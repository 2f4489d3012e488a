package compile

import (
	"slices"
	"strconv"
	"strings"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
)

func noTimeout() *durationpb.Duration { return durationpb.New(0) }

// OutboundRoutes is the route table of calls that leave a sidecar. Its virtual
// hosts are resources of their own: a change of one service's routes is one of them.
const OutboundRoutes = "outbound"

// table is a RouteConfiguration, and what it needs and came from.
type table struct {
	config *routev3.RouteConfiguration
	needs  []string
	from   []model.Key
}

func newTable(name string) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{Name: name, MaxDirectResponseBodySizeBytes: u32(maxDirectBody)}
}

// discoveredTable gets its virtual hosts one by one.
func discoveredTable(name string) *routev3.RouteConfiguration {
	t := newTable(name)
	t.Vhds = &routev3.Vhds{ConfigSource: ads()}
	return t
}

// readyHost is a virtual host that nobody calls. A listener whose table has none
// would wait for one.
func readyHost(table string) *routev3.VirtualHost {
	const host = "weft-ready.invalid"
	return &routev3.VirtualHost{
		Name: table + "/" + host, Domains: []string{host}, Routes: []*routev3.Route{noRoute()},
	}
}

// visible are the routes for a caller.
func visible(all []conditional, holding []condition) []*routev3.Route {
	routes := make([]*routev3.Route, 0, len(all))
	for _, c := range all {
		if c.when.isZero() || slices.Contains(holding, c.when) {
			routes = append(routes, c.route)
		}
	}
	return routes
}

// shelfPlace is a layer of a shelf as an index knows it.
func shelfPlace(i int) string { return strconv.Itoa(i) }

// UnknownHostStatus is what a call to a host is answered with that no service has.
const UnknownHostStatus = 502

// UnknownHost is the text of that answer.
func UnknownHost(authority string) string {
	return strings.TrimSpace(strings.ReplaceAll(unknownHostBody, "%REQ(:AUTHORITY)%", authority))
}

const unknownHostBody = "weft: no service of the mesh has the host %REQ(:AUTHORITY)%. " +
	"A ServiceEntry with that host and port makes an outside service known; `kubectl get services,serviceentries` lists those that are.\n"

// unknownHosts says so where no virtual host is for a request: Envoy's own
// answer would be 404, as if the host had answered.
func unknownHosts() *hcmv3.LocalReplyConfig {
	return &hcmv3.LocalReplyConfig{Mappers: []*hcmv3.ResponseMapper{{
		Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
			ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: []string{"NR"}},
		}},
		StatusCode: u32(UnknownHostStatus),
		BodyFormatOverride: &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_TextFormatSource{
			TextFormatSource: inline(unknownHostBody),
		}},
	}}}
}
