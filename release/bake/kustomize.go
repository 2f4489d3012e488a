package bake

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// renderKustomize does what `kustomize build` does without any flag: plugins and
// charts are off, files are read at and below the kustomization that names them alone.
func renderKustomize(t Tree, r Request) ([][]byte, error) {
	guarded := guard(t)
	options := krusty.MakeDefaultOptions() // root only, no plugins
	options.Reorder = krusty.ReorderOptionUnspecified
	made, err := krusty.MakeKustomizer(options).Run(guarded, path.Join("/", r.Path))
	switch {
	case guarded.refusal != nil:
		return nil, guarded.refusal
	case err != nil:
		return nil, fmt.Errorf("%s: %w", place(r.Path), err)
	}
	var all [][]byte
	for _, resource := range made.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			return nil, err
		}
		objects, err := split(string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return all, nil
}

// guarded are the files of a tree, at /, that the library gets to see only after what
// they name was looked at: where it names an address, the library would call it.
type guarded struct {
	filesys.FileSystem // for all else: an empty one, in memory
	tree               Tree
	folders            map[string]bool
	refusal            error // the first one; the library may take it for a file that is not there
}

func guard(t Tree) *guarded {
	g := &guarded{FileSystem: filesys.MakeEmptyDirInMemory(), tree: t, folders: map[string]bool{".": true}}
	for name := range t.Files {
		for dir := path.Dir(name); !g.folders[dir]; dir = path.Dir(dir) {
			g.folders[dir] = true
		}
	}
	return g
}

// CleanedAbs is asked before anything is read.
func (g *guarded) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	name = relative(name)
	_, isFile := g.tree.Files[name]
	switch link, isLink := g.tree.link(name); {
	case isLink:
		return "", "", g.refuse(linkError(link))
	case isFile:
		return filesys.ConfirmedDir(path.Dir("/" + name)), path.Base(name), nil
	case g.folders[name]:
		return filesys.ConfirmedDir(path.Join("/", name)), "", nil
	}
	return "", "", fmt.Errorf("there is no file and no folder %s", name)
}

func (g *guarded) IsDir(name string) bool { return g.folders[relative(name)] }

func (g *guarded) Exists(name string) bool {
	_, isFile := g.tree.Files[relative(name)]
	return isFile || g.IsDir(name)
}

func (g *guarded) ReadFile(name string) ([]byte, error) {
	name = relative(name)
	data, err := g.tree.read(name)
	switch {
	case err != nil:
		return nil, err
	case slices.Contains(konfig.RecognizedKustomizationFileNames(), path.Base(name)):
		err = vetKustomization(name, data)
	default:
		err = vetPlugins(name, string(data))
	}
	return data, g.refuse(err)
}

// relative is the path in the tree of one from /.
func relative(name string) string {
	return path.Clean(strings.TrimPrefix(path.Join("/", name), "/"))
}

func (g *guarded) refuse(err error) error {
	if g.refusal == nil {
		g.refusal = err
	}
	return err
}
