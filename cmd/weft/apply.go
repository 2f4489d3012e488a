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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"weft.dev/source/folder"
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

func readAll(paths []string, stdin io.Reader) ([]folder.Document, error) {
	var all []folder.Document
	for _, path := range paths {
		if path == "-" {
			text, err := io.ReadAll(stdin)
			if err != nil {
				return nil, err
			}
			found, err := folder.Split("stdin", text)
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
			found, err := folder.Split(file, text)
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

// applier applies documents by server-side apply.
type applier struct {
	client    dynamic.Interface
	mapper    meta.RESTMapper
	namespace string
}

func newApplier(config *rest.Config, namespace string) (*applier, error) {
	client, mapper, err := newObjects(config)
	return &applier{client, mapper, namespace}, err
}

// newObjects reads and writes objects of every kind that an API server has.
func newObjects(config *rest.Config) (dynamic.Interface, meta.RESTMapper, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	return client, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found)), nil
}

// all applies every document, also those after one that is refused.
func (a *applier) all(ctx context.Context, documents []folder.Document, out io.Writer) error {
	var refused []error
	for _, d := range documents {
		name, err := a.one(ctx, d)
		if err != nil {
			refused = append(refused, fmt.Errorf("%s: %w", d.At(""), err))
			continue
		}
		fmt.Fprintln(out, name+" applied")
	}
	return answered(errors.Join(refused...))
}

func (a *applier) one(ctx context.Context, d folder.Document) (string, error) {
	if err := d.Annotate(); err != nil {
		return "", err
	}
	o := &unstructured.Unstructured{Object: d.Object}
	mapping, err := a.mapper.RESTMapping(o.GroupVersionKind().GroupKind(), o.GroupVersionKind().Version)
	if err != nil {
		return "", fmt.Errorf("kind %s of %s: %w", o.GetKind(), o.GetAPIVersion(), err)
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
