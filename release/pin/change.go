package pin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Change is an object that is not as it was.
type Change struct {
	Part Part   `json:"part"`
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Text is what changed, a line for each field.
	Text []string `json:"text"`
	// Was is how it can be put back; nil: it cannot be, as Text says.
	Was *Object `json:"-"`
}

// maxLines of a change are told.
const maxLines = 20

// Changes are the objects that differ, in the order of their names. Those that were not there before stay: somebody may need
// them for something else.
func Changes(was, is []Object) []Change {
	type key struct{ kind, name string }
	before, now := map[key]Object{}, map[key]Object{}
	for _, o := range was {
		before[key{o.Kind, o.Name}] = o
	}
	for _, o := range is {
		now[key{o.Kind, o.Name}] = o
	}
	var all []Change
	for _, o := range was {
		current, there := now[key{o.Kind, o.Name}]
		if there && (current.Hash == o.Hash || current.Hash == "" || o.Hash == "") {
			continue
		}
		c := Change{Part: part(o.Kind), Kind: o.Kind, Name: o.Name, Text: differences(o, current, there)}
		if o.Content != nil {
			c.Was = &o
		}
		all = append(all, c)
	}
	for _, o := range is {
		if _, there := before[key{o.Kind, o.Name}]; !there {
			all = append(all, Change{Part: part(o.Kind), Kind: o.Kind, Name: o.Name, Text: []string{"was not there then, and stays: delete it by hand"}})
		}
	}
	slices.SortFunc(all, func(a, b Change) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return all
}

// differences says what is not as it was.
func differences(was, is Object, there bool) []string {
	switch {
	case was.Content == nil && !there:
		return []string{"was deleted since; what was in it is not kept"}
	case was.Content == nil:
		return []string{"was written since; what was in it is not kept"}
	case !there:
		return []string{"was deleted since"}
	}
	before, now := map[string]string{}, map[string]string{}
	flatten("", was.Content, before)
	flatten("", is.Content, now)
	var lines []string
	for _, path := range slices.Sorted(maps.Keys(merged(before, now))) {
		if before[path] != now[path] {
			lines = append(lines, fmt.Sprintf("%s: %s, was %s", path, cmp.Or(now[path], "nothing"), cmp.Or(before[path], "nothing")))
		}
	}
	if more := len(lines) - maxLines; more > 0 {
		lines = append(lines[:maxLines], fmt.Sprintf("and %d more", more))
	}
	return lines
}

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// flatten puts each value of a tree at its path, such as spec.http[0].timeout.
func flatten(path string, tree any, into map[string]string) {
	switch tree := tree.(type) {
	case map[string]any:
		for field, value := range tree {
			below := field
			if path != "" {
				below = path + "." + field
			}
			flatten(below, value, into)
		}
	case []any:
		for i, value := range tree {
			flatten(path+"["+strconv.Itoa(i)+"]", value, into)
		}
	default:
		data, _ := json.Marshal(tree) // it came as JSON
		into[path] = shorten(string(data))
	}
}

// maxValue of a value is told, in bytes.
const maxValue = 120

// shorten keeps what differs after that visible by a hash.
func shorten(value string) string {
	if len(value) <= maxValue {
		return value
	}
	return fmt.Sprintf("%q... (%s)", value[:maxValue], hash(value))
}
