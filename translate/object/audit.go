package object

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"weft.dev/model"
)

// Honoured are the fields that a translator acts upon, separated by spaces, by
// the name of their Go type. The names are those of the text. An entry
// "Type.field" says of a field that is not honoured what follows and what to do.
type Honoured map[string]string

// Audit walks everything that is set in a spec. What is not honoured is
// reported with its path, so that no field is ignored in silence, one of a
// newer API included. It returns false if the spec is out of all bounds: then
// it must have no effect at all.
func (o *Object) Audit(spec any, honoured Honoured) bool {
	a := audit{o: o, honoured: honoured, sound: true, first: map[string]int{}, again: map[string]bool{}}
	a.value(Spec, reflect.ValueOf(spec))
	for field := range a.again {
		// Not how often: one more endpoint with the same field is no news.
		o.problems[a.first[field]].Message += " (here and in other places)"
	}
	return a.sound
}

type audit struct {
	o        *Object
	honoured Honoured
	sound    bool
	first    map[string]int  // field that is not honoured -> its problem: one for all of its places
	again    map[string]bool // fields of first that are set in other places too
}

func (a *audit) refuse(at Path, format string, args ...any) {
	a.sound = false
	a.o.Invalid(at, format+"; the object has no effect until this is corrected", args...)
}

func (a *audit) value(at Path, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			a.value(at, v.Elem())
		}
	case reflect.Struct:
		if ours(v.Type()) {
			a.fields(at, v)
		}
	case reflect.Slice:
		a.list(at, v)
	case reflect.Map:
		a.entries(at, v)
	case reflect.String:
		a.text(at, v.String())
	case reflect.Int32:
		a.enum(at, v)
	}
}

// ours says whether the fields of a type are part of the API, and not those of
// a value such as a duration.
func ours(t reflect.Type) bool {
	return slices.ContainsFunc([]string{"istio.io/api/", "sigs.k8s.io/gateway-api/", "weft.dev/api/"}, func(prefix string) bool {
		return strings.HasPrefix(t.PkgPath(), prefix)
	})
}

func (a *audit) fields(at Path, v reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		value := v.Field(i)
		if value.IsZero() {
			continue // the most frequent case by far
		}
		field := t.Field(i)
		switch {
		case !field.IsExported():
		case field.Anonymous:
			a.fields(at, value)
		case field.Tag.Get("protobuf_oneof") != "":
			// The value points to a struct of one field, which has the name.
			if choice := value.Elem(); !choice.IsNil() {
				a.field(at, t, choice.Elem().Type().Field(0), choice.Elem().Field(0))
			}
		default:
			a.field(at, t, field, value)
		}
	}
}

func (a *audit) field(at Path, of reflect.Type, field reflect.StructField, value reflect.Value) {
	name := nameOf(field)
	at = at.Dot(name)
	if !honours(a.honoured[of.Name()], name) {
		a.unhonoured(at, of.Name()+"."+name, name)
		return
	}
	a.value(at, value)
}

func honours(words, name string) bool {
	for word := range strings.FieldsSeq(words) {
		if word == name {
			return true
		}
	}
	return false
}

// unhonoured reports a field at the first place where it is set: a list of a
// thousand endpoints is one mistake, not a thousand.
func (a *audit) unhonoured(at Path, field, name string) {
	if _, reported := a.first[field]; reported {
		a.again[field] = true
		return
	}
	what, ok := a.honoured[field]
	if !ok {
		what = "so it has no effect; remove it"
	}
	before := len(a.o.problems)
	if a.o.NotHonoured(at, "weft does not honour %s, %s", name, what); len(a.o.problems) > before {
		a.first[field] = before
	}
}

// nameOf is the name of a field in text.
func nameOf(field reflect.StructField) string {
	for part := range strings.SplitSeq(field.Tag.Get("protobuf"), ",") {
		if name, ok := strings.CutPrefix(part, "json="); ok {
			return name
		}
	}
	if tag := field.Tag.Get("protobuf"); tag != "" {
		_, rest, _ := strings.Cut(tag, "name=")
		name, _, _ := strings.Cut(rest, ",")
		return name
	}
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

func (a *audit) list(at Path, v reflect.Value) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		if v.Len() > MaxBody {
			a.refuse(at, "has %d bytes, more than %d", v.Len(), MaxBody)
		}
		return
	}
	if v.Len() > MaxList {
		a.refuse(at, "has %d entries, more than %d; split it over several objects", v.Len(), MaxList)
		return
	}
	for i := range v.Len() {
		a.value(at.At(i), v.Index(i))
	}
}

func (a *audit) entries(at Path, v reflect.Value) {
	if v.Len() > MaxList {
		a.refuse(at, "has %d entries, more than %d", v.Len(), MaxList)
		return
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(text(x), text(y)) })
	for _, key := range keys {
		entry := at.Entry(abbreviate(text(key)))
		a.value(entry, key)
		a.value(entry, v.MapIndex(key))
	}
}

// text is what a key of a map reads as.
func text(key reflect.Value) string {
	if key.Kind() == reflect.String {
		return key.String()
	}
	return fmt.Sprint(key)
}

func (a *audit) text(at Path, s string) {
	limit := MaxString
	if strings.HasSuffix(string(at), ".body.string") || strings.HasSuffix(string(at), ".jwks") {
		limit = MaxBody
	}
	switch {
	case len(s) > limit:
		a.refuse(at, "has %d bytes, more than %d", len(s), limit)
	case !utf8.ValidString(s):
		a.refuse(at, "is not UTF-8 text")
	case limit == MaxString && strings.ContainsFunc(s, unicode.IsControl):
		a.refuse(at, "has a control character (such as a line break)")
	}
}

// enum reports a number that stands for no word of the API.
func (a *audit) enum(at Path, v reflect.Value) {
	word, ok := v.Interface().(fmt.Stringer)
	if ok && word.String() == fmt.Sprint(v.Int()) {
		a.o.Report(model.ProblemNotHonoured, at, "weft does not know the value %d, so it has no effect", v.Int())
	}
}

// abbreviate keeps a word that a person wrote short enough for a message.
func abbreviate(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
