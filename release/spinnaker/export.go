package spinnaker

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api/v1alpha1"
)

// memory is spec.imported: what came in, but for the originals that unsupported
// stages hold themselves.
type memory struct {
	Pipeline object   `json:"pipeline"`         // without its stages, where Stages has them
	Stages   []origin `json:"stages,omitempty"` // in the order of Spinnaker's list
	Sum      string   `json:"sum"`              // of the spec without its stages
}

// origin is one entry of a pipeline's list of stages.
type origin struct {
	Name     string `json:"name,omitempty"`     // weft's; empty: it is no stage
	Original any    `json:"original,omitempty"` // absent: the stage has it
	Sum      string `json:"sum,omitempty"`      // of weft's stage
	Second   string `json:"second,omitempty"`   // weft's stage that it became beside it
	Rest     string `json:"rest,omitempty"`     // the second one's sum
}

// remember makes spec.imported. Without stages the pipeline is remembered whole.
func remember(raw object, spec v1alpha1.PipelineSpec, stages [][]v1alpha1.Stage) *runtime.RawExtension {
	m := memory{Pipeline: raw}
	if len(stages) > 0 {
		m.Pipeline = without(raw, "stages")
		m.Stages = origins(raw["stages"], stages)
	}
	m.Sum = m.sumOf(spec)
	return &runtime.RawExtension{Raw: encode(m)}
}

// origins are a pipeline's list of stages; those of converted are in its order.
func origins(list any, converted [][]v1alpha1.Stage) (out []origin) {
	for _, element := range list.([]any) {
		if _, ok := element.(object); !ok {
			out = append(out, origin{Original: element})
			continue
		}
		s, rest := converted[0][0], converted[0][1:]
		converted = converted[1:]
		o := origin{Name: s.Name, Sum: sum(s)}
		if s.Unsupported == nil {
			o.Original = element
		}
		for _, second := range rest {
			o.Second, o.Rest = second.Name, sum(second)
		}
		out = append(out, o)
	}
	return out
}

// sumOf is that of what the stages' own sums do not cover. To switch a trigger on or off is no change.
func (m memory) sumOf(spec v1alpha1.PipelineSpec) string {
	spec.Imported, spec.Triggers = nil, slices.Clone(spec.Triggers)
	for i := range spec.Triggers {
		spec.Triggers[i].Disabled = false
	}
	if m.Stages != nil {
		spec.Stages = nil
	}
	return sum(spec)
}

// Export gives the pipeline that Import made p of, as Spinnaker's JSON. It gives
// back what came in: where p has been changed since, an error names the place.
func Export(p *v1alpha1.Pipeline) ([]byte, error) {
	if p.Spec.Imported == nil {
		return nil, fmt.Errorf("pipeline %s: it was not imported from Spinnaker, so there is nothing to give back", p.Name)
	}
	var m memory
	decoder := json.NewDecoder(bytes.NewReader(p.Spec.Imported.Raw))
	decoder.UseNumber()
	if err := decoder.Decode(&m); err != nil || m.Pipeline == nil {
		return nil, fmt.Errorf("pipeline %s: spec.imported is not what the import of a Spinnaker pipeline leaves: import it again", p.Name)
	}
	if m.sumOf(p.Spec) != m.Sum {
		return nil, changed(p.Name, "its parameters, or another field beside its stages,")
	}
	if m.Stages == nil {
		return encode(m.Pipeline), nil
	}
	stages, err := m.stages(p)
	if err != nil {
		return nil, err
	}
	m.Pipeline["stages"] = stages
	return encode(m.Pipeline), nil
}

func changed(pipeline, what string) error {
	return fmt.Errorf("pipeline %s: %s is not as it was imported: the export gives back what came in, and does not translate changes; change it in Spinnaker's file and import that", pipeline, what)
}

func (m memory) stages(p *v1alpha1.Pipeline) ([]any, error) {
	byName := map[string]v1alpha1.Stage{}
	for _, s := range p.Spec.Stages {
		byName[s.Name] = s
	}
	out := make([]any, 0, len(m.Stages))
	for _, o := range m.Stages {
		if second, there := byName[o.Second]; o.Second != "" && (!there || sum(second) != o.Rest) {
			return nil, changed(p.Name, "stage "+o.Second)
		}
		delete(byName, o.Second)
		s, there := byName[o.Name]
		delete(byName, o.Name)
		switch {
		case o.Name == "":
		case !there || sum(s) != o.Sum:
			return nil, changed(p.Name, "stage "+o.Name)
		case s.Unsupported != nil:
			original, err := parse(s.Unsupported.Original.Raw)
			if err != nil {
				return nil, fmt.Errorf("pipeline %s: stage %s: %w", p.Name, o.Name, err)
			}
			o.Original = original
		}
		out = append(out, o.Original)
	}
	if len(byName) > 0 {
		return nil, changed(p.Name, "stage "+sortedKeys(byName)[0])
	}
	return out, nil
}

// sum tells whether a value has changed, however its numbers are written: an API
// server writes them its own way.
func sum(value any) string {
	plain, err := parse(encode(value))
	if err != nil {
		panic(err) // it was encoded just now
	}
	hash := sha256.Sum256(encode(normal(plain)))
	return hex.EncodeToString(hash[:8])
}

func normal(value any) any {
	switch v := value.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil {
			return f
		}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = normal(v[i])
		}
		return out
	case object:
		out := object{}
		for key := range v {
			out[key] = normal(v[key])
		}
		return out
	}
	return value
}
