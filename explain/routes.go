package explain

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/model"
)

// Table is every route of a proxy.
type Table struct {
	Proxy  string  `json:"proxy"`
	Routes []Route `json:"routes"` // those of a host one after the other, in the order in which they are tried
}

// Route is one of them.
type Route struct {
	Listener string   `json:"listener"` // whose requests it takes
	Host     string   `json:"host"`
	Domains  []string `json:"domains"` // by which the host is called
	Name     string   `json:"name"`
	Match    string   `json:"match"` // which requests, in words
	To       []Share  `json:"to,omitempty"`
	Answer   string   `json:"answer,omitempty"` // given by the proxy itself, in place of To
	Timeout  string   `json:"timeout,omitempty"`
	Retries  string   `json:"retries,omitempty"`
	From     []string `json:"from,omitempty"` // who decided it, with file and line where known
}

// Share is the part of a route's requests that a cluster gets.
type Share struct {
	Cluster  string  `json:"cluster"`
	Percent  float64 `json:"percent"`
	Fallback string  `json:"fallback,omitempty"` // which answers are replaced, and by what
}

// Routes are those that the workload's proxy has now. A service that it has not learned of is not among them.
func Routes(mesh Mesh, workload model.Workload) (Table, error) {
	t := Table{Proxy: workload.Key(), Routes: []Route{}}
	view, err := viewOf(mesh, workload, "")
	if err != nil {
		return t, err
	}
	for r := range view.All(model.TypeRoute) {
		config, err := decoded[routev3.RouteConfiguration](r)
		if err != nil {
			return t, err
		}
		hosts, err := hostsOf(view, config)
		if err != nil {
			return t, err
		}
		for _, host := range hosts {
			if strings.HasSuffix(host.Domains[0], ".invalid") {
				continue // nobody can have that name: it is for a listener to wait for
			}
			for _, route := range host.Routes {
				t.Routes = append(t.Routes, routeOf(config, host, route))
			}
		}
	}
	return t, nil
}

// hostsOf are those that are in the table, or those that come one by one.
func hostsOf(view *model.View, config *routev3.RouteConfiguration) ([]*routev3.VirtualHost, error) {
	if config.Vhds == nil {
		return config.VirtualHosts, nil
	}
	var all []*routev3.VirtualHost
	for r := range view.All(model.TypeVirtualHost) {
		if !strings.HasPrefix(r.Name, config.Name+"/") {
			continue
		}
		host, err := decoded[routev3.VirtualHost](r)
		if err != nil {
			return nil, err
		}
		all = append(all, host)
	}
	return all, nil
}

func routeOf(config *routev3.RouteConfiguration, host *routev3.VirtualHost, r *routev3.Route) Route {
	out := Route{
		Listener: config.Name, Host: hostName(config, host), Domains: host.Domains,
		Name: r.Name, Match: matchText(r.Match), From: metadataFrom(r.Metadata),
	}
	if f := r.Match.RuntimeFraction; f != nil {
		out.Match += fmt.Sprintf(", %s%% of them", number(percentOf(f.GetDefaultValue())))
	}
	switch action := r.Action.(type) {
	case *routev3.Route_DirectResponse:
		out.Answer = strings.TrimSpace(fmt.Sprintf("%d %s", action.DirectResponse.Status, strings.TrimSpace(bodyOf(action.DirectResponse, message{headers: map[string]string{":authority": host.Domains[0]}}))))
	case *routev3.Route_Redirect:
		out.Answer = fmt.Sprintf("%d %s", redirectStatus(action.Redirect), redirectText(action.Redirect))
	case *routev3.Route_Route:
		policy := action.Route.RetryPolicy
		if policy == nil {
			policy = host.RetryPolicy
		}
		out.To, out.Timeout, out.Retries = sharesOf(host, r, 100), timeoutText(action.Route), retryText(policy)
	}
	return out
}

// sharesOf divides a percentage among the clusters of a route.
func sharesOf(host *routev3.VirtualHost, r *routev3.Route, percent float64) (all []Share) {
	for _, to := range destinations(r, r.GetRoute(), percent) {
		all = append(all, Share{to.cluster, to.percent, fallbackText(host, r, to.filters)})
	}
	return all
}

// destination is a cluster of a route.
type destination struct {
	cluster  string
	percent  float64
	filters  map[string]*anypb.Any                  // what filters do for its requests
	weighted *routev3.WeightedCluster_ClusterWeight // nil: it is the only one
}

func destinations(r *routev3.Route, action *routev3.RouteAction, percent float64) (all []destination) {
	if name := action.GetCluster(); name != "" {
		return []destination{{name, percent, r.TypedPerFilterConfig, nil}}
	}
	var total float64
	for _, w := range action.GetWeightedClusters().GetClusters() {
		total += float64(w.Weight.GetValue())
	}
	for _, w := range action.GetWeightedClusters().GetClusters() {
		all = append(all, destination{w.Name, percent * float64(w.Weight.GetValue()) / total, w.TypedPerFilterConfig, w})
	}
	return all
}

// hostName is without the table's, which only tells one of its resources from another's.
func hostName(config *routev3.RouteConfiguration, host *routev3.VirtualHost) string {
	return strings.TrimPrefix(host.Name, config.Name+"/")
}
