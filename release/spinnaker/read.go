package spinnaker

import (
	"maps"
	"strings"
)

// read takes a document apart; false: nothing in it is Spinnaker's.
func (in *importer) read(file string, value any) bool {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			if !in.read(file, element) {
				return false
			}
		}
		return len(v) > 0
	case object:
		return in.readObject(file, v)
	}
	return false
}

func (in *importer) readObject(file string, o object) bool {
	pipelines, isList := o["pipelines"].([]any)
	switch {
	case isTemplate(o):
		in.templates[text(o["id"])] = o
		in.result.Report.Items = append(in.result.Report.Items, Item{File: file, Code: Ignored, Text: "a template: the pipelines among the files that use it get its stages"})
	case isCanaryConfig(o) && o["stages"] == nil:
		for _, key := range []string{text(o["name"]), text(o["id"])} {
			if key != "" {
				in.canaries[key] = o
			}
		}
		in.result.Report.Items = append(in.result.Report.Items, Item{File: file, Code: Ignored, Text: "a canary configuration: the stages among the files that name it get it"})
	case isExecution(o):
		in.sources = append(in.sources, &source{file: file, raw: pipelineOf(o), execution: true})
	case isPipeline(o):
		in.sources = append(in.sources, &source{file: file, raw: o})
	case isList:
		if application, ok := o["application"].(object); ok {
			in.application(file, application)
		}
		return in.read(file, pipelines)
	case o["attributes"] != nil:
		in.application(file, o)
	default:
		return false
	}
	return true
}

func isTemplate(o object) bool {
	_, pipeline := o["pipeline"].(object)
	return pipeline && text(o["schema"]) == "v2"
}

func isPipeline(o object) bool {
	_, stages := o["stages"].([]any)
	return stages || isInstance(o) || (text(o["name"]) != "" && text(o["application"]) != "")
}

// isInstance says whether a pipeline is one of a template.
func isInstance(o object) bool {
	_, template := o["template"].(object)
	return template || text(o["type"]) == "templatedPipeline"
}

// isExecution says whether it is what a run left behind: its stages have contexts.
func isExecution(o object) bool {
	if _, started := o["trigger"].(object); !started {
		return false
	}
	for _, s := range objects(o["stages"]) {
		if _, ok := s["context"].(object); ok {
			return true
		}
	}
	return false
}

// pipelineOf is the pipeline that an execution ran: its stages without those that
// Spinnaker added, with their contexts as fields. What the run found out stays in them.
func pipelineOf(execution object) object {
	out := object{}
	for _, key := range []string{"application", "name", "keepWaitingPipelines", "limitConcurrent", "maxConcurrentExecutions", "notifications", "spelEvaluator"} {
		if value, ok := execution[key]; ok {
			out[key] = value
		}
	}
	if id := text(execution["pipelineConfigId"]); id != "" {
		out["id"] = id
	}
	stages := []any{}
	for _, s := range objects(execution["stages"]) {
		if empty(s["syntheticStageOwner"]) && empty(s["parentStageId"]) {
			stages = append(stages, stageOf(s))
		}
	}
	out["stages"] = stages
	trigger, _ := execution["trigger"].(object)
	given, _ := trigger["parameters"].(object)
	if len(given) > 0 {
		config := []any{}
		for _, name := range sortedKeys(given) {
			config = append(config, object{"name": name})
		}
		out["parameterConfig"] = config
	}
	return out
}

func stageOf(s object) object {
	out := object{}
	context, _ := s["context"].(object)
	maps.Copy(out, context)
	for _, key := range []string{"type", "name", "refId", "requisiteStageRefIds"} {
		if value, ok := s[key]; ok {
			out[key] = value
		}
	}
	return out
}

// expand puts what a template says into a pipeline that is one of it.
func (in *importer) expand(s *source) {
	s.whole = s.raw
	if !isInstance(s.raw) {
		return
	}
	reference, _ := s.raw["template"].(object)
	id, _, _ := strings.Cut(strings.TrimPrefix(text(reference["reference"]), "spinnaker://"), ":")
	id, _, _ = strings.Cut(id, "@")
	template, ok := in.templates[id]
	if s.orphan = !ok; s.orphan {
		return
	}
	s.template = object{}
	for _, v := range objects(template["variables"]) {
		if value, ok := v["defaultValue"]; ok {
			s.template[text(v["name"])] = value
		}
	}
	given, _ := s.raw["variables"].(object)
	maps.Copy(s.template, given)
	of, _ := template["pipeline"].(object)
	s.whole = maps.Clone(of)
	for key, value := range s.raw {
		if !empty(value) {
			s.whole[key] = value
		}
	}
}
