package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
)

func noTimeout() *durationpb.Duration { return durationpb.New(0) }

// OutboundRoutes is the route table of calls that leave a sidecar.
const OutboundRoutes = "outbound"

// RouteUnknownHost is the route of requests whose host no service has.
const RouteUnknownHost = "unknown-host"

const unknownHostBody = "weft: no service of the mesh has the host %REQ(:AUTHORITY)%. " +
	"A ServiceEntry with that host and port makes an outside service known; `kubectl get services,serviceentries` lists those that are.\n"

// table is a RouteConfiguration, and what it needs and came from.
type table struct {
	config   *routev3.RouteConfiguration
	needs    []string
	from     []model.Key
	problems []model.Problem
}

// outboundTable is what callers of one namespace use for whom the conditions hold.
func outboundTable(namespace string, holding []condition, hosts []virtualHost) table {
	t := table{config: newTable(OutboundRoutes)}
	taken := domains{"*": "unknown-host"}
	slices.SortStableFunc(hosts, func(a, b virtualHost) int {
		// What the mesh owns is named before what is outside of it.
		return cmp.Or(compareBool(a.Service.External, b.Service.External), cmp.Compare(a.Service.Host, b.Service.Host), cmp.Compare(a.Port, b.Port))
	})
	for _, v := range hosts {
		names, lost := taken.claim(v.Key(), domainsOf(v, namespace))
		t.problems = append(t.problems, conflicts(v, lost)...)
		routes := visible(v.Routes, holding)
		if len(names) == 0 || len(routes) == 0 {
			continue
		}
		t.config.VirtualHosts = append(t.config.VirtualHosts, &routev3.VirtualHost{
			Name: v.Key(), Domains: names, Routes: routes, RetryPolicy: retry(nil),
		})
		t.needs = append(t.needs, v.Needs...)
		t.from = append(t.from, v.From...)
	}
	t.config.VirtualHosts = append(t.config.VirtualHosts, unknownHost())
	slices.Sort(t.needs)
	t.needs, t.from = slices.Compact(t.needs), compactKeys(t.from)
	return t
}

func newTable(name string) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{Name: name, MaxDirectResponseBodySizeBytes: u32(maxDirectBody)}
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

// domainsOf are all names, with and without port, of a virtual host.
func domainsOf(v virtualHost, namespace string) []string {
	var all []string
	for _, name := range v.Service.Names(namespace) {
		all = append(all, name+":"+strconv.Itoa(int(v.Port)))
		if v.Bare {
			all = append(all, name)
		}
	}
	return all
}

// domains are those of one table and who has them: Envoy refuses a table in
// which two virtual hosts have one domain.
type domains map[string]string

// claim takes those that are free and returns who has the others.
func (d domains) claim(by string, wanted []string) (got []string, lost map[string]string) {
	for _, name := range wanted {
		name = strings.ToLower(name)
		if owner, taken := d[name]; taken {
			if lost == nil {
				lost = map[string]string{}
			}
			lost[name] = owner
			continue
		}
		d[name] = by
		got = append(got, name)
	}
	return got, lost
}

func conflicts(v virtualHost, lost map[string]string) []model.Problem {
	if len(lost) == 0 || len(v.Service.From) == 0 {
		return nil
	}
	var all []model.Problem
	for _, name := range model.SortedKeys(lost) {
		all = append(all, model.Problem{
			Object: v.Service.From[0].Key, Code: model.ProblemHostConflict,
			Message: fmt.Sprintf("calls to %s go to %s, to which the name belongs; choose another host", name, lost[name]),
		})
	}
	return all
}

// unknownHost answers what no virtual host is for, and says what would help.
func unknownHost() *routev3.VirtualHost {
	answer := &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
		Status: 502,
		BodyFormat: &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_TextFormatSource{
			TextFormatSource: inline(unknownHostBody),
		}},
	}}
	connect := connectRoute("")
	connect.Name, connect.Action = RouteUnknownHost, answer
	return &routev3.VirtualHost{
		Name: RouteUnknownHost, Domains: []string{"*"},
		Routes: []*routev3.Route{
			{Name: RouteUnknownHost, Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}, Action: answer},
			connect,
		},
	}
}
