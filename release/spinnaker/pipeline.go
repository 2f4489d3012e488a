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
	maxConcurrent  = 100
	maxChoices     = 100
)

// convert makes one pipeline.
func (in *importer) convert(s *source) *v1alpha1.Pipeline {
	p := &v1alpha1.Pipeline{ObjectMeta: metav1.ObjectMeta{Name: s.name}}
	p.APIVersion, p.Kind = apiVersion, "Pipeline"
	in.head(s, &p.Spec)
	for _, note := range s.notes {
		in.item(s, note)
	}
	p.Spec.Parameters = s.parameters
	if s.orphan {
		p.Spec.Stages = []v1alpha1.Stage{in.withoutTemplate(s)}
		p.Spec.Imported = remember(s.raw, p.Spec, nil)
		return p
	}
	stages := in.stages(s)
	in.notifications(s, &p.Spec, stages)
	var converted [][]v1alpha1.Stage
	for _, one := range stages {
		converted = append(converted, in.stage(s, one, stages))
	}
	join(converted)
	p.Spec.Stages = slices.Concat(converted...)
	if loose(stages, converted) {
		in.item(s, Item{Path: "stages", Code: Changed, Text: "an expression that cannot be evaluated fails its stage; Spinnaker leaves its text as it is, unless failOnFailedExpressions is set"})
	}
	if isInstance(s.raw) {
		converted = nil // the export gives the instance
	}
	p.Spec.Imported = remember(s.raw, p.Spec, converted)
	return p
}

// join has what follows a stage that became two follow the second one.
func join(converted [][]v1alpha1.Stage) {
	last := map[string]string{}
	for _, parts := range converted {
		last[parts[0].Name] = parts[len(parts)-1].Name
	}
	for _, parts := range converted {
		for i, after := range parts[0].After {
			parts[0].After[i] = last[after]
		}
	}
}

func (in *importer) stage(s *source, one *stage, all []*stage) []v1alpha1.Stage {
	j := &job{stage: one, pipelines: in.byID, canaries: in.canaries, scope: &scope{parameters: s.names, stages: all, self: one, template: s.template}}
	out, notes := j.convert()
	for _, note := range notes {
		note.Stage = one.title
		if note.Path == "" {
			note.Type = one.typ
		}
		in.item(s, note)
	}
	return out
}

// loose says whether a stage was converted whose failed expressions Spinnaker lets pass.
func loose(stages []*stage, converted [][]v1alpha1.Stage) bool {
	for i, s := range stages {
		if converted[i][0].Unsupported == nil && hasExpression(string(encode(s.raw))) && !truth(s.raw["failOnFailedExpressions"], false) {
			return true
		}
	}
	return false
}

// withoutTemplate stands for the stages of an instance whose template is not there.
func (in *importer) withoutTemplate(s *source) v1alpha1.Stage {
	in.item(s, Item{Stage: "template", Type: "templatedPipeline", Code: Kept, Text: "its template is not among the files: import them together"})
	return v1alpha1.Stage{Name: "template", Unsupported: &v1alpha1.UnsupportedStage{Type: "templatedPipeline", Original: &runtime.RawExtension{Raw: encode(s.raw)}}}
}

// stages are those entries that are objects.
func (in *importer) stages(s *source) []*stage {
	all, _ := s.whole["stages"].([]any)
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
	"maxConcurrentExecutions", "stages", "notifications", "parameterConfig", "index", "schema", "parallel", "executionEngine", "spelEvaluator", "appConfig",
	"lastModifiedBy", "updateTs", "createTs", "template", "config", "variables", "templateVariables", "type", "stageCounter"}

// head converts what is not the stages, and says what is left.
func (in *importer) head(s *source, spec *v1alpha1.PipelineSpec) {
	raw := s.whole
	if s.execution {
		in.item(s, Item{Code: Changed, Text: "made from a run: its expressions have values already, its fields hold what the run found out, and its parameters have no defaults"})
	}
	spec.Application = label(text(raw["application"]), maxIdentifier)
	if spec.Description = strings.ToValidUTF8(cut(text(raw["description"]), maxDescription), ""); spec.Description != text(raw["description"]) {
		in.item(s, Item{Path: "description", Code: Changed, Text: fmt.Sprintf("it is cut at %d bytes", maxDescription)})
	}
	spec.Disabled = truth(raw["disabled"], false)
	if locked, ok := raw["locked"].(object); ok && truth(locked["ui"], false) {
		in.item(s, Item{Path: "locked", Code: Ignored, Text: "it locks Spinnaker's editor, and not its runs"})
	}
	spec.Concurrency = in.concurrency(s, raw)
	for _, key := range sortedKeys(raw) {
		switch {
		case slices.Contains(headKeys, key), empty(raw[key]):
		case key == "triggers":
			in.triggers(s, spec, objects(raw[key]))
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

// readParameters converts the parameters, before any stage that gives one.
func (s *source) readParameters() {
	s.names = map[string]string{}
	taken := map[string]bool{}
	for _, o := range objects(s.whole["parameterConfig"]) {
		name := text(o["name"])
		note := func(code Code, text string) {
			s.notes = append(s.notes, Item{Path: "parameterConfig." + name, Code: code, Text: text})
		}
		if _, twice := s.names[name]; twice || name == "" || len(s.parameters) == maxParameters {
			note(Missing, fmt.Sprintf("it has no name, a name that another one has, or it is beyond the %dth", maxParameters))
			continue
		}
		p, err := parameter(o)
		if err != nil {
			note(Kept, err.Error())
			continue
		}
		p.Name = unused(taken, identifier(name), "_", maxIdentifier)
		s.names[name] = p.Name
		if p.Name != name {
			note(Changed, "its name is "+p.Name)
		}
		if p.Default != "" && len(p.Options) > 0 && !slices.Contains(p.Options, p.Default) {
			p.Options = append(p.Options, p.Default)
			note(Changed, "its default is one of its options")
		}
		if !empty(o["condition"]) || !empty(o["constraint"]) {
			note(Changed, "it is asked for always, and takes any value")
		}
		s.parameters = append(s.parameters, p)
	}
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
	if !slices.ContainsFunc(p.Options, func(s string) bool { return s != "" }) {
		p.Options = nil // the editor leaves such a list behind
	}
	long := slices.ContainsFunc(p.Options, func(s string) bool { return len(s) > maxDescription })
	if len(p.Default) > maxText || len(p.Options) > maxChoices || long {
		return p, fmt.Errorf("its default has more than %d bytes, or it has more than %d options, or one of more than %d bytes", maxText, maxChoices, maxDescription)
	}
	return p, nil
}
