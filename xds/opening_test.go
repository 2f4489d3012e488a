package xds

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"weft.dev/model"
)

// What an opening sends, a layer's bytes at a time, is what it would be resource by resource,
// wherever it is cut.
func TestPartsOfLayersAreTheirResources(t *testing.T) {
	var layers []*model.Layer
	for i, size := range []int{10, runBytes, 100, lentBytes, 3 * lentBytes} { // copied, copied at once, lent
		name := fmt.Sprint("l", i)
		layers = append(layers, layer(name,
			res(cluster, name+"a", strings.Repeat("a", size/2)), res(cluster, name+"b", strings.Repeat("b", size/2)), res(cluster, name+"c", "c")))
	}
	v := &model.View{Layers: layers}
	all, _ := v.List(cluster)
	for from := range all {
		for to := from + 1; to <= len(all); to++ {
			r := &Response{Type: cluster, Nonce: "1", Resources: all[from:to]}
			want := deltaResponse{r}.encode().Materialize()
			r.parts = partsOf(v, cluster, from, to)
			if got := (deltaResponse{r}).encode().Materialize(); !bytes.Equal(got, want) {
				t.Fatalf("resources %d to %d: %d bytes, want %d, or others", from, to, len(got), len(want))
			}
		}
	}
}
