package store

import (
	"maps"
	"slices"
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
	Passing         []string             // types of conditions that go where Conditions does not have them
	Fields          map[string]any       // of the status, as JSON has them
	Lists           map[string][]Element // fields of the status that are lists; an empty one is left out
	Parents         []ParentStatement
	Ancestors       []AncestorStatement
}

// AncestorStatement is about a policy at one gateway of weft's.
type AncestorStatement struct {
	Namespace, Name string
	Conditions      []metav1.Condition
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
	if err := s.pass(status); err != nil {
		return err
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
	if err := s.ancestors(status, now); err != nil {
		return err
	}
	return s.parents(object, status, now)
}

// pass takes away the conditions that hold no more.
func (s Statement) pass(status map[string]any) error {
	list, _, err := unstructured.NestedSlice(status, "conditions")
	if err != nil || len(list) == 0 {
		return err
	}
	status["conditions"] = slices.DeleteFunc(list, func(c any) bool {
		fields, _ := c.(map[string]any)
		name, _ := fields["type"].(string)
		return slices.Contains(s.Passing, name) && !slices.ContainsFunc(s.Conditions, func(c metav1.Condition) bool { return c.Type == name })
	})
	return nil
}

func (s Statement) conditions(holder map[string]any, all []metav1.Condition, now time.Time) error {
	for _, c := range all {
		c.ObservedGeneration, c.LastTransitionTime = s.Generation, metav1.NewTime(now.Truncate(time.Second))
		if err := SetCondition(holder, c); err != nil {
			return err
		}
	}
	return s.confirm(holder)
}

// confirm says that what was right of an earlier generation is of this one, too: who has no problem is not reported anew.
func (s Statement) confirm(holder map[string]any) error {
	list, _, err := unstructured.NestedSlice(holder, "conditions")
	if err != nil || s.Generation == 0 {
		return err
	}
	for _, each := range list {
		if c, ok := each.(map[string]any); ok && c["type"] == Honoured && c["status"] == string(metav1.ConditionTrue) {
			c["observedGeneration"] = s.Generation
			holder["conditions"] = list
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

// maxAncestors is how many entries such a status may have, those of others among them.
const maxAncestors = 16

// ancestors makes the entries of weft's gateways, and of no others. What is wrong with a policy may be in an entry for
// its target, which stays.
func (s Statement) ancestors(status map[string]any, now time.Time) error {
	if info, _ := s.Kind.Info(); info.Status != api.AncestorStatus {
		return nil
	}
	before, _, err := unstructured.NestedSlice(status, "ancestors")
	if err != nil {
		return err
	}
	gateways, _ := api.Gateway.Info()
	after := []any{}
	for _, e := range before {
		entry, _ := e.(map[string]any)
		if ref, _ := entry["ancestorRef"].(map[string]any); entry["controllerName"] != Controller || ref["kind"] != string(api.Gateway) {
			after = append(after, e)
		}
	}
	for _, a := range s.Ancestors[:min(len(s.Ancestors), max(0, maxAncestors-len(after)))] {
		ref := map[string]any{"group": gateways.Version.Group, "kind": string(api.Gateway), "namespace": a.Namespace, "name": a.Name}
		entry := map[string]any{"ancestorRef": ref, "controllerName": Controller}
		for _, e := range before {
			if isEntry(e, "ancestorRef", ref) {
				entry = e.(map[string]any)
			}
		}
		if err := s.conditions(entry, a.Conditions, now); err != nil {
			return err
		}
		after = append(after, entry)
	}
	if len(before)+len(after) > 0 {
		status["ancestors"] = after
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
