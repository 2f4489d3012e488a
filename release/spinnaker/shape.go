package spinnaker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// object is a JSON object as it came: numbers are json.Number.
type object = map[string]any

func parse(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("not JSON: %w; of Jsonnet and templates take what they render", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value: put them into one list")
	}
	return value, nil
}

// encode is JSON as it came: without HTML's escapes, keys sorted.
func encode(value any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // what was decoded can be encoded
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// text is a string, or a number as it is written; empty: neither.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// truth is a bool, also as text; otherwise is for what is absent.
func truth(value any, otherwise bool) bool {
	switch v := value.(type) {
	case bool:
		return v
	case string:
		return strings.EqualFold(v, "true")
	}
	return otherwise
}

// objects are those of a list that are objects.
func objects(value any) []object {
	list, _ := value.([]any)
	var out []object
	for _, element := range list {
		if o, ok := element.(object); ok {
			out = append(out, o)
		}
	}
	return out
}

// texts are those of a list that are text or numbers.
func texts(value any) []string {
	list, _ := value.([]any)
	var out []string
	for _, element := range list {
		if s := text(element); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// empty says whether a value says nothing: null, "", [], {}, false.
func empty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case []any:
		return len(v) == 0
	case object:
		return len(v) == 0
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func without(o object, keys ...string) object {
	out := maps.Clone(o)
	for _, key := range keys {
		delete(out, key)
	}
	return out
}
