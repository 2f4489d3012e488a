package pipeline

import (
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
)

func TestCheck(t *testing.T) {
	good := []v1alpha1.Stage{stage("a check ok"), stage("b judgment", "a"), stage("c wait 1m", "a", "b")}
	for name, c := range map[string]struct {
		change func(*v1alpha1.PipelineSpec)
		want   string // of all problems: CODE PATH
	}{
		"good":       {func(*v1alpha1.PipelineSpec) {}, ""},
		"two names":  {func(d *v1alpha1.PipelineSpec) { d.Stages[1].Name = "a" }, "Invalid spec.stages[1].name Invalid spec.stages[2].after[1]"},
		"cycle":      {func(d *v1alpha1.PipelineSpec) { d.Stages[0].After = []string{"b"} }, "Invalid spec.stages"},
		"itself":     {func(d *v1alpha1.PipelineSpec) { d.Stages[2].After = []string{"c"} }, "Invalid spec.stages"},
		"after none": {func(d *v1alpha1.PipelineSpec) { d.Stages[2].After = []string{"a", "x"} }, "Invalid spec.stages[2].after[1]"},
		"no code": {func(d *v1alpha1.PipelineSpec) {
			d.Stages[0] = v1alpha1.Stage{Name: "a", Analysis: &v1alpha1.AnalysisStage{}}
		}, "UnknownKind spec.stages[0]"},
		"when":    {func(d *v1alpha1.PipelineSpec) { d.Stages[0].When = "(" }, "Invalid spec.stages[0].when"},
		"text":    {func(d *v1alpha1.PipelineSpec) { d.Stages[2].Wait = &v1alpha1.WaitStage{For: "${"} }, "Invalid spec.stages[2].wait.for"},
		"timeout": {func(d *v1alpha1.PipelineSpec) { d.Stages[0].Timeout = &metav1.Duration{} }, "Invalid spec.stages[0].timeout"},
		"long":    {func(d *v1alpha1.PipelineSpec) { d.Description = strings.Repeat("x", 256<<10) }, "Invalid spec"},
		"parameters": {func(d *v1alpha1.PipelineSpec) {
			d.Parameters = []v1alpha1.Parameter{{Name: "p", Default: "3", Options: []string{"1"}}, {Name: "p"}}
		}, "Invalid spec.parameters[0].default Invalid spec.parameters[1].name"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &v1alpha1.PipelineSpec{Stages: append([]v1alpha1.Stage(nil), good...)}
			c.change(d)
			var got []string
			for _, p := range Check(d, fakes()) {
				got = append(got, p.Code+" "+p.Path)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%q", got)
			}
		})
	}
}

// A kind that KindOf does not know could never run.
func TestEveryKindIsKnown(t *testing.T) {
	kinds := reflect.TypeFor[v1alpha1.Stage]()
	for i := range kinds.NumField() {
		f := kinds.Field(i)
		if f.Type.Kind() != reflect.Pointer || f.Name == "Timeout" {
			continue
		}
		var s v1alpha1.Stage
		value := reflect.New(f.Type.Elem())
		reflect.ValueOf(&s).Elem().Field(i).Set(value)
		want, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if kind, config := KindOf(&s); kind != want || config != value.Interface() {
			t.Errorf("%s: %q %T", f.Name, kind, config)
		}
	}
}
