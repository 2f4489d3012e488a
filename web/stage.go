package web

import (
	"cmp"
	"encoding/json"
	"strings"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// Stage is one node of a pipeline's graph.
type Stage struct {
	Name    string   `json:"name"`
	Title   string   `json:"title,omitempty"` // for people, where it has one
	Kind    string   `json:"kind"`            // as the pipeline has it: judgment
	Summary string   `json:"summary"`         // what it does, in one line; expressions as they are written
	After   []string `json:"after"`           // stages; one that is not there is one of the problems
	When    string   `json:"when,omitempty"`  // an expression: where it is false the stage is skipped
	// OnFailure is what its failure means for the run: fail, stop, continue or failLater.
	OnFailure string `json:"onFailure"`
}

// graphOf are the stages of a pipeline, each after those that it comes after.
func graphOf(d *v1alpha1.PipelineSpec) []Stage {
	graph := []Stage{}
	for _, s := range pipeline.Ordered(d.Stages) {
		kind, config := pipeline.KindOf(s)
		graph = append(graph, Stage{
			Name: s.Name, Title: s.Title, Kind: kind, Summary: summary(kind, config), After: orEmpty(s.After), When: s.When,
			OnFailure: string(cmp.Or(s.OnFailure, v1alpha1.FailRun)),
		})
	}
	return graph
}

// maxSummary is how long a line is, in characters.
const maxSummary = 120

// telling are the fields that say most of a kind of stage, as paths in its JSON.
var telling = map[string][]string{
	"wait":         {"for"},
	"judgment":     {"instructions", "options"},
	"check":        {"expression"},
	"variables":    {"set.name"},
	"webhook":      {"method", "url"},
	"pipeline":     {"name"},
	"release":      {"application", "version", "strategy.type"},
	"analysis":     {"application", "new", "old"},
	"notify":       {"text", "to"},
	"deploy":       {"application", "version", "image", "replicas"},
	"scale":        {"application", "version", "object.kind", "object.name", "replicas"},
	"restart":      {"application", "version", "object.kind", "object.name"},
	"delete":       {"application", "version", "object.kind", "object.name"},
	"enable":       {"application", "version"},
	"disable":      {"application", "version"},
	"undo":         {"application", "to", "reason"},
	"bake":         {"kind", "repository", "folder", "path", "revision"},
	"apply":        {"from"},
	"patch":        {"object.kind", "object.name", "patch"},
	"runJob":       {"image", "command", "args"},
	"findArtifact": {"image.repository", "image.tag", "image.version", "run.pipeline", "run.stage"},
	"unsupported":  {"type"},
}

func summary(kind string, config any) string {
	raw, _ := json.Marshal(config) // types of the API
	var fields any
	_ = json.Unmarshal(raw, &fields) // what was just written
	var words []string
	for _, path := range telling[kind] {
		words = append(words, valuesAt(fields, strings.Split(path, "."))...)
	}
	text := []rune(strings.Join(strings.Fields(strings.Join(words, " ")), " "))
	if len(text) > maxSummary {
		return string(text[:maxSummary-1]) + "…"
	}
	return string(text)
}

// valuesAt are the texts below a path; of a list those of all its elements.
func valuesAt(value any, path []string) (all []string) {
	switch v := value.(type) {
	case []any:
		for _, one := range v {
			all = append(all, valuesAt(one, path)...)
		}
	case map[string]any:
		if len(path) > 0 {
			return valuesAt(v[path[0]], path[1:])
		}
	case string:
		if len(path) == 0 && v != "" {
			return []string{v}
		}
	}
	return all
}
