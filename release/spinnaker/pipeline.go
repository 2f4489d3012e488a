package spinnaker

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api/v1alpha1"
)

const (
	maxStages      = 200
	maxDescription = 1024
	maxLocked      = 512
	maxConcurrent  = 100
	maxChoices     = 100
)

// convert makes one pipeline.
func (in *importer) convert(s *source) *v1alpha1.Pipeline {
	p := &v1alpha1.Pipeline{ObjectMeta: metav1.ObjectMeta{Name: s.name}}
	p.APIVersion, p.Kind = apiVersion, "Pipeline"
	raw, template, found := s.raw, object(nil), true
	if isInstance(s.raw) {
		raw, template, found = in.expand(s.raw)
	}
	in.head(s, raw, &p.Spec)
	if !found {
		p.Spec.Stages = []v1alpha1.Stage{in.withoutTemplate(s)}
		p.Spec.Imported = remember(s.raw, p.Spec, nil)
		return p
	}
	names := in.parameters(s, raw, &p.Spec)
	stages := in.stages(s, raw)
	expressions := false
	for _, one := range stages {
		job := &job{stage: one, pipelines: in.names, scope: &scope{parameters: names, stages: stages, self: one, template: template}}
		stage, notes := job.convert()
		for _, note := range notes {
			note.Stage = one.title
			if note.Path == "" {
				note.Type = one.typ
			}
			in.item(s, note)
		}
		p.Spec.Stages = append(p.Spec.Stages, stage)
		expressions = expressions || (stage.Unsupported == nil && hasExpression(string(encode(one.raw))) && !truth(one.raw["failOnFailedExpressions"], false))
	}
	if expressions {
		in.item(s, Item{Path: "stages", Code: Changed, Text: "an expression that cannot be evaluated fails its stage; Spinnaker leaves its text as it is, unless failOnFailedExpressions is set"})
	}
	if isInstance(s.raw) {
		stages = nil // the export gives the instance
	}
	p.Spec.Imported = remember(s.raw, p.Spec, stages)
	return p
}

// withoutTemplate stands for the stages of an instance whose template is not there.
func (in *importer) withoutTemplate(s *source) v1alpha1.Stage {
	in.item(s, Item{Stage: "template", Type: "templatedPipeline", Code: Kept, Text: "its template is not among the files: import them together"})
	return v1alpha1.Stage{Name: "template", Unsupported: &v1alpha1.UnsupportedStage{Type: "templatedPipeline", Original: &runtime.RawExtension{Raw: encode(s.raw)}}}
}

// stages are those entries that are objects.
func (in *importer) stages(s *source, raw object) []*stage {
	all, _ := raw["stages"].([]any)
	stages, numbered := readStages(objects(all))
	if len(stages) < len(all) {
		in.item(s, Item{Path: "stages", Code: Missing, Text: fmt.Sprintf("%d entries are no stages", len(all)-len(stages))})
	}
	if len(stages) == 0 || len(stages) > maxStages {
		in.item(s, Item{Path: "stages", Code: Missing, Text: fmt.Sprintf("it has %d stages: weft refuses a pipeline that does not have 1 to %d", len(stages), maxStages)})
	}
	if len(stages) > 1 && !numbered {
		in.item(s, Item{Path: "stages", Code: Changed, Text: "no stage says what it follows: each follows the one before it"})
	}
	return stages
}

// headKeys are the pipeline's fields that are converted or say nothing.
var headKeys = []string{"application", "name", "id", "description", "disabled", "locked", "keepWaitingPipelines", "limitConcurrent",
	"maxConcurrentExecutions", "stages", "parameterConfig", "index", "schema", "parallel", "executionEngine", "spelEvaluator", "appConfig",
	"lastModifiedBy", "updateTs", "createTs", "template", "config", "variables", "templateVariables", "type"}

// head converts what is not the stages, and says what is left.
func (in *importer) head(s *source, raw object, spec *v1alpha1.PipelineSpec) {
	if s.execution {
		in.item(s, Item{Code: Changed, Text: "made from a run: its expressions have values already, its fields hold what the run found out, and its parameters have no defaults"})
	}
	spec.Application = label(text(raw["application"]), maxIdentifier)
	spec.Description = strings.ToValidUTF8(cut(text(raw["description"]), maxDescription), "")
	spec.Disabled = truth(raw["disabled"], false)
	if locked, ok := raw["locked"].(object); ok && truth(locked["ui"], false) {
		in.item(s, Item{Path: "locked", Code: Ignored, Text: "it locks Spinnaker's editor, and not its runs"})
	}
	spec.Concurrency = in.concurrency(s, raw)
	for _, key := range sortedKeys(raw) {
		switch {
		case slices.Contains(headKeys, key), empty(raw[key]):
		case key == "triggers":
			in.triggers(s, objects(raw[key]))
		case key == "notifications":
			in.item(s, Item{Path: key, Code: Kept, Text: "nobody is told"})
		case key == "expectedArtifacts":
			in.item(s, Item{Path: key, Code: Kept, Text: "no artifacts are found"})
		case key == "roles", key == "exclude", key == "inherit", key == "respectQuietPeriod", key == "manualStartAlert", key == "strategy":
			in.item(s, Item{Path: key, Code: Kept, Text: "weft's pipelines have no such thing"})
		default:
			in.item(s, Item{Path: key, Code: Ignored, Text: "a pipeline has no such field"})
		}
	}
}

// concurrency converts how many runs go at once: one, by Spinnaker's editor's
// default, or any number, by its server's.
func (in *importer) concurrency(s *source, raw object) (out v1alpha1.Concurrency) {
	out.Max = 1
	if !truth(raw["limitConcurrent"], false) {
		limit, err := strconv.Atoi(text(raw["maxConcurrentExecutions"]))
		if err != nil || limit <= 0 || limit > maxConcurrent {
			limit = maxConcurrent
			in.item(s, Item{Path: "limitConcurrent", Code: Changed, Text: fmt.Sprintf("at most %d runs go at the same time", limit)})
		}
		out.Max = int32(limit)
	}
	if !truth(raw["keepWaitingPipelines"], false) {
		out.Full = "replace"
	}
	return out
}

// parameters converts the parameters; it gives weft's names by Spinnaker's.
func (in *importer) parameters(s *source, raw object, spec *v1alpha1.PipelineSpec) map[string]string {
	names, taken := map[string]string{}, map[string]bool{}
	for _, o := range objects(raw["parameterConfig"]) {
		name := text(o["name"])
		path := "parameterConfig." + name
		if _, twice := names[name]; twice || name == "" || len(spec.Parameters) == maxParameters {
			in.item(s, Item{Path: path, Code: Missing, Text: fmt.Sprintf("it has no name, a name that another one has, or it is beyond the %dth", maxParameters)})
			continue
		}
		p, err := parameter(o)
		if err != nil {
			in.item(s, Item{Path: path, Code: Kept, Text: err.Error()})
			continue
		}
		p.Name = unused(taken, identifier(name), "_", maxIdentifier)
		names[name] = p.Name
		if p.Name != name {
			in.item(s, Item{Path: path, Code: Changed, Text: "its name is " + p.Name})
		}
		if p.Default != "" && len(p.Options) > 0 && !slices.Contains(p.Options, p.Default) {
			p.Options = append(p.Options, p.Default)
			in.item(s, Item{Path: path, Code: Changed, Text: "its default is one of its options"})
		}
		if !empty(o["condition"]) || !empty(o["constraint"]) {
			in.item(s, Item{Path: path, Code: Changed, Text: "it is asked for always, and takes any value"})
		}
		spec.Parameters = append(spec.Parameters, p)
	}
	return names
}

func parameter(o object) (v1alpha1.Parameter, error) {
	p := v1alpha1.Parameter{Required: truth(o["required"], false), Default: text(o["default"])}
	if b, ok := o["default"].(bool); ok {
		p.Default = strconv.FormatBool(b)
	}
	if p.Description = text(o["description"]); p.Description == "" {
		p.Description = text(o["label"])
	}
	p.Description = strings.ToValidUTF8(cut(p.Description, maxDescription), "")
	if truth(o["hasOptions"], false) {
		for _, option := range objects(o["options"]) {
			p.Options = append(p.Options, text(option["value"]))
		}
	}
	long := slices.ContainsFunc(p.Options, func(s string) bool { return len(s) > maxDescription })
	if len(p.Default) > maxText || len(p.Options) > maxChoices || long {
		return p, fmt.Errorf("its default has more than %d bytes, or it has more than %d options, or one of more than %d bytes", maxText, maxChoices, maxDescription)
	}
	return p, nil
}

// triggers says what started it in Spinnaker.
func (in *importer) triggers(s *source, triggers []object) {
	for i, t := range triggers {
		item := Item{Path: fmt.Sprintf("triggers[%d]", i), Code: Kept, Text: fmt.Sprintf("a %s trigger does not start it: start it by hand", text(t["type"]))}
		if !truth(t["enabled"], true) {
			item.Text = fmt.Sprintf("the %s trigger is off there, and is not here", text(t["type"]))
		}
		if id := text(t["pipeline"]); text(t["type"]) == "pipeline" && in.names[id] == "" {
			item.Code, item.Text = Missing, fmt.Sprintf("the pipeline %q that starts it is not among the files", id)
		}
		in.item(s, item)
	}
}
