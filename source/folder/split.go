package folder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"weft.dev/api"
)

// Document is one object of a file, with the place where it stands.
type Document struct {
	File   string
	Line   int            // of its first line
	Lines  map[string]int // of every list item in it: what provenance points at
	Object map[string]any // as JSON has it: int64, float64, string, bool, nil, []any, map[string]any
}

// At is "FILE:LINE" of a part of the object: of the smallest one around it whose
// line is known.
func (d Document) At(path string) string {
	for part := path; part != ""; part = part[:max(0, strings.LastIndexAny(part, ".["))] {
		if line, ok := d.Lines[part]; ok {
			return place(d.File, line)
		}
	}
	return place(d.File, d.Line)
}

func place(file string, line int) string { return file + ":" + strconv.Itoa(line) }

// Annotate writes the place into the object's annotations.
func (d Document) Annotate() error {
	metadata, ok := d.Object["metadata"].(map[string]any)
	if !ok {
		return errors.New("metadata: none; write metadata.name")
	}
	annotations, ok := metadata["annotations"].(map[string]any)
	if !ok && metadata["annotations"] != nil {
		return errors.New("metadata.annotations: want names and texts")
	}
	if !ok {
		annotations = map[string]any{}
		metadata["annotations"] = annotations
	}
	lines, err := json.Marshal(d.Lines)
	if err != nil {
		return err
	}
	annotations[api.SourceAnnotation] = place(d.File, d.Line)
	annotations[api.LinesAnnotation] = string(lines)
	return nil
}

// Split reads the objects of a file's text, those within a List included.
// Words mean what they mean to kubectl: yes, no, on and off are truth values.
// The error begins with file and line.
func Split(file string, text []byte) ([]Document, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var documents []Document
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, syntaxError(file, err)
		}
		if len(node.Content) == 0 || node.Content[0].Tag == "!!null" {
			continue // only comments
		}
		for _, object := range unlist(node.Content[0]) {
			d, err := read(file, object)
			if err != nil {
				return nil, err
			}
			documents = append(documents, d)
		}
	}
}

// unlist gives the items of a List, as `kubectl get -o yaml` prints it.
func unlist(node *yaml.Node) []*yaml.Node {
	var kind, items *yaml.Node
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		switch node.Content[i].Value {
		case "kind":
			kind = node.Content[i+1]
		case "items":
			items = node.Content[i+1]
		}
	}
	if kind == nil || items == nil || kind.Value != "List" || items.Kind != yaml.SequenceNode {
		return []*yaml.Node{node}
	}
	return items.Content
}

func read(file string, node *yaml.Node) (Document, error) {
	d := Document{File: file, Line: node.Line, Lines: map[string]int{}}
	if node.Kind != yaml.MappingNode {
		return d, fmt.Errorf("%s: want an object, with apiVersion and kind", place(file, node.Line))
	}
	d.prepare(node, "")
	var value map[string]any
	if err := node.Decode(&value); err != nil {
		return d, syntaxError(file, err)
	}
	plain, err := jsonValue(value)
	if err != nil {
		return d, fmt.Errorf("%s: %w", place(file, node.Line), err)
	}
	d.Object = plain.(map[string]any)
	return d, nil
}

// prepare notes the lines of list items, and gives scalars the meaning that they
// have in Kubernetes: keys and dates are texts.
func (d Document) prepare(node *yaml.Node, path string) {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			if key.Kind == yaml.ScalarNode && key.Tag != "!!merge" {
				key.Tag = "!!str"
			}
			d.prepare(node.Content[i+1], strings.TrimPrefix(path+"."+key.Value, "."))
		}
	case yaml.SequenceNode:
		for i, item := range node.Content {
			itemPath := path + "[" + strconv.Itoa(i) + "]"
			if item.Kind == yaml.MappingNode && len(d.Lines) < maxLines {
				d.Lines[itemPath] = item.Line
			}
			d.prepare(item, itemPath)
		}
	case yaml.ScalarNode:
		truth, isTruth := truths[node.Value]
		switch {
		case node.Tag == "!!timestamp":
			node.Tag = "!!str"
		case isTruth && node.Tag == "!!str" && node.Style == 0:
			node.Tag, node.Value = "!!bool", truth
		}
	}
}

// truths are the words of YAML 1.1 that YAML 1.2 took for texts.
var truths = map[string]string{
	"y": "true", "Y": "true", "yes": "true", "Yes": "true", "YES": "true", "on": "true", "On": "true", "ON": "true",
	"n": "false", "N": "false", "no": "false", "No": "false", "NO": "false", "off": "false", "Off": "false", "OFF": "false",
}

// jsonValue makes of what YAML gave what JSON would give.
func jsonValue(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			plain, err := jsonValue(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			v[key] = plain
		}
		return v, nil
	case []any:
		for i, value := range v {
			plain, err := jsonValue(value)
			if err != nil {
				return nil, err
			}
			v[i] = plain
		}
		return v, nil
	case int:
		return int64(v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%v is no number that JSON has", v)
		}
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil // JSON has one sort of numbers
		}
		return v, nil
	case string, bool, int64, nil:
		return v, nil
	case uint64:
		return float64(v), nil
	}
	return nil, fmt.Errorf("a value of type %T is none that JSON has; put it in quotes", v)
}

var lineForm = regexp.MustCompile(`line (\d+): `)

// syntaxError moves the line of a YAML error to where editors look for it.
func syntaxError(file string, err error) error {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:\n  ")
	text, _, _ = strings.Cut(text, "\n")
	at := lineForm.FindStringSubmatchIndex(text)
	if at == nil {
		return fmt.Errorf("%s: %s", file, text)
	}
	return fmt.Errorf("%s:%s: %s", file, text[at[2]:at[3]], text[at[1]:])
}
