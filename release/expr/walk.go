package expr

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A field may say by its tag expr what its text is. Without one it is text with ${...}.
const (
	tagBool  = "bool"  // an expression that says yes or no; Expand leaves it
	tagLater = "later" // text whose values are not there yet; Expand leaves it
)

// Expand gives a copy of config in which each ${...} of each string is replaced.
// What gives no text is written as JSON; where anything may be (an any, as config
// itself is), a string that is one expression becomes the value that it gives.
// Fields with the tag expr, keys of maps and bytes are left as they are.
func (e *Evaluator) Expand(config any, env map[string]any) (any, error) {
	if config == nil {
		return nil, nil
	}
	w := &expander{e: e, env: env, left: budget{work: maxTotal, bytes: maxSum}}
	// config is put where anything may be.
	out, err := w.copy(reflect.ValueOf(&config).Elem())
	if err != nil {
		return nil, err
	}
	return out.Interface(), nil
}

type expander struct {
	e    *Evaluator
	env  map[string]any
	left budget
}

func (w *expander) copy(v reflect.Value) (reflect.Value, error) {
	switch v.Kind() {
	case reflect.String:
		text, err := w.e.text(v.String(), w.env, &w.left)
		return reflect.ValueOf(text).Convert(v.Type()), err
	case reflect.Interface:
		return w.any(v)
	case reflect.Pointer:
		return w.pointer(v)
	case reflect.Struct:
		return w.fields(v)
	case reflect.Slice:
		return w.items(v)
	case reflect.Map:
		return w.values(v)
	}
	return v, nil
}

func (w *expander) any(v reflect.Value) (reflect.Value, error) {
	if v.IsNil() {
		return v, nil
	}
	out := reflect.New(v.Type()).Elem()
	if text, ok := v.Interface().(string); ok {
		value, err := w.e.value(text, w.env, &w.left)
		if err == nil && value != nil {
			out.Set(reflect.ValueOf(value))
		}
		return out, err
	}
	inner, err := w.copy(v.Elem())
	if err == nil {
		out.Set(inner)
	}
	return out, err
}

func (w *expander) pointer(v reflect.Value) (reflect.Value, error) {
	if v.IsNil() {
		return v, nil
	}
	inner, err := w.copy(v.Elem())
	if err != nil {
		return v, err
	}
	out := reflect.New(v.Type().Elem())
	out.Elem().Set(inner)
	return out, nil
}

func (w *expander) fields(v reflect.Value) (reflect.Value, error) {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Tag.Get("expr") != "" {
			continue
		}
		field, err := w.copy(v.Field(i))
		if err != nil {
			return v, fmt.Errorf("%s: %w", jsonName(f), err)
		}
		out.Field(i).Set(field)
	}
	return out, nil
}

func (w *expander) items(v reflect.Value) (reflect.Value, error) {
	if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 {
		return v, nil
	}
	out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	for i := range v.Len() {
		item, err := w.copy(v.Index(i))
		if err != nil {
			return v, fmt.Errorf("[%d]: %w", i, err)
		}
		out.Index(i).Set(item)
	}
	return out, nil
}

func (w *expander) values(v reflect.Value) (reflect.Value, error) {
	if v.IsNil() {
		return v, nil
	}
	out := reflect.MakeMapWithSize(v.Type(), v.Len())
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		value, err := w.copy(v.MapIndex(key))
		if err != nil {
			return v, fmt.Errorf("%v: %w", key, err)
		}
		out.SetMapIndex(key, value)
	}
	return out, nil
}

// CheckAll is Check for all expressions of config, by the path of the field they are in: headers[0].value.
func (e *Evaluator) CheckAll(config any) map[string]error {
	found := map[string]error{}
	e.checkAll(reflect.ValueOf(config), "", "", found)
	return found
}

func (e *Evaluator) checkAll(v reflect.Value, path, tag string, found map[string]error) {
	switch v.Kind() {
	case reflect.String:
		if err := e.checkTagged(v.String(), tag); err != nil {
			found[path] = err
		}
	case reflect.Interface, reflect.Pointer:
		e.checkAll(v.Elem(), path, tag, found)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				e.checkAll(v.Field(i), strings.TrimPrefix(path+"."+jsonName(f), "."), f.Tag.Get("expr"), found)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			e.checkAll(v.Index(i), fmt.Sprintf("%s[%d]", path, i), tag, found)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			e.checkAll(v.MapIndex(key), fmt.Sprintf("%s[%v]", path, key), tag, found)
		}
	}
}

func (e *Evaluator) checkTagged(text, tag string) error {
	switch {
	case tag != tagBool:
		return e.checkText(text)
	case text == "":
		return nil
	}
	return e.Check(text, wantBool)
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
