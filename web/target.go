package web

import (
	"cmp"
	"net"
	"strconv"

	"weft.dev/model"
)

// Target is what a Prometheus scrapes, in its form of HTTP service discovery.
type Target struct {
	Targets []string          `json:"targets"` // host:port
	Labels  map[string]string `json:"labels"`  // on every series; an empty one is none
}

// targets are the proxies that say where they can be scraped. One that has lost its server can be, too.
func targets(all []model.Workload) []Target {
	found := []Target{}
	for _, w := range all {
		if w.MetricsPort == 0 {
			continue
		}
		found = append(found, Target{
			Targets: []string{net.JoinHostPort(w.Address, strconv.Itoa(int(w.MetricsPort)))},
			Labels:  map[string]string{"namespace": w.Namespace, "workload": w.Name, "app": cmp.Or(w.App, w.Gateway), "version": w.Version},
		})
	}
	return found
}
