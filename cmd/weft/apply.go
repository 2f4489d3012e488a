package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	yamlv3 "go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"

	"weft.dev/translate/object"
)

const fieldManager = "weft"

func newApply() *cobra.Command {
	var paths []string
	var namespace string
	c := &cobra.Command{
		Use:   "apply -f PATH",
		Short: "Apply resources, remembering file and line for `weft explain`",
		Long: `Apply the resources in a file, a folder of *.yaml files, or on stdin (-), by server-side apply. The same
as kubectl apply --server-side, but each object remembers the file and the lines it came from.`,
		Example: "  weft apply -f examples/shop",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := restConfig(c)
			if err != nil {
				return err
			}
			applier, err := newApplier(config, namespace)
			if err != nil {
				return err
			}
			documents, err := readAll(paths, c.InOrStdin())
			if err != nil {
				return err
			}
			return applier.all(c.Context(), documents, c.OutOrStdout())
		},
	}
	c.Flags().StringArrayVarP(&paths, "filename", "f", nil, "file, folder or - (repeatable)")
	_ = c.MarkFlagRequired("filename")
	c.Flags().StringVarP(&namespace, "namespace", "n", "default", "namespace of objects that name none")
	return c
}

// document is one YAML document with the place where it stands.
type document struct {
	file  string
	line  int // of its first line
	lines map[string]int
	body  []byte
}

func readAll(paths []string, stdin io.Reader) ([]document, error) {
	var all []document
	for _, path := range paths {
		if path == "-" {
			text, err := io.ReadAll(stdin)
			if err != nil {
				return nil, err
			}
			found, err := split("stdin", text)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
			continue
		}
		files, err := yamlFiles(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			found, err := split(file, text)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

// yamlFiles are the YAML files directly in a folder, in order, or the file itself.
func yamlFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		if isYAML(entry) {
			files = append(files, filepath.Join(path, entry.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no *.yaml files in it", path)
	}
	return files, nil
}

func isYAML(entry fs.DirEntry) bool {
	return !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(entry.Name()))
}

// split cuts a file into its documents, with the line of every list item: what
// provenance points at.
func split(file string, text []byte) ([]document, error) {
	decoder := yamlv3.NewDecoder(strings.NewReader(string(text)))
	var documents []document
	for {
		var node yamlv3.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if len(node.Content) == 0 || node.Content[0].Tag == "!!null" {
			continue // only comments
		}
		if node.Content[0].Kind != yamlv3.MappingNode {
			return nil, fmt.Errorf("%s:%d: want an object, with apiVersion and kind", file, node.Content[0].Line)
		}
		body, err := yamlv3.Marshal(&node)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		lines := map[string]int{}
		itemLines(node.Content[0], "", lines)
		documents = append(documents, document{file, node.Content[0].Line, lines, body})
	}
}

// maxLines bounds the annotation that carries them.
const maxLines = 500

func itemLines(node *yamlv3.Node, path string, lines map[string]int) {
	switch node.Kind {
	case yamlv3.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			itemLines(node.Content[i+1], strings.TrimPrefix(path+"."+node.Content[i].Value, "."), lines)
		}
	case yamlv3.SequenceNode:
		for i, item := range node.Content {
			if item.Kind != yamlv3.MappingNode || len(lines) >= maxLines {
				return
			}
			itemPath := fmt.Sprintf("%s[%d]", path, i)
			lines[itemPath] = item.Line
			itemLines(item, itemPath, lines)
		}
	}
}

// applier applies documents by server-side apply.
type applier struct {
	client    dynamic.Interface
	mapper    meta.RESTMapper
	namespace string
}

func newApplier(config *rest.Config, namespace string) (*applier, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found))
	return &applier{client, mapper, namespace}, nil
}

// all applies every document, also those after one that is refused.
func (a *applier) all(ctx context.Context, documents []document, out io.Writer) error {
	var refused []error
	for _, d := range documents {
		name, err := a.one(ctx, d)
		if err != nil {
			refused = append(refused, fmt.Errorf("%s:%d: %w", d.file, d.line, err))
			continue
		}
		fmt.Fprintln(out, name+" applied")
	}
	return errors.Join(refused...)
}

func (a *applier) one(ctx context.Context, d document) (string, error) {
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(d.body, &o.Object); err != nil {
		return "", err
	}
	mapping, err := a.mapper.RESTMapping(o.GroupVersionKind().GroupKind(), o.GroupVersionKind().Version)
	if err != nil {
		return "", fmt.Errorf("kind %s of %s: %w", o.GetKind(), o.GetAPIVersion(), err)
	}
	if err := annotate(o, d); err != nil {
		return "", err
	}
	var client dynamic.ResourceInterface = a.client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		if o.GetNamespace() == "" {
			o.SetNamespace(a.namespace)
		}
		client = a.client.Resource(mapping.Resource).Namespace(o.GetNamespace())
	}
	body, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	force := true
	_, err = client.Patch(ctx, o.GetName(), types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: fieldManager, Force: &force, FieldValidation: metav1.FieldValidationStrict})
	return strings.ToLower(o.GetKind()) + "/" + o.GetName(), err
}

func annotate(o *unstructured.Unstructured, d document) error {
	lines, err := json.Marshal(d.lines)
	if err != nil {
		return err
	}
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[object.SourceAnnotation] = fmt.Sprintf("%s:%d", d.file, d.line)
	annotations[object.LinesAnnotation] = string(lines)
	o.SetAnnotations(annotations)
	return nil
}
