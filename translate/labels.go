package translate

import (
	"maps"

	"weft.dev/model"
	"weft.dev/translate/join"
)

// maxLabelSets bounds how many sets of labels are remembered. Beyond it all are
// forgotten: equal ones are then held twice, and nothing else happens.
const maxLabelSets = 1 << 14

// labelSets lets equal sets of labels be one map. The labels of an application's
// endpoints mostly are equal, and a map is larger than all else of an endpoint.
type labelSets struct {
	known map[string]map[string]string
}

// of shares the labels of all endpoints of a part.
func (s *labelSets) of(p join.Part) {
	workloads, entries := join.Of[model.Workload](p), join.Of[model.Address](p)
	for i := range workloads {
		workloads[i].Labels = s.one(workloads[i].Labels)
	}
	for i := range entries {
		entries[i].Labels = s.one(entries[i].Labels)
	}
	for _, service := range join.Of[model.Service](p) {
		for i := range service.Addresses {
			service.Addresses[i].Labels = s.one(service.Addresses[i].Labels)
		}
	}
}

// one gives the map that is remembered of those that equal it.
func (s *labelSets) one(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return labels
	}
	var text []byte
	for _, key := range model.SortedKeys(labels) {
		text = append(append(append(append(text, key...), '='), labels[key]...), ',')
	}
	if have, ok := s.known[string(text)]; ok && maps.Equal(have, labels) { // a label may have any sign in it
		return have
	}
	if s.known == nil || len(s.known) >= maxLabelSets {
		s.known = map[string]map[string]string{}
	}
	s.known[string(text)] = labels
	return labels
}
