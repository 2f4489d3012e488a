package main

import (
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/store"
	"weft.dev/translate/join"
)

// writeStatuses keeps what the Gateway API wants to be said in the statuses of its objects.
func writeStatuses(all *flow.Collection[join.Status], to *store.StatusWriter) {
	all.Observe(func(_ flow.Revision, changes []flow.Change[join.Status]) {
		for _, change := range changes {
			if change.New != nil {
				to.State(statement(*change.New))
			} else {
				to.State(statement(join.Status{Object: change.Old.Object}))
			}
		}
	})
}

func statement(s join.Status) store.Statement {
	out := store.Statement{
		Kind: api.Kind(s.Object.Kind), Namespace: s.Object.Namespace, Name: s.Object.Name,
		Generation: s.Generation, Conditions: s.Conditions, Passing: s.Passing,
	}
	for _, p := range s.Parents {
		out.Parents = append(out.Parents, store.ParentStatement{Index: p.Index, Conditions: p.Conditions})
	}
	for _, a := range s.Ancestors {
		out.Ancestors = append(out.Ancestors, store.AncestorStatement{Namespace: a.Gateway.Namespace, Name: a.Gateway.Name, Conditions: a.Conditions})
	}
	switch out.Kind {
	case api.Gateway:
		out.Lists, out.Fields = map[string][]store.Element{"addresses": nil, "listeners": nil}, map[string]any{"attachedListenerSets": int64(s.Sets)}
	case api.ListenerSet:
		out.Lists = map[string][]store.Element{"listeners": nil}
	}
	for _, a := range s.Addresses {
		out.Lists["addresses"] = append(out.Lists["addresses"], store.Element{Fields: fields(a)})
	}
	for _, l := range s.Listeners {
		e := store.Element{Conditions: l.Conditions}
		l.Conditions = nil
		e.Fields = fields(l)
		delete(e.Fields, "conditions")
		out.Lists["listeners"] = append(out.Lists["listeners"], e)
	}
	return out
}

// fields are those of a value, as objects have them.
func fields[T any](v T) map[string]any {
	all, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v)
	if err != nil {
		panic("weft: " + err.Error()) // types of the Gateway API are JSON
	}
	return all
}
