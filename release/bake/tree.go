package bake

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Tree is a checkout in memory: all that a Request may read. Paths have slashes, are
// clean and relative.
type Tree struct {
	Files map[string][]byte
	// Links are there but not followed, wherever they lead: by their path, what they say.
	Links map[string]string
}

// below are the files in a folder, by their path in it, in order.
func (t Tree) below(dir string) (names []string) {
	for name := range t.Files {
		if rest, ok := strings.CutPrefix("/"+name, folder(dir)); ok {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return names
}

// folder is a path with a slash before and after it.
func folder(dir string) string {
	if dir == "." {
		return "/"
	}
	return "/" + dir + "/"
}

// link is the link that a path is, or leads through.
func (t Tree) link(p string) (string, bool) {
	for at := p; at != "."; at = path.Dir(at) {
		if _, is := t.Links[at]; is {
			return at, true
		}
	}
	return "", false
}

// noLinks refuses a folder with a link in it: what it leads to would be missing without a word.
func (t Tree) noLinks(dir string) error {
	for _, name := range slices.Sorted(maps.Keys(t.Links)) {
		if strings.HasPrefix("/"+name, folder(dir)) {
			return linkError(name)
		}
	}
	return nil
}

func linkError(name string) error {
	return fmt.Errorf("%s is a link, and links are not followed: put what it leads to there itself", name)
}

// read is the text of a file, or why there is none.
func (t Tree) read(name string) ([]byte, error) {
	if link, is := t.link(name); is {
		return nil, linkError(link)
	}
	data, ok := t.Files[name]
	if !ok {
		return nil, fmt.Errorf("there is no file %s", name)
	}
	return data, nil
}
