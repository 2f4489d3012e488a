package abuse

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weft.dev/test/process"
)

// route is a VirtualService whose path must match a regex.
func route(name, regex string) *unstructured.Unstructured {
	return object("VirtualService", name, map[string]any{
		"hosts": []any{name + ".test"},
		"http": []any{map[string]any{
			"match": []any{map[string]any{"uri": map[string]any{"regex": regex}}},
			"route": []any{map[string]any{"destination": map[string]any{"host": "honest"}}},
		}},
	})
}

func hugeRegex(t *testing.T, f *fixture) {
	f.bounded(t, func() {
		refused(t, f.apply(t.Context(), virtualServices, route("regex", strings.Repeat("a", 1<<20))), "too large: limit is 1048576")
		must(t, f.apply(t.Context(), virtualServices, route("regex", strings.Repeat("(a|b)*", 1_000_000/6))))
		must(t, process.Until(patience, func() error {
			return f.problem("regex", "spec.http[0].match[0].uri.regex", "more than 4096")
		}))
	})
}

// problem fails unless a VirtualService has a problem at a path with a word in it.
func (f *fixture) problem(name, path, word string) error {
	var all []struct{ Kind, Name, Path, Message string }
	if err := f.server.Ask(&all, "get", "problems", "-o", "json"); err != nil {
		return err
	}
	for _, p := range all {
		if p.Kind == "VirtualService" && p.Name == name && p.Path == path && strings.Contains(p.Message, word) && len(p.Message) < 1000 {
			return nil
		}
	}
	return fmt.Errorf("no short problem of %s at %s that says %q, only %.1000v", name, path, word, all)
}

func hugeObject(t *testing.T, f *fixture) {
	f.bounded(t, func() {
		_, err := f.objects.Resource(virtualServices).Namespace(namespace).
			Create(t.Context(), route("huge", strings.Repeat("a", 2<<20)), metav1.CreateOptions{})
		refused(t, err, "too large")
		_, err = f.objects.Resource(virtualServices).Namespace(namespace).
			Create(t.Context(), route("huger", strings.Repeat("a", huge)), metav1.CreateOptions{})
		refused(t, err, "too large")
	})
}

// unknownFields wants what kubectl gets by default.
func unknownFields(t *testing.T, f *fixture) {
	wrong := route("unknown", "/.*")
	must(t, unstructured.SetNestedField(wrong.Object, "5s", "spec", "timeuot"))
	_, err := f.objects.Resource(virtualServices).Namespace(namespace).
		Create(t.Context(), wrong, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	refused(t, err, `unknown field "spec.timeuot"`)
	must(t, unstructured.SetNestedField(wrong.Object, "reviews", "spec", "hosts"))
	_, err = f.objects.Resource(virtualServices).Namespace(namespace).Create(t.Context(), wrong, metav1.CreateOptions{})
	refused(t, err, "spec.hosts", "must be of type array")
}
