package web

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	yamlnode "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
)

// PipelineText is a pipeline as people write it, and what its stages can be told.
type PipelineText struct {
	Text    string             `json:"text"`
	Version string             `json:"version"` // of the stored one that it is; "": it is not stored yet
	Kinds   map[string][]Field `json:"kinds"`   // of stages, by name; "" are the fields of all
}

// EditRequest is a text, and what a form changes in it.
type EditRequest struct {
	Text    string      `json:"text"`
	Version string      `json:"version"`
	Change  *TextChange `json:"change,omitempty"`
}

// TextChange sets a field of a stage, adds a stage, or removes one.
type TextChange struct {
	Stage  string   `json:"stage"`
	Field  string   `json:"field,omitempty"` // title, judgment.instructions
	Value  string   `json:"value,omitempty"` // "": the field is taken away; lists have a line each
	Add    string   `json:"add,omitempty"`   // kind of a new stage
	After  []string `json:"after,omitempty"` // of the new stage
	Remove bool     `json:"remove,omitempty"`
}

// Edited is the text after the change, and what a server would say of it.
type Edited struct {
	Text     string                       `json:"text"`
	Graph    []Stage                      `json:"graph"`
	Values   map[string]map[string]string `json:"values"` // by stage and field
	Problems []Problem                    `json:"problems"`
	Refused  string                       `json:"refused,omitempty"` // why the API server would not store it
	Conflict bool                         `json:"conflict"`          // somebody changed what it was made from
}

// TextOf is what people would write for a pipeline: without what servers keep in it.
func TextOf(o *v1alpha1.Pipeline) (string, error) {
	meta := map[string]any{"name": o.Name, "namespace": o.Namespace}
	if len(o.Labels) > 0 {
		meta["labels"] = o.Labels
	}
	if notes := notesOf(o.Annotations); len(notes) > 0 {
		meta["annotations"] = notes
	}
	plain, err := yaml.Marshal(map[string]any{"apiVersion": "weft.dev/v1alpha1", "kind": "Pipeline", "metadata": meta, "spec": o.Spec})
	if err != nil {
		return "", err
	}
	doc, err := parseText(string(plain))
	if err != nil {
		return "", err
	}
	if o.Spec.Concurrency == (v1alpha1.Concurrency{}) {
		unset(child(doc, "spec"), "concurrency")
	}
	for _, s := range stageNodes(doc) {
		nameFirst(s)
	}
	return printText(doc)
}

// notesOf are annotations that people wrote. Where a file was is not true any more once a page has changed it.
func notesOf(all map[string]string) map[string]string {
	kept := map[string]string{}
	for name, value := range all {
		if name != api.SourceAnnotation && name != api.LinesAnnotation {
			kept[name] = value
		}
	}
	return kept
}

// PipelineOfText reads a text, into what is stored in its place: nothing but what people write is changed.
func PipelineOfText(text string, stored *v1alpha1.Pipeline, version string) (*v1alpha1.Pipeline, error) {
	var read v1alpha1.Pipeline
	if err := yaml.UnmarshalStrict([]byte(text), &read); err != nil {
		return nil, err
	}
	if read.Kind != "Pipeline" || read.Name != stored.Name || read.Namespace != stored.Namespace {
		return nil, fmt.Errorf("the text is of %s %s/%s, and this page is of Pipeline %s/%s: weft apply makes another one", read.Kind, read.Namespace, read.Name, stored.Namespace, stored.Name)
	}
	o := stored.DeepCopy()
	o.Spec, o.Labels, o.Annotations, o.ResourceVersion = read.Spec, read.Labels, notesOf(read.Annotations), version
	return o, nil
}

// ChangeText is a text with one change, and all else of it, comments included, as it was.
func ChangeText(text string, c TextChange) (string, error) {
	doc, err := parseText(text)
	if err != nil {
		return "", err
	}
	stages := child(child(doc, "spec"), "stages")
	if stages == nil || stages.Kind != yamlnode.SequenceNode {
		return "", fmt.Errorf("spec.stages is no list: write one as YAML first")
	}
	i := slices.IndexFunc(stages.Content, func(s *yamlnode.Node) bool { return scalar(child(s, "name")) == c.Stage })
	switch {
	case c.Add != "" && i >= 0:
		return "", fmt.Errorf("there is a stage %s already: choose another name", c.Stage)
	case c.Add != "":
		stages.Style = 0
		stages.Content = append(stages.Content, newStage(c))
	case i < 0:
		return "", fmt.Errorf("there is no stage %s", c.Stage)
	case c.Remove:
		stages.Content = slices.Delete(stages.Content, i, i+1)
	default:
		err = setField(stages.Content[i], c)
	}
	if err != nil {
		return "", err
	}
	return printText(doc)
}

func newStage(c TextChange) *yamlnode.Node {
	s := &yamlnode.Node{Kind: yamlnode.MappingNode}
	set(s, "name", textNode(c.Stage))
	if len(c.After) > 0 {
		set(s, "after", listNode(c.After))
	}
	set(s, c.Add, &yamlnode.Node{Kind: yamlnode.MappingNode})
	return s
}

// setField writes a value of the field's own type.
func setField(stage *yamlnode.Node, c TextChange) error {
	kind, name, nested := strings.Cut(c.Field, ".")
	if !nested {
		kind, name = "", c.Field
	}
	fields := StageFields()[kind]
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
	if i < 0 || fields[i].Type == otherType {
		return fmt.Errorf("stages have no field %s that a form can change: write it as YAML", c.Field)
	}
	at := stage
	if nested {
		if at = child(stage, kind); at == nil || at.Kind != yamlnode.MappingNode {
			at = &yamlnode.Node{Kind: yamlnode.MappingNode}
			set(stage, kind, at)
		}
	}
	if c.Value == "" {
		unset(at, name)
		return nil
	}
	value, err := valueNode(fields[i], c.Value)
	if err == nil {
		at.Style &^= yamlnode.FlowStyle
		set(at, name, value)
	}
	return err
}

func valueNode(f Field, text string) (*yamlnode.Node, error) {
	switch f.Type {
	case numberType:
		if _, err := strconv.Atoi(text); err != nil {
			return nil, fmt.Errorf("%s: %q is no whole number", f.Name, text)
		}
		return &yamlnode.Node{Kind: yamlnode.ScalarNode, Tag: "!!int", Value: text}, nil
	case truthType:
		return &yamlnode.Node{Kind: yamlnode.ScalarNode, Tag: "!!bool", Value: text}, nil
	case listType:
		return listNode(strings.Split(strings.TrimSpace(text), "\n")), nil
	}
	return textNode(text), nil
}

// textNode is quoted where servers would read another type: to them, yes is a truth value.
func textNode(text string) *yamlnode.Node {
	n := &yamlnode.Node{}
	n.SetString(text)
	var read any
	err := yaml.Unmarshal([]byte(text), &read)
	if _, isText := read.(string); (err != nil || !isText) && n.Style == 0 {
		n.Style = yamlnode.DoubleQuotedStyle
	}
	return n
}

func listNode(all []string) *yamlnode.Node {
	n := &yamlnode.Node{Kind: yamlnode.SequenceNode, Style: yamlnode.FlowStyle}
	for _, one := range all {
		n.Content = append(n.Content, textNode(one))
	}
	return n
}

func parseText(text string) (*yamlnode.Node, error) {
	var doc yamlnode.Node
	if err := yamlnode.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yamlnode.MappingNode {
		return nil, fmt.Errorf("the text is no object")
	}
	return doc.Content[0], nil
}

func printText(doc *yamlnode.Node) (string, error) {
	var out bytes.Buffer
	w := yamlnode.NewEncoder(&out)
	w.SetIndent(2)
	err := cmp.Or(w.Encode(doc), w.Close())
	return out.String(), err
}

func stageNodes(doc *yamlnode.Node) []*yamlnode.Node {
	stages := child(child(doc, "spec"), "stages")
	if stages == nil {
		return nil
	}
	return stages.Content
}

// child is the value of a key, or nil.
func child(n *yamlnode.Node, key string) *yamlnode.Node {
	if i := indexOf(n, key); i >= 0 {
		return n.Content[i+1]
	}
	return nil
}

func indexOf(n *yamlnode.Node, key string) int {
	if n != nil && n.Kind == yamlnode.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return i
			}
		}
	}
	return -1
}

func scalar(n *yamlnode.Node) string {
	if n == nil {
		return ""
	}
	return n.Value
}

func set(n *yamlnode.Node, key string, value *yamlnode.Node) {
	if i := indexOf(n, key); i >= 0 {
		n.Content[i+1] = value
		return
	}
	n.Content = append(n.Content, textNode(key), value)
}

func unset(n *yamlnode.Node, key string) {
	if i := indexOf(n, key); i >= 0 {
		n.Content = slices.Delete(n.Content, i, i+2)
	}
}

// nameFirst has what people look for in a stage above the rest.
func nameFirst(stage *yamlnode.Node) {
	var head []*yamlnode.Node
	for _, key := range []string{"name", "title", "after", "when"} {
		if i := indexOf(stage, key); i >= 0 {
			head = append(head, stage.Content[i], stage.Content[i+1])
			stage.Content = slices.Delete(stage.Content, i, i+2)
		}
	}
	stage.Content = append(head, stage.Content...)
}
