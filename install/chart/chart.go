// Package chart holds the Helm chart of weft and renders it.
//
// Input: values, as Helm takes them. Output: the objects that the chart makes, in
// the order in which they are to be applied. `weft install`, its plain manifests
// and Helm itself make the same objects, because this is their only source; Helm
// reads the folder weft, whose crds are those of api.
//
// It talks to no cluster.
package chart

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

//go:embed weft/Chart.yaml weft/values.yaml all:weft/templates
var files embed.FS

// Namespace is where weft is in a cluster.
const Namespace = "weft-system"

// Name is that of what a revision has alone: its Deployment, its webhook.
func Name(revision string) string {
	if revision == "default" {
		return "weft"
	}
	return "weft-" + revision
}

// Options are what the chart is rendered for.
type Options struct {
	Version string         // of weft; images that are not named have it as their tag
	Values  map[string]any // over those of the chart
}

// Render makes the objects, the namespace first, without CRDs.
func Render(o Options) ([]*unstructured.Unstructured, error) {
	c, err := load(o.Version)
	if err != nil {
		return nil, err
	}
	release := common.ReleaseOptions{Name: "weft", Namespace: Namespace, Revision: 1, IsInstall: true}
	values, err := util.ToRenderValues(c, o.Values, release, common.DefaultCapabilities)
	if err != nil {
		return nil, fmt.Errorf("chart: values: %w", err)
	}
	texts, err := engine.Render(c, values)
	if err != nil {
		return nil, fmt.Errorf("chart: %w", err)
	}
	all := []*unstructured.Unstructured{namespace()}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if strings.HasSuffix(name, ".tpl") {
			continue
		}
		objects, err := split(texts[name])
		if err != nil {
			return nil, fmt.Errorf("chart: %s: %w", name, err)
		}
		all = append(all, objects...)
	}
	slices.SortStableFunc(all, func(a, b *unstructured.Unstructured) int { return rank(a) - rank(b) })
	return all, nil
}

// load reads the chart out of the binary.
func load(version string) (*chart.Chart, error) {
	c := &chart.Chart{Metadata: &chart.Metadata{}}
	err := fs.WalkDir(files, "weft", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		switch name := strings.TrimPrefix(path, "weft/"); name {
		case "Chart.yaml":
			return yaml.UnmarshalStrict(data, c.Metadata)
		case "values.yaml":
			return yaml.Unmarshal(data, &c.Values)
		default:
			c.Templates = append(c.Templates, &common.File{Name: name, Data: data})
		}
		return nil
	})
	c.Metadata.AppVersion = version
	return c, err
}

// split reads the objects of one rendered template.
func split(text string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		object := map[string]any{}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			return nil, err
		}
		if len(object) > 0 {
			all = append(all, &unstructured.Unstructured{Object: object})
		}
	}
	return all, nil
}

func namespace() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace",
		"metadata": map[string]any{"name": Namespace, "labels": map[string]any{"app.kubernetes.io/part-of": "weft"}},
	}}
}

// order is what others need first. The webhooks are last: they are nothing without their server.
var order = []string{"Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ConfigMap", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "Service", "GatewayClass", "Deployment", "PodDisruptionBudget", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}

func rank(o *unstructured.Unstructured) int { return slices.Index(order, o.GetKind()) }
