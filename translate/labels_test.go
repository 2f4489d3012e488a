package translate

import (
	"fmt"
	"maps"
	"reflect"
	"testing"

	"weft.dev/model"
	"weft.dev/translate/join"
)

func TestEqualLabelsAreOneMap(t *testing.T) {
	var s labelSets
	same := func(a, b map[string]string) bool {
		return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
	}
	first := s.one(map[string]string{"app": "a", "v": "1"})
	if !same(first, s.one(map[string]string{"v": "1", "app": "a"})) {
		t.Error("equal labels are two maps")
	}
	// The text of both is the same.
	tricky := map[string]string{"app": "a,v=1"}
	if got := s.one(tricky); !same(got, tricky) {
		t.Errorf("%v became %v", tricky, got)
	}
	var part join.Part
	join.Say(&part, model.Workload{Labels: maps.Clone(first)})
	join.Say(&part, model.Address{Labels: maps.Clone(first)})
	join.Say(&part, model.Service{Addresses: []model.Address{{}, {Labels: maps.Clone(first)}}})
	s.of(part)
	for i, got := range []map[string]string{
		join.Of[model.Workload](part)[0].Labels, join.Of[model.Address](part)[0].Labels,
		join.Of[model.Service](part)[0].Addresses[1].Labels,
	} {
		if !same(s.known["app=a,v=1,"], got) {
			t.Errorf("labels %d of a part are its own", i)
		}
	}
	for i := range 2 * maxLabelSets {
		s.one(map[string]string{"app": fmt.Sprint(i)})
	}
	if len(s.known) > maxLabelSets {
		t.Errorf("%d sets are remembered, more than %d", len(s.known), maxLabelSets)
	}
}
