package bake

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/ignore"
	"helm.sh/helm/v4/pkg/strvals"
	"sigs.k8s.io/yaml"
)

// renderHelm does what `helm template` does, for a cluster of the newest Kubernetes
// that the library knows. Hooks that only test an installation are left out, since
// they are no part of one. There is no client: lookup finds nothing, and no name is resolved.
func renderHelm(t Tree, r Request) ([][]byte, error) {
	c, err := loadChart(t, r.Path)
	if err != nil {
		return nil, err
	}
	values, err := chartValues(t, r)
	if err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, fmt.Errorf("%s: dependencies: %w", place(r.Path), err)
	}
	release := common.ReleaseOptions{Name: cmp.Or(r.Name, c.Name()), Namespace: cmp.Or(r.Namespace, "default"), Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(c, values, release, common.DefaultCapabilities)
	if err != nil {
		return nil, fmt.Errorf("%s: values: %w", place(r.Path), err)
	}
	texts, err := engine.Render(c, all)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place(r.Path), err)
	}
	return chartObjects(c, texts, r.CRDs)
}

func chartObjects(c *chart.Chart, texts map[string]string, crds bool) (all [][]byte, err error) {
	if crds {
		for _, crd := range c.CRDObjects() {
			objects, err := split(string(crd.File.Data))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", crd.Filename, err)
			}
			all = append(all, objects...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if path.Base(name) == "NOTES.txt" {
			continue
		}
		objects, err := split(texts[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, slices.DeleteFunc(objects, isTest)...)
	}
	return all, nil
}

// isTest reports whether all that an object is for is `helm test`.
func isTest(document []byte) bool {
	var o struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	if yaml.Unmarshal(document, &o) != nil {
		return false
	}
	hooks, is := o.Metadata.Annotations["helm.sh/hook"]
	return is && !slices.ContainsFunc(strings.Split(hooks, ","), func(hook string) bool {
		return !strings.HasPrefix(strings.TrimSpace(hook), "test")
	})
}

// loadChart reads the chart of a folder as helm does, but for what is not there.
func loadChart(t Tree, dir string) (*chart.Chart, error) {
	if err := t.noLinks(dir); err != nil {
		return nil, err
	}
	files, err := chartFiles(t, dir)
	if err != nil {
		return nil, err
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("%s is no chart that helm reads: %w", place(dir), err)
	}
	if c.Metadata.Type == "library" {
		return nil, fmt.Errorf("%s is a library chart, which has no objects of its own; name the chart that uses it", place(dir))
	}
	for _, wanted := range c.Metadata.Dependencies {
		if !slices.ContainsFunc(c.Dependencies(), func(d *chart.Chart) bool { return d.Name() == wanted.Name }) {
			return nil, fmt.Errorf("%s: Chart.yaml names the dependency %s, which is not in charts/: run helm dependency build and commit what it puts there; nothing is fetched", place(dir), wanted.Name)
		}
	}
	return c, localSchemas(c)
}

// chartFiles are those that .helmignore leaves.
func chartFiles(t Tree, dir string) ([]*archive.BufferedFile, error) {
	rules := ignore.Empty()
	if text, ok := t.Files[path.Join(dir, ignore.HelmIgnore)]; ok {
		var err error
		if rules, err = ignore.Parse(bytes.NewReader(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", path.Join(dir, ignore.HelmIgnore), err)
		}
	}
	rules.AddDefaults()
	var files []*archive.BufferedFile
	for _, name := range t.below(dir) {
		if !ignored(rules, name) {
			data := bytes.TrimPrefix(t.Files[path.Join(dir, name)], []byte("\xEF\xBB\xBF"))
			files = append(files, &archive.BufferedFile{Name: name, Data: data})
		}
	}
	return files, nil
}

// ignored reports whether a file, or a folder that it is in, is to be ignored.
func ignored(rules *ignore.Rules, name string) bool {
	if rules.Ignore(name, entry{name, false}) {
		return true
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if rules.Ignore(dir, entry{dir, true}) {
			return true
		}
	}
	return false
}

// entry is what ignore asks of a file of a Tree.
type entry struct {
	name  string
	isDir bool
}

func (e entry) Name() string       { return path.Base(e.name) }
func (e entry) Size() int64        { return 0 }
func (e entry) ModTime() time.Time { return time.Time{} }
func (e entry) IsDir() bool        { return e.isDir }
func (e entry) Sys() any           { return nil }
func (e entry) Mode() fs.FileMode {
	if e.isDir {
		return fs.ModeDir
	}
	return 0
}

// chartValues merges what is given over the chart's own values.
func chartValues(t Tree, r Request) (map[string]any, error) {
	values := map[string]any{}
	for _, file := range r.ValuesFiles {
		if path.IsAbs(file) {
			return nil, fmt.Errorf("values file %q leads out of what may be read; name one relative to the chart", file)
		}
		name, err := inTree(path.Join(r.Path, file))
		if err != nil {
			return nil, err
		}
		text, err := t.read(name)
		if err != nil {
			return nil, fmt.Errorf("values file: %w", err)
		}
		if values, err = merged(values, text); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	values, err := merged(values, []byte(r.Values))
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	for _, key := range slices.Sorted(maps.Keys(r.Set)) {
		if err := strvals.ParseLiteralInto(key+"="+r.Set[key], values); err != nil {
			return nil, fmt.Errorf("set %s: %w", key, err)
		}
	}
	return values, nil
}

func merged(values map[string]any, text []byte) (map[string]any, error) {
	more, err := loader.LoadValues(bytes.NewReader(text))
	return loader.MergeMaps(values, more), err
}

// localSchemas refuses a schema of values that names another one: helm would read
// files of the machine for it, and call addresses.
func localSchemas(c *chart.Chart) error {
	if c.Schema != nil {
		var schema any
		if err := json.Unmarshal(c.Schema, &schema); err != nil {
			return fmt.Errorf("values.schema.json of chart %s: %w", c.Name(), err)
		}
		if ref := foreignRef(schema); ref != "" {
			return fmt.Errorf("values.schema.json of chart %s refers to %.200q, and nothing outside of it is read: put the definition into it (#/$defs/NAME)", c.Name(), ref)
		}
	}
	for _, d := range c.Dependencies() {
		if err := localSchemas(d); err != nil {
			return err
		}
	}
	return nil
}

// dialects are the schemas of schemas that are in the library.
var dialects = []string{
	"json-schema.org/draft-04/schema", "json-schema.org/draft-06/schema", "json-schema.org/draft-07/schema",
	"json-schema.org/draft/2019-09/schema", "json-schema.org/draft/2020-12/schema",
}

// foreignRef finds a reference to something outside of a schema; "": none.
func foreignRef(v any) string {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if ref := foreignRef(item); ref != "" {
				return ref
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if text, is := v[key].(string); is && refersOut(key, text) {
				return text
			}
			if ref := foreignRef(v[key]); ref != "" {
				return ref
			}
		}
	}
	return ""
}

func refersOut(key, to string) bool {
	switch key {
	case "$ref", "$dynamicRef", "$recursiveRef":
		return !strings.HasPrefix(to, "#")
	case "$schema":
		_, name, _ := strings.Cut(strings.TrimSuffix(to, "#"), "://")
		return !slices.Contains(dialects, name)
	}
	return false
}
