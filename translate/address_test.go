package translate_test

import (
	"fmt"
	"testing"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate"
	"weft.dev/translate/join"
)

// In a cluster a Gateway is programmed where a load balancer gave it what it asks for.
func TestGatewaysAddressesInACluster(t *testing.T) {
	g := flow.New(flow.Options{})
	objects, given := flow.NewSource[api.Object](g, "objects"), flow.NewSource[model.GatewayAddress](g, "addresses")
	m := translate.New(objects.Collection, translate.Options{TrustDomain: "shop.example"})
	statuses := m.Statuses(given.Collection)
	for _, c := range []struct{ asked, given, want string }{
		{``, ``, "False AddressNotAssigned"},
		{``, `192.0.2.1`, "True Programmed"},
		{`{type: IPAddress}`, `192.0.2.1`, "True Programmed"},
		{`{value: 192.0.2.1}`, ``, "False AddressNotAssigned"},
		{`{value: 192.0.2.1}`, `192.0.2.1`, "True Programmed"},
		{`{value: 192.0.2.2}`, `192.0.2.1`, "False AddressNotUsable"},
		{`{value: 192.0.2.1}, {value: 192.0.2.2}`, ``, "False AddressNotUsable"},
		{`{value: 192.0.2.1}, {value: 192.0.2.2}`, `192.0.2.1`, "False AddressNotUsable"},
	} {
		written := parse(t, fmt.Sprintf(`
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: gw-1, namespace: shop, annotations: {weft.dev/health: Healthy}}
spec: {gateway: front, address: 10.1.0.7, host: a}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: shop}
spec:
  gatewayClassName: weft
  addresses: [%s]
  listeners: [{name: http, port: 80, protocol: HTTP}]
`, c.asked))
		row := model.GatewayAddress{Gateway: "shop/front"}
		if c.given != "" {
			row.Addresses = []string{c.given}
		}
		g.Commit(func(tx *flow.Tx) {
			objects.Replace(tx, "objects", written)
			given.Set(tx, row)
		})
		got := ""
		for _, condition := range statusOf(statuses, "shop/front").Conditions {
			if condition.Type == "Programmed" {
				got = string(condition.Status) + " " + condition.Reason
			}
		}
		if got != c.want {
			t.Errorf("asked for %q, given %q: %s, want %s", c.asked, c.given, got, c.want)
		}
	}
}

func statusOf(all *flow.Collection[join.Status], gateway string) (found join.Status) {
	for _, s := range all.All() {
		if s.Object.Kind == string(api.Gateway) && s.Object.Namespace+"/"+s.Object.Name == gateway {
			found = s
		}
	}
	return found
}
