package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"weft.dev/compile"
	"weft.dev/model"
)

// kind is what the barest Envoy has beside its one route.
type kind struct {
	name    string
	counts  bool // by route
	counted bool // its route is one that is counted
	tap     bool
	tracing model.Tracing
}

var kinds = []kind{
	{name: "bare"},
	{name: "counting, other route", counts: true},
	{name: "counting, its route", counts: true, counted: true},
	{name: "tap that nobody looks at", tap: true},
	{name: "traces, 1 %", tracing: model.Tracing{Percent: 1}},
	{name: "traces, 1 %, and B3", tracing: model.Tracing{Percent: 1, B3: true}},
	{name: "traces, 100 %", tracing: model.Tracing{Percent: 100}},
}

func bare() (all []subject) {
	for _, k := range kinds {
		all = append(all, subject{name: k.name, config: k.config, check: k.check})
	}
	return all
}

// check wants it to have counted and told of the requests.
func (k kind) check(p *proxy, requests uint64) error {
	counted, err := p.told()
	if err != nil {
		return err
	}
	if k.counted != (counted >= requests) || !k.counted && counted > 0 {
		return fmt.Errorf("it counted %d requests by route, of %d", counted, requests)
	}
	spans, want := float64(p.agent.spans()), float64(requests)*k.tracing.Percent/100
	if spans < want/10 || spans > want*10 { // it is by chance, and the last wait to be sent
		return fmt.Errorf("it told of %v requests, want about %v", spans, want)
	}
	return nil
}

// told is what it counted by route.
func (p *proxy) told() (uint64, error) {
	answer, err := http.Get("http://" + p.admin + "/stats?filter=^" + model.RouteStatPrefix)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var sum uint64
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		if _, _, _, ok := model.ParseRouteStat(name); ok {
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

func (k kind) config(at places) (object, error) {
	cluster := model.ClusterName(model.HostOf("shop", "reviews"), 9080, "v2")
	route := object{"match": object{"prefix": "/"}, "route": object{"cluster": cluster}}
	if k.counted {
		route["metadata"] = object{"filter_metadata": object{compile.MetadataKey: object{"counted": "%2Freviews"}}}
	}
	manager, err := k.manager(route)
	if err != nil {
		return nil, err
	}
	return object{"static_resources": object{
		"listeners": list{object{"name": "in", "address": address(at.listen), "filter_chains": list{object{"filters": list{object{"name": "http", "typed_config": manager}}}}}},
		"clusters":  list{clusterOf(cluster, at.plain), toAgent(at.agent)},
	}}, nil
}

// manager has one route, and what compile makes of the kind.
func (k kind) manager(route object) (object, error) {
	m := compile.BareManager(k.tracing)
	if k.counts {
		m.AccessLog = append(m.AccessLog, compile.RouteCounts())
	}
	if k.tap {
		m.AccessLog = append(m.AccessLog, compile.Tap(model.TapOut))
	}
	data, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	manager := object{"@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"}
	if err := json.Unmarshal(data, &manager); err != nil {
		return nil, err
	}
	manager["route_config"] = object{"virtual_hosts": list{object{"name": "all", "domains": list{"*"}, "routes": list{route}}}}
	return manager, nil
}
