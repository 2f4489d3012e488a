package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
	"weft.dev/release/stage"
)

// Types of fields, as forms ask for them.
const (
	textType   = "text"
	numberType = "number"
	truthType  = "truth"
	choiceType = "choice"
	listType   = "list"  // of texts
	otherType  = "other" // which people write as YAML
)

// Field is one that a stage can be told, as the schema of pipelines has it.
type Field struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Help     string   `json:"help,omitempty"`
	Options  []string `json:"options,omitempty"`
	Required bool     `json:"required"`
	Long     bool     `json:"long"` // it may have several lines
}

// schema is what is read here of a CustomResourceDefinition's.
type schema struct {
	Type        string            `json:"type"`
	Description string            `json:"description"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
	Enum        []any             `json:"enum"`
	Required    []string          `json:"required"`
	MaxLength   int               `json:"maxLength"`
}

// longText is how long a text may be that gets several lines, bytes.
const longText = 1024

// StageFields are what stages can be told, by kind; "" are the fields of all but their name.
var StageFields = sync.OnceValue(func() map[string][]Field {
	all, own := map[string][]Field{}, []Field{}
	kinds := stage.All()
	s := stageSchema()
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if _, isKind := kinds[name]; isKind {
			all[name] = fieldsOf(s.Properties[name])
		} else if name != "name" {
			own = append(own, fieldOf(name, s.Properties[name], false))
		}
	}
	all[""] = own
	return all
})

func stageSchema() schema {
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPI schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	text, err := fs.ReadFile(api.CRDs(), "weft.dev_pipelines.yaml")
	if err == nil {
		err = yaml.Unmarshal(text, &crd)
	}
	if err != nil {
		panic(fmt.Sprintf("the schema of pipelines, which is in the binary: %v", err))
	}
	return *crd.Spec.Versions[0].Schema.OpenAPI.Properties["spec"].Properties["stages"].Items
}

// fieldsOf are those of an object, what it needs first.
func fieldsOf(s schema) []Field {
	all := []Field{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		all = append(all, fieldOf(name, s.Properties[name], slices.Contains(s.Required, name)))
	}
	slices.SortStableFunc(all, func(a, b Field) int { return cmp.Compare(order(a), order(b)) })
	return all
}

func order(f Field) int {
	switch {
	case f.Required:
		return 0
	case f.Type == otherType:
		return 2
	}
	return 1
}

func fieldOf(name string, s schema, required bool) Field {
	f := Field{Name: name, Type: otherType, Help: strings.Join(strings.Fields(s.Description), " "), Required: required, Long: s.MaxLength >= longText}
	switch {
	case s.Type == "string" && len(s.Enum) > 0:
		f.Type = choiceType
		for _, one := range s.Enum {
			f.Options = append(f.Options, fmt.Sprint(one))
		}
	case s.Type == "string":
		f.Type = textType
	case s.Type == "integer":
		f.Type = numberType
	case s.Type == "boolean":
		f.Type = truthType
	case s.Type == "array" && s.Items != nil && s.Items.Type == "string" && len(s.Items.Enum) == 0:
		f.Type = listType
	}
	return f
}

// valuesOf are the fields of a pipeline's stages that forms show, by stage and path.
func valuesOf(d *v1alpha1.PipelineSpec) map[string]map[string]string {
	all := map[string]map[string]string{}
	for i := range d.Stages {
		s := &d.Stages[i]
		raw, _ := json.Marshal(s) // a type of the API
		var fields map[string]any
		_ = json.Unmarshal(raw, &fields) // what was just written
		values := map[string]string{}
		add := func(prefix string, from map[string]any) {
			for name, value := range from {
				if text, ok := shownValue(value); ok {
					values[prefix+name] = text
				}
			}
		}
		add("", fields)
		kind, _ := pipeline.KindOf(s)
		if inner, ok := fields[kind].(map[string]any); ok {
			add(kind+".", inner)
		}
		all[s.Name] = values
	}
	return all
}

// shownValue is a value as a form has it; false: it is not one for forms.
func shownValue(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case float64, bool:
		return fmt.Sprint(v), true
	case []any:
		var lines []string
		for _, one := range v {
			text, ok := one.(string)
			if !ok {
				return "", false
			}
			lines = append(lines, text)
		}
		return strings.Join(lines, "\n"), true
	}
	return "", false
}

// EditedOf is what a page shows of a text that could be read.
func EditedOf(text string, o *v1alpha1.Pipeline) Edited {
	return Edited{Text: text, Graph: graphOf(&o.Spec), Values: valuesOf(&o.Spec), Problems: []Problem{}}
}

// Unread is what a page shows of a text that could not.
func Unread(text string, why error) Edited {
	return Edited{Text: text, Graph: []Stage{}, Values: map[string]map[string]string{}, Problems: []Problem{{Kind: "Pipeline", Code: "Invalid", Message: why.Error()}}}
}
