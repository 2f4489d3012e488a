package web

import (
	"encoding/json"
	"testing"

	"weft.dev/model"
)

// What a Prometheus is told of proxies is in its own form; nobody is a list, too.
func TestTargets(t *testing.T) {
	for want, all := range map[string][]model.Workload{
		`[]`: {{Namespace: "shop", Name: "quiet", Address: "10.0.0.9"}},
		`[{"targets":["10.0.0.1:9900"],"labels":{"app":"cart","namespace":"shop","version":"v2","workload":"cart-1"}},` +
			`{"targets":["[fd00::2]:9900"],"labels":{"app":"public","namespace":"shop","version":"","workload":"public-1"}}]`: {
			{Namespace: "shop", Name: "cart-1", App: "cart", Version: "v2", Address: "10.0.0.1", MetricsPort: 9900, Health: model.Draining},
			{Namespace: "shop", Name: "public-1", Gateway: "public", Address: "fd00::2", MetricsPort: 9900},
		},
	} {
		if got, err := json.Marshal(targets(all)); err != nil || string(got) != want {
			t.Errorf("%s, %v; want\n%s", got, err, want)
		}
	}
}
