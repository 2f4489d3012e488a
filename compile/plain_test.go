package compile

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"golang.org/x/tools/txtar"

	"weft.dev/model"
)

// What is said to go in plain text does, by the clusters that Envoys get, and nothing else.
func TestPlain(t *testing.T) {
	seen := map[bool]int{}
	for _, file := range goldens(t) {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := newMesh()
		m.set(parseRows(t, archive.Files[0].Data))
		for _, v := range m.views() {
			for r := range v.All(model.TypeCluster) {
				d, ok := m.destinations.Get(r.Name)
				if !ok || d.Port.Protocol == model.TLS {
					continue
				}
				c := decode(t, r).(*clusterv3.Cluster)
				want := c.TransportSocket == nil || len(c.TransportSocketMatches) > 0
				if got, named := m.Plain([]string{r.Name})[r.Name]; !named || got != want {
					t.Errorf("%s: %s: plain %v, want %v", file, r.Name, got, want)
				}
				seen[want]++
			}
		}
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("clusters by whether they are plain: %v, want some of both", seen)
	}
}
