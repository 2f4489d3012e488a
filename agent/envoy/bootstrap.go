package envoy

import (
	"encoding/json"
	"slices"

	"weft.dev/model"
)

const (
	// DefaultHeap is how much memory an Envoy may take before it refuses requests.
	DefaultHeap = 512 << 20
	// maxConnections from outside, all listeners together.
	maxConnections = 50_000

	spanFlush = 1000 // milliseconds until the agent hears of a request
	spanBatch = 64   // spans that each thread sends at once, and no sooner

	ownerOnly = 0o600
)

// Bootstrap is what an Envoy starts with; all else comes from its agent.
type Bootstrap struct {
	ID, Cluster string // of the node: namespace/name, and the application
	AgentSocket string // unix socket at which the agent serves ADS
	AdminSocket string // unix socket of the admin interface
	Heap        uint64 // bytes; 0: DefaultHeap
}

type object = map[string]any
type list = []any

// JSON is the bootstrap as Envoy reads it.
func (b Bootstrap) JSON() ([]byte, error) {
	heap := b.Heap
	if heap == 0 {
		heap = DefaultHeap
	}
	ads := object{"ads": object{}, "resource_api_version": "V3"}
	return json.MarshalIndent(object{
		"node":             object{"id": b.ID, "cluster": b.Cluster},
		"admin":            object{"address": object{"pipe": object{"path": b.AdminSocket, "mode": ownerOnly}}},
		"static_resources": object{"clusters": list{b.agent()}},
		"dynamic_resources": object{
			"ads_config": object{
				"api_type": "DELTA_GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true,
				"grpc_services": list{object{"envoy_grpc": object{"cluster_name": model.AgentCluster}}},
			},
			"cds_config": ads, "lds_config": ads,
		},
		"cluster_manager":       object{"enable_deferred_cluster_creation": true},
		"deferred_stat_options": object{"enable_deferred_creation_stats": true},
		"stats_flush_on_admin":  true,
		"stats_config":          statsConfig(),
		"overload_manager":      overloadManager(heap),
		"layered_runtime": object{"layers": list{object{"name": "static", "static_layer": object{
			"tracing.opentelemetry.flush_interval_ms": spanFlush, "tracing.opentelemetry.min_flush_spans": spanBatch,
		}}, object{"name": "admin", "admin_layer": object{}}}},
		"bootstrap_extensions": list{object{
			"name":         "envoy.bootstrap.internal_listener",
			"typed_config": object{"@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener"},
		}},
	}, "", "  ")
}

func (b Bootstrap) agent() object {
	return object{
		"name": model.AgentCluster, "type": "STATIC", "connect_timeout": "1s",
		"load_assignment": object{"cluster_name": model.AgentCluster, "endpoints": list{object{"lb_endpoints": list{
			object{"endpoint": object{"address": object{"pipe": object{"path": b.AgentSocket}}}},
		}}}},
		"typed_extension_protocol_options": object{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": object{
				"@type":                "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
				"explicit_http_config": object{"http2_protocol_options": object{}},
			},
		},
	}
}

const totalConnections = "total_connections"

// kept are the counters that Traffic reads. All 107 of a cluster cost 55 KB.
var kept = []string{
	"." + rqTotal, "." + rqCompleted, "." + rqRetry, "." + rqTime,
	".upstream_rq_1xx", ".upstream_rq_2xx", ".upstream_rq_3xx", ".upstream_rq_4xx", "." + rq5xx,
	".upstream_rq_500", ".upstream_rq_502", ".upstream_rq_503", ".upstream_rq_504",
	"." + rqTimeout, "." + rqTryTimeout, "." + rqExhausted, "." + rqOverflow, "." + cxFail, "." + cxActive,
	"." + cxSent, "." + cxReceived,
}

func statsConfig() object {
	patterns := list{
		object{"exact": "server." + totalConnections}, object{"prefix": model.RouteStatPrefix + "."}, object{"prefix": model.LimitStatPrefix + "."},
	}
	for _, end := range []string{shadowAllowed, shadowDenied} {
		patterns = append(patterns, object{"safe_regex": object{"regex": `.*` + rbacStat + `(.*` + ruleStat + `.*|` + model.StatTrials + `|` + model.StatLetIn + `\..*|` + model.StatKeptOut + `\..*)\.` + end}})
	}
	for _, name := range kept {
		patterns = append(patterns, object{"suffix": name})
	}
	return object{
		"use_all_default_tags": false,
		"stats_matcher":        object{"inclusion_list": object{"patterns": patterns}},
		"histogram_bucket_settings": list{object{
			"match": object{"suffix": "." + rqTime}, "buckets": append(slices.Clone(model.LatencyBounds), beyond),
		}},
	}
}

func overloadManager(heap uint64) object {
	const fixedHeap = "envoy.resource_monitors.fixed_heap"
	at := func(name string, share float64) object {
		return object{"name": name, "triggers": list{object{"name": fixedHeap, "threshold": object{"value": share}}}}
	}
	return object{
		"refresh_interval": "0.25s",
		"resource_monitors": list{
			object{"name": fixedHeap, "typed_config": object{
				"@type": "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig", "max_heap_size_bytes": heap,
			}},
			object{"name": "envoy.resource_monitors.global_downstream_max_connections", "typed_config": object{
				"@type":                             "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
				"max_active_downstream_connections": maxConnections,
			}},
		},
		"actions": list{at("envoy.overload_actions.shrink_heap", 0.95), at("envoy.overload_actions.stop_accepting_requests", 0.98)},
	}
}
