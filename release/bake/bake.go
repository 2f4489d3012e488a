// Package bake makes Kubernetes manifests of a Helm chart, a kustomization or a
// Jsonnet program, as the tools of these names would.
//
// Input: a Tree, all that may be read, and a Request. Output: YAML documents in the
// order of the tool. Nothing is fetched: a dependency has to be in the tree. What
// leads out of it (a link, a base at an address, a plugin, a schema elsewhere) is
// refused by name before a library sees it. Time and memory are not bounded here, and
// a library may have a hole: strangers' trees are rendered in a jail (bake/jail).
package bake

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Kind is the tool that a Request is for.
type Kind string

const (
	Helm      Kind = "helm"
	Kustomize Kind = "kustomize"
	Jsonnet   Kind = "jsonnet"
)

// Request is what to render, and with what.
type Request struct {
	Kind Kind
	// Path in the tree: a chart, a kustomization, a program or a folder with main.jsonnet; empty: the tree itself.
	Path string
	// Name and Namespace of the release are Helm's. A chart may use the namespace; no object is moved into it.
	Name, Namespace string
	// ValuesFiles of Helm in the tree, relative to Path; a later one wins, and Values over all of them.
	ValuesFiles []string
	// Values of Helm: YAML.
	Values string
	// Set are strings over Values, by dotted path, as helm's --set-literal.
	Set map[string]string
	// CRDs has Helm's crds/ rendered, too.
	CRDs bool
	// Variables (std.extVar) and Arguments (of a function at the top) of Jsonnet are strings.
	Variables, Arguments map[string]string
}

// Render makes the manifests: YAML documents, each an object with kind and apiVersion,
// separated by lines of ---. Errors are for whoever wrote the tree.
func Render(t Tree, r Request) ([]byte, error) {
	var err error
	if r.Path, err = inTree(r.Path); err != nil {
		return nil, err
	}
	if link, is := t.link(r.Path); is {
		return nil, linkError(link)
	}
	if err := r.fits(); err != nil {
		return nil, err
	}
	var documents [][]byte
	switch r.Kind {
	case Helm:
		documents, err = renderHelm(t, r)
	case Kustomize:
		documents, err = renderKustomize(t, r)
	case Jsonnet:
		documents, err = renderJsonnet(t, r)
	default:
		err = fmt.Errorf("kind %q is none; want helm, kustomize or jsonnet", r.Kind)
	}
	if err == nil && len(documents) == 0 {
		err = fmt.Errorf("%s gives no object: is it the right folder?", place(r.Path))
	}
	return bytes.Join(documents, []byte("---\n")), err
}

// fits refuses what is another kind's: it would be lost without a word.
func (r Request) fits() error {
	given := map[string]bool{
		"name": r.Name != "", "namespace": r.Namespace != "", "valuesFiles": len(r.ValuesFiles) > 0, "values": r.Values != "", "set": len(r.Set) > 0, "crds": r.CRDs,
		"variables": len(r.Variables) > 0, "arguments": len(r.Arguments) > 0,
	}
	of := map[Kind][]string{Helm: {"name", "namespace", "valuesFiles", "values", "set", "crds"}, Jsonnet: {"variables", "arguments"}}
	var wrong []string
	for name, is := range given {
		if is && !slices.Contains(of[r.Kind], name) {
			wrong = append(wrong, name)
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return fmt.Errorf("%s: %s takes none; remove it", strings.Join(wrong, ", "), r.Kind)
	}
	return nil
}

// inTree is a path as the tree has it; "." is all of it.
func inTree(p string) (string, error) {
	clean := path.Clean(p)
	if path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") || strings.Contains(clean, "\\") {
		return "", fmt.Errorf("path %q leads out of what may be read; name one in it, such as deploy/chart", p)
	}
	return clean, nil
}

func place(p string) string {
	if p == "." {
		return "the folder"
	}
	return p
}

// document is one object of a YAML text, written anew; nil: there is none in it.
func document(text []byte) ([]byte, error) {
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	if string(asJSON) == "null" {
		return nil, nil
	}
	var is struct {
		Kind       string `json:"kind"`
		APIVersion string `json:"apiVersion"`
	}
	if err := yaml.Unmarshal(asJSON, &is); err != nil || is.Kind == "" || is.APIVersion == "" {
		return nil, fmt.Errorf("%.60q is no object with apiVersion and kind", text)
	}
	return yaml.JSONToYAML(asJSON)
}

// split gives the objects of YAML documents.
func split(text string) (all [][]byte, err error) {
	for part := range strings.SplitSeq("\n"+strings.ReplaceAll(text, "\r\n", "\n"), "\n---") {
		part = strings.TrimPrefix(part, " ") // what may follow ---
		d, err := document([]byte(part))
		if err != nil {
			return nil, err
		}
		if d != nil {
			all = append(all, d)
		}
	}
	return all, nil
}
