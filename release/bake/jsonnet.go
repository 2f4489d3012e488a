package bake

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/google/go-jsonnet"
)

// maxStack is how deep calls of a program may be.
const maxStack = 500

// libraries are where an import is looked for after the folder of who imports it, as
// jsonnet-bundler and Tanka have them.
var libraries = []string{"vendor", "lib"}

// renderJsonnet evaluates a program. What it gives may be an object, a List, an
// array, or a map of such; objects of a map are in the order of its keys.
func renderJsonnet(t Tree, r Request) ([][]byte, error) {
	if _, isFile := t.Files[r.Path]; !isFile {
		r.Path = path.Join(r.Path, "main.jsonnet")
	}
	vm := jsonnet.MakeVM()
	vm.MaxStack = maxStack
	vm.Importer(&importer{t, map[string]jsonnet.Contents{}})
	for key, value := range r.Variables {
		vm.ExtVar(key, value)
	}
	for key, value := range r.Arguments {
		vm.TLAVar(key, value)
	}
	out, err := vm.EvaluateFile(r.Path)
	if err != nil {
		return nil, errors.New(strings.TrimSpace(err.Error()))
	}
	var value any
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("%s: %w", r.Path, err)
	}
	return flatten(r.Path, value)
}

// flatten makes documents of a value; at says where in it.
func flatten(at string, value any) (all [][]byte, err error) {
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			documents, err := flatten(fmt.Sprintf("%s[%d]", at, i), item)
			if err != nil {
				return nil, err
			}
			all = append(all, documents...)
		}
		return all, nil
	case map[string]any:
		if items, isList := v["items"]; isList && v["kind"] == "List" {
			return flatten(at+".items", items)
		}
		if v["kind"] != nil && v["apiVersion"] != nil {
			text, err := json.Marshal(v)
			if err == nil {
				text, err = document(text)
			}
			return [][]byte{text}, err
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			documents, err := flatten(at+"."+key, v[key])
			if err != nil {
				return nil, err
			}
			all = append(all, documents...)
		}
		return all, nil
	case nil: // switched off
		return nil, nil
	}
	return nil, fmt.Errorf("%s is %.40q; want an object with apiVersion and kind, or a map or an array of such", at, fmt.Sprint(value))
}

// importer reads from the tree alone.
type importer struct {
	tree Tree
	read map[string]jsonnet.Contents // by path: an import has to be the same all the time
}

func (i *importer) Import(from, imported string) (jsonnet.Contents, string, error) {
	if path.IsAbs(imported) {
		return jsonnet.Contents{}, "", fmt.Errorf("import %q: leads out of what may be read; name a file in it, relative to the one that imports", imported)
	}
	tried := []string{path.Join(path.Dir(from), imported)}
	for _, dir := range libraries {
		tried = append(tried, path.Join(dir, imported))
	}
	var first error
	for _, name := range tried {
		contents, err := i.contents(name)
		if err == nil {
			return contents, name, nil
		}
		first = errors.Join(first, err)
		if _, isLink := i.tree.link(name); isLink {
			break
		}
	}
	return jsonnet.Contents{}, "", fmt.Errorf("import %q: %s", imported, strings.ReplaceAll(first.Error(), "\n", "; "))
}

func (i *importer) contents(name string) (jsonnet.Contents, error) {
	name, err := inTree(name)
	if err != nil {
		return jsonnet.Contents{}, err
	}
	if known, ok := i.read[name]; ok {
		return known, nil
	}
	data, err := i.tree.read(name)
	if err != nil {
		return jsonnet.Contents{}, err
	}
	i.read[name] = jsonnet.MakeContentsRaw(data)
	return i.read[name], nil
}
