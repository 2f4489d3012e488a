package compile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"weft.dev/model"
)

// GatewayName names listener and routes of one port of a gateway.
func GatewayName(port uint32) string { return "gateway." + strconv.Itoa(int(port)) }

// privilegedPorts need root to bind.
const privilegedPorts = 1024

// gatewayLabels are those by which Istio's own gateways are selected. A gateway
// named ingressgateway has istio=ingressgateway without anybody writing it.
var gatewayLabels = []string{"istio", "gateway"}

// gatewayOf says whether the workload's proxy is the gateway.
func gatewayOf(g model.Gateway, w model.Workload) bool {
	switch {
	case w.Gateway == "":
		return false
	case g.Proxy != "":
		return g.Proxy == w.Gateway && g.Object.Namespace == w.Namespace
	}
	labels := map[string]string{}
	for _, name := range gatewayLabels {
		labels[name] = w.Gateway
	}
	maps.Copy(labels, w.Labels)
	return len(g.Selector) > 0 && model.Matches(g.Selector, labels)
}

// gatewayPort is a port that some gateways share on one proxy.
type gatewayPort struct {
	number    uint32
	listeners []gatewayListener
}

type gatewayListener struct {
	gateway  model.Gateway
	listener model.GatewayListener
}

// portsOf are those of the gateways that this version serves. The others
// are problems: nothing listens there, and that must not be silent.
func portsOf(all []model.Gateway) (ports []gatewayPort, problems []model.Problem) {
	by := map[uint32][]gatewayListener{}
	for _, g := range all {
		for _, l := range g.Listeners {
			if l.Protocol != model.GatewayHTTP {
				problems = append(problems, model.Problem{
					Object: g.Object, Code: model.ProblemNotHonoured, Path: l.Origin.Path,
					Message: fmt.Sprintf("port %d: protocol %s is not served yet, only HTTP is; nothing listens there", l.Port, l.Protocol),
				})
				continue
			}
			by[l.Port] = append(by[l.Port], gatewayListener{gateway: g, listener: l})
		}
	}
	for number, listeners := range by {
		ports = append(ports, gatewayPort{number: number, listeners: listeners})
	}
	slices.SortFunc(ports, func(a, b gatewayPort) int { return int(a.number) - int(b.number) })
	return ports, problems
}

// boundPort is where the proxy listens for a port of the gateway.
func boundPort(p gatewayPort, mapped []model.WorkloadPort) (port uint32, problem *model.Problem) {
	for _, m := range mapped {
		if m.Number == p.number && m.ProxyPort != 0 {
			return m.ProxyPort, nil
		}
	}
	if p.number >= privilegedPorts {
		return p.number, nil
	}
	first := p.listeners[0]
	return 0, &model.Problem{
		Object: first.gateway.Object, Code: model.ProblemNotHonoured, Path: first.listener.Origin.Path,
		Message: fmt.Sprintf("port %d needs root to bind; run the gateway with --port %d:8080 to serve it on 8080", p.number, p.number),
	}
}

func gatewayListenerConfig(ip string, number, bound uint32, identity string) *listenerv3.Listener {
	name := GatewayName(number)
	return &listenerv3.Listener{
		Name:                          name,
		StatPrefix:                    name,
		Metadata:                      identityOf(identity),
		Address:                       address(ip, bound),
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		TrafficDirection:              corev3.TrafficDirection_INBOUND,
		FilterChains:                  []*listenerv3.FilterChain{{Filters: managed(edgeManager(name, name))}},
	}
}
