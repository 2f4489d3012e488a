package metrics

import (
	"fmt"
	"slices"
	"testing"

	"weft.dev/model"
)

func TestVerdicts(t *testing.T) {
	v := NewVerdicts()
	of := End{Namespace: "shop", App: "api", Version: "v1"}
	for range 2 {
		v.Record(of, []model.Verdict{
			{Rule: "shop/trial#1", Refused: true, Requests: 3}, {Rule: "istio-system/all#0", Requests: 1}, {Refused: true, Requests: 2},
			{Rule: "other/trial#0", Requests: 9}, {Rule: "nonsense", Requests: 9},
		})
	}
	var got []string
	v.Figures(func(f Figure) { got = append(got, fmt.Sprintln(f.Labels, f.Value)) })
	slices.Sort(got)
	want := []string{"[shop api    refused] 4\n", "[shop api istio-system all 0 allowed] 2\n", "[shop api shop trial 1 refused] 6\n"}
	if !slices.Equal(got, want) {
		t.Errorf("figures %q, want %q", got, want)
	}
}
