package web

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
)

const written = `apiVersion: weft.dev/v1alpha1
kind: Pipeline
metadata:
  name: ship
  namespace: shop
spec:
  stages:
    # who writes that, keeps it
    - name: ask
      judgment: {roles: [qa]}
    - name: pause
      after: [ask]
      wait: {for: 2s} # long enough
`

// A form changes one field, with its type, and nothing else of the text, comments included.
func TestChangeText(t *testing.T) {
	for what, c := range map[string]struct {
		change TextChange
		old    string // that is replaced
		now    string // by this
		wrong  string
	}{
		"text":                                {change: TextChange{Stage: "ask", Field: "title", Value: "Sure?"}, old: "judgment: {roles: [qa]}\n", now: "judgment: {roles: [qa]}\n      title: Sure?\n"},
		"list":                                {change: TextChange{Stage: "ask", Field: "judgment.roles", Value: "qa\nops"}, old: "judgment: {roles: [qa]}", now: "judgment:\n        roles: [qa, ops]"},
		"truth":                               {change: TextChange{Stage: "ask", Field: "judgment.allowSelf", Value: "true"}, old: "judgment: {roles: [qa]}", now: "judgment:\n        roles: [qa]\n        allowSelf: true"},
		"several lines":                       {change: TextChange{Stage: "pause", Field: "title", Value: "a\nb"}, old: "# long enough\n", now: "# long enough\n      title: |-\n        a\n        b\n"},
		"a text that looks like another type": {change: TextChange{Stage: "pause", Field: "title", Value: "yes"}, old: "# long enough\n", now: "# long enough\n      title: \"yes\"\n"},
		"taken away":                          {change: TextChange{Stage: "ask", Field: "judgment.roles"}, old: "{roles: [qa]}", now: "{}"},
		"a new one":                           {change: TextChange{Stage: "last", Add: "check", After: []string{"pause"}}, old: "# long enough\n", now: "# long enough\n    - name: last\n      after: [pause]\n      check: {}\n"},
		"out":                                 {change: TextChange{Stage: "pause", Remove: true}, old: "    - name: pause\n      after: [ask]\n      wait: {for: 2s} # long enough\n"},
		"no such stage":                       {change: TextChange{Stage: "none", Field: "title", Value: "x"}, wrong: "there is no stage none"},
		"no such field":                       {change: TextChange{Stage: "ask", Field: "judgment.none", Value: "x"}, wrong: "no field judgment.none"},
		"not for forms":                       {change: TextChange{Stage: "ask", Field: "windows", Value: "x"}, wrong: "no field windows that a form can change"},
		"a name is taken":                     {change: TextChange{Stage: "pause", Add: "wait"}, wrong: "there is a stage pause already"},
	} {
		got, err := ChangeText(written, c.change)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: %v, want %s", what, err, c.wrong)
			}
			continue
		}
		if want := strings.Replace(written, c.old, c.now, 1); err != nil || got != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", what, err, got, want)
		}
	}
}

// What is stored is shown as people write it, and comes back the same; what servers keep in it stays theirs.
func TestPipelineText(t *testing.T) {
	stored := &v1alpha1.Pipeline{
		TypeMeta: metav1.TypeMeta{APIVersion: "weft.dev/v1alpha1", Kind: "Pipeline"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "ship", Namespace: "shop", UID: "u", ResourceVersion: "7", Finalizers: []string{"f"},
			Annotations: map[string]string{api.SourceAnnotation: "ship.yaml:1", api.LinesAnnotation: "{}", "team": "a"},
		},
		Spec: v1alpha1.PipelineSpec{Stages: []v1alpha1.Stage{{Name: "pause", Title: "A", Wait: &v1alpha1.WaitStage{For: "2s"}}}},
	}
	text, err := TextOf(stored)
	if err != nil || strings.Contains(text, "concurrency") || strings.Contains(text, "ship.yaml") || strings.Contains(text, "lines") || strings.Contains(text, "status") || !strings.Contains(text, "- name: pause\n      title: A\n      wait:\n        for: 2s\n") {
		t.Fatalf("%v\n%s", err, text)
	}
	o, err := PipelineOfText(strings.Replace(text, "2s", "3s", 1), stored, "6")
	if err != nil || o.Spec.Stages[0].Wait.For != "3s" || o.UID != "u" || len(o.Finalizers) != 1 || o.ResourceVersion != "6" || o.Annotations["team"] != "a" || o.Annotations[api.SourceAnnotation] != "" {
		t.Errorf("%v %+v", err, o)
	}
	for what, bad := range map[string]string{
		"another one":   strings.Replace(text, "name: ship", "name: other", 1),
		"unknown field": strings.Replace(text, "wait:", "wat:", 1),
		"no YAML":       "{",
	} {
		if o, err := PipelineOfText(bad, stored, "7"); err == nil {
			t.Errorf("%s: %+v", what, o)
		}
	}
}

// Forms have the fields and the help of the schema, what is needed first.
func TestStageFields(t *testing.T) {
	all := StageFields()
	if len(all) != len(telling)+1 {
		t.Errorf("%d kinds, want %d", len(all)-1, len(telling))
	}
	hook := all["webhook"]
	if hook[0].Name != "url" || !hook[0].Required || hook[len(hook)-1].Type != otherType {
		t.Errorf("%+v", hook)
	}
	types := map[string]string{}
	for _, f := range append(all["judgment"], all[""]...) {
		types[f.Name] = f.Type
		if f.Name == "instructions" && !f.Long || f.Name == "onFailure" && (len(f.Options) != 4 || !strings.Contains(f.Help, "failLater")) {
			t.Errorf("%+v", f)
		}
	}
	for name, want := range map[string]string{"instructions": textType, "roles": listType, "allowSelf": truthType, "onFailure": choiceType, "timeout": textType, "windows": otherType} {
		if types[name] != want {
			t.Errorf("%s is %q, want %q", name, types[name], want)
		}
	}
}

// A freeze that holds is before those that do not, or not yet.
func TestFreezes(t *testing.T) {
	at := func(name string, from, until int) v1alpha1.Freeze {
		begin, end := metav1.NewTime(noon.AddDate(0, 0, from)), metav1.NewTime(noon.AddDate(0, 0, until))
		return v1alpha1.Freeze{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.FreezeSpec{From: &begin, Until: &end, Namespaces: []string{"shop"}}}
	}
	mesh := Mesh{Freezes: func() []v1alpha1.Freeze {
		return []v1alpha1.Freeze{at("later", 1, 2), at("now", -1, 1), at("over", -2, -1)}
	}}
	got := freezes(mesh, noon)
	if len(got) != 3 || got[0].Name != "now" || !got[0].Holds || got[1].Holds || got[2].Holds || got[0].What != "namespace shop" {
		t.Errorf("%+v", got)
	}
}
