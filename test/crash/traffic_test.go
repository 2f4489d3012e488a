package crash

import (
	"context"
	"slices"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
	"weft.dev/test/peer"
)

const (
	reportTime = 500 * time.Millisecond
	// perReport is the requests of one caller to one service in reportTime.
	perReport = 600
	// badShare of a bad version's answers is errors; good versions make none, so that none is aborted falsely.
	badShare = 0.2
)

// drive reports, as long as the proxy is connected, the traffic that follows from
// the routes which the proxy holds.
func drive(ctx context.Context, proxy *peer.Proxy, to []subject) {
	bad := map[string]bool{}
	for _, s := range to {
		bad[s.host()] = s.bad
	}
	ticker := time.NewTicker(reportTime)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		report := model.TrafficReport{Period: reportTime}
		for cluster, share := range shares(proxy.Hosts()) {
			host, _, version, _ := model.ParseClusterName(cluster)
			isBad, ours := bad[host]
			if !ours {
				continue
			}
			edge := model.EdgeCounters{Cluster: cluster, Requests: uint64(share * perReport)}
			if isBad && version == newVersion {
				edge.Errors = uint64(badShare * float64(edge.Requests))
			}
			report.Edges = append(report.Edges, edge)
		}
		proxy.Report(ctx, report)
	}
}

// shares are the clusters that requests without any header go to, each with its
// part of its virtual host's requests.
func shares(hosts [][]byte) map[string]float64 {
	all := map[string]float64{}
	for _, body := range hosts {
		var host routev3.VirtualHost
		if proto.Unmarshal(body, &host) != nil {
			continue
		}
		at := slices.IndexFunc(host.GetRoutes(), func(r *routev3.Route) bool {
			return r.GetMatch().GetConnectMatcher() == nil && len(r.GetMatch().GetHeaders()) == 0
		})
		if at < 0 {
			continue // it answers by itself
		}
		action := host.GetRoutes()[at].GetRoute()
		if action.GetCluster() != "" {
			all[action.GetCluster()] = 1
		}
		var sum float64
		for _, part := range action.GetWeightedClusters().GetClusters() {
			sum += float64(part.GetWeight().GetValue())
		}
		for _, part := range action.GetWeightedClusters().GetClusters() {
			all[part.GetName()] = float64(part.GetWeight().GetValue()) / sum
		}
	}
	return all
}
