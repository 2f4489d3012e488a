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
	// Is is what was not there then, and can be deleted; nil: it is no such thing.
	Is *Object `json:"-"`
}

// Back is what an undo is asked to put back, besides traffic and instances.
type Back struct {
	Routes, Config bool
	Prune          bool // routes that were not there then are deleted
}

// Has reports whether a part is put back.
func (b Back) Has(part Part) bool { return b.Routes && part == Routes || b.Config && part == Config }

// Becomes says what an undo does about a change.
func (b Back) Becomes(c Change) string {
	switch {
	case c.Part == Access:
		return "stays: an undo changes nobody's access"
	case c.Is != nil && b.Prune:
		return "deleted"
	case c.Is != nil:
		return "stays; --prune deletes it"
	case c.Was == nil:
		return "stays"
	case b.Has(c.Part):
		return "put back"
	}
	return fmt.Sprintf("stays; --%s puts it back", c.Part)
}

// maxLines of a change are told.
const maxLines = 20

// Changes are the objects that differ, in the order of their names. Of a kind that was or is not read nobody knows.
func Changes(was, is []Object) []Change {
	type key struct{ kind, name string }
	before, now, unread := map[key]Object{}, map[key]Object{}, map[string]bool{}
	file := func(all []Object, by map[key]Object) {
		for _, o := range all {
			by[key{o.Kind, o.Name}] = o
			unread[o.Kind] = unread[o.Kind] || o.Name == ""
		}
	}
	file(was, before)
	file(is, now)
	var all []Change
	for k, o := range before {
		current, there := now[k]
		if unread[k.kind] || there && (current.Hash == o.Hash || current.Hash == "" || o.Hash == "") {
			continue
		}
		c := Change{Part: part(o.Kind), Kind: o.Kind, Name: o.Name, Text: differences(o, current, there)}
		if o.Content != nil && c.Part != Access {
			c.Was = &o
		}
		all = append(all, c)
	}
	for k, o := range now {
		if _, there := before[k]; !there && !unread[k.kind] {
			all = append(all, added(o))
		}
	}
	slices.SortFunc(all, func(a, b Change) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return all
}

// added is an object that no record has. Older records have no Services and no policies, so of those nothing more is said.
func added(o Object) Change {
	c := Change{Part: part(o.Kind), Kind: o.Kind, Name: o.Name, Text: []string{"was not there then"}}
	switch {
	case c.Part == Access || o.Kind == "Service":
		c.Text[0] = "is not in the record of then"
	case o.Alone:
		c.Is = &o
	case c.Part == Routes:
		c.Text[0] += "; it is about more than this application, or somebody else's: delete it by hand"
	}
	return c
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
