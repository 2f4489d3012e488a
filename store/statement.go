package store

import (
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api"
)

// Statement is what the Gateway API wants a status to say. Conditions come
// without generation and time.
type Statement struct {
	Kind            api.Kind
	Namespace, Name string
	Generation      int64 // of the object that was looked at; 0: any
	Conditions      []metav1.Condition
	Fields          map[string]any       // of the status, as JSON has them
	Lists           map[string][]Element // fields of the status that are lists; an empty one is left out
	Parents         []ParentStatement
}

// Element of a list. With conditions it has a name, too.
type Element struct {
	Fields     map[string]any
	Conditions []metav1.Condition
}

// ParentStatement is about one parent of a route.
type ParentStatement struct {
	Index      int // in spec.parentRefs
	Conditions []metav1.Condition
}

// State says what the status of an object says. It takes the place of what was
// stated before and does not wait for the store.
func (w *StatusWriter) State(s Statement) {
	w.want(reportKey{s.Kind, s.Namespace, s.Name, "statement"}, s.into)
}

// into leaves an object alone that has changed since: what is to be said of it comes.
func (s Statement) into(object, status map[string]any, now time.Time) error {
	if generation, _, _ := unstructured.NestedInt64(object, "metadata", "generation"); s.Generation != 0 && generation != s.Generation {
		return nil
	}
	if err := s.conditions(status, s.Conditions, now); err != nil {
		return err
	}
	maps.Copy(status, s.Fields)
	for field, elements := range s.Lists {
		if err := s.list(status, field, elements, now); err != nil {
			return err
		}
	}
	return s.parents(object, status, now)
}

func (s Statement) conditions(holder map[string]any, all []metav1.Condition, now time.Time) error {
	for _, c := range all {
		c.ObservedGeneration, c.LastTransitionTime = s.Generation, metav1.NewTime(now.Truncate(time.Second))
		if err := SetCondition(holder, c); err != nil {
			return err
		}
	}
	return nil
}

// list replaces a list. Elements that were there keep their conditions' times.
func (s Statement) list(status map[string]any, field string, elements []Element, now time.Time) error {
	before, _, err := unstructured.NestedSlice(status, field)
	if err != nil {
		return err
	}
	var after []any
	for _, e := range elements {
		element := runtime.DeepCopyJSON(e.Fields)
		if old := named(before, element["name"]); len(e.Conditions) > 0 && old != nil && old["conditions"] != nil {
			element["conditions"] = old["conditions"]
		}
		if err := s.conditions(element, e.Conditions, now); err != nil {
			return err
		}
		after = append(after, element)
	}
	if len(after) == 0 {
		delete(status, field)
	} else {
		status[field] = after
	}
	return nil
}

func named(all []any, name any) map[string]any {
	for _, e := range all {
		if element, ok := e.(map[string]any); ok && element["name"] == name {
			return element
		}
	}
	return nil
}

// parents makes the entries of the parents that are weft's, and of no others.
func (s Statement) parents(object, status map[string]any, now time.Time) error {
	if info, _ := s.Kind.Info(); info.Status != api.ParentStatus {
		return nil
	}
	refs, _, err := unstructured.NestedSlice(object, "spec", "parentRefs")
	if err != nil {
		return err
	}
	before, _, err := unstructured.NestedSlice(status, "parents")
	if err != nil {
		return err
	}
	after := []any{}
	for _, e := range before {
		if entry, ok := e.(map[string]any); ok && entry["controllerName"] != Controller {
			after = append(after, e)
		}
	}
	for _, p := range s.Parents {
		if p.Index >= len(refs) {
			continue
		}
		entry := map[string]any{"parentRef": refs[p.Index], "controllerName": Controller}
		for _, e := range before {
			if isEntry(e, "parentRef", refs[p.Index]) {
				entry = e.(map[string]any)
			}
		}
		if err := s.conditions(entry, p.Conditions, now); err != nil {
			return err
		}
		after = append(after, entry)
	}
	if len(before)+len(after) > 0 {
		status["parents"] = after
	}
	return nil
}
