package folder

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// tree is the folder and those below it, each watched if there is a watcher. Paths
// in it are relative, with slashes; "." is the folder itself.
type tree struct {
	dir     string
	watcher *fsnotify.Watcher // nil: the folder does not change
	watched map[string]identity
}

func (t *tree) name(path string) string { return filepath.Join(t.dir, filepath.FromSlash(path)) }

// Reads says whether a file at a path of a folder is one that is read.
func Reads(path string) bool {
	return isFile(path) && !slices.ContainsFunc(strings.Split(path, "/"), isHidden)
}

// isFile says whether files of the name are read. Names that begin with a dot
// or # are editors' and Kubernetes' own.
func isFile(path string) bool {
	return !isHidden(path) && slices.Contains([]string{".yaml", ".yml", ".json", programExt, libraryExt}, filepath.Ext(path))
}

func isHidden(name string) bool {
	base := path.Base(name)
	return base != "." && strings.IndexAny(base, ".#~") == 0
}

// found is what a walk finds.
type found struct {
	files   map[string]stamp
	unknown []string         // folders that could not be read: what is below them is not known
	faults  map[string]error // by folder
}

// walk looks at everything below a path, and watches each folder before it lists
// it: what changes in between is seen twice, and not never.
func (t *tree) walk(path string) found {
	f := found{files: map[string]stamp{}, faults: map[string]error{}}
	t.enter(path, t.above(path), &f)
	return f
}

// above are the folders around a path.
func (t *tree) above(dir string) (all []identity) {
	for dir != "." {
		dir = path.Dir(dir)
		if info, err := os.Stat(t.name(dir)); err == nil {
			all = append(all, identityOf(info))
		}
	}
	return all
}

func (t *tree) enter(dir string, above []identity, f *found) {
	info, err := os.Stat(t.name(dir))
	if err != nil || !info.IsDir() {
		t.leave(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.fail(dir, err)
		}
		return
	}
	is := identityOf(info)
	if slices.Contains(above, is) {
		return // a link to a folder around it
	}
	if len(above) >= MaxDepth {
		f.fail(dir, errors.New(t.name(dir)+": more folders below each other than are read; move it up"))
		return
	}
	if err := t.watch(dir, is); err != nil {
		f.faults[dir] = err // the slow look still sees what happens in it
	}
	entries, err := os.ReadDir(t.name(dir))
	if err != nil {
		f.fail(dir, err)
		return
	}
	above = append(slices.Clone(above), is)
	for _, entry := range entries {
		below := path.Join(dir, entry.Name())
		if isHidden(below) {
			continue
		}
		info, err := os.Stat(t.name(below))
		switch {
		case err == nil && info.IsDir():
			t.enter(below, above, f)
		case err == nil && isFile(below):
			f.files[below] = stampOf(info)
		case err != nil && isFile(below) && !errors.Is(err, fs.ErrNotExist):
			f.files[below] = stamp{} // reading it says what is wrong
		}
	}
}

func (f *found) fail(dir string, err error) {
	f.unknown = append(f.unknown, dir)
	f.faults[dir] = err
}

// covers says whether a path that was not found is known to be gone.
func (f *found) covers(path string) bool {
	return !slices.ContainsFunc(f.unknown, func(dir string) bool { return isBelow(path, dir) })
}

func isBelow(path, dir string) bool {
	return dir == "." || path == dir || strings.HasPrefix(path, dir+"/")
}

// watch watches the folder that a path leads to now.
func (t *tree) watch(dir string, is identity) error {
	was, known := t.watched[dir]
	if known && was == is || t.watcher == nil {
		return nil
	}
	if known {
		_ = t.watcher.Remove(t.name(dir)) // it may be gone, and its watch with it
	}
	if err := t.watcher.Add(t.name(dir)); err != nil {
		delete(t.watched, dir)
		return err
	}
	t.watched[dir] = is
	return nil
}

// leave ends the watches of a folder that is gone, and of those below it.
func (t *tree) leave(dir string) {
	for path := range t.watched {
		if isBelow(path, dir) {
			_ = t.watcher.Remove(t.name(path))
			delete(t.watched, path)
		}
	}
}

// look is what an event asks to be looked at: a file to read, or a path below
// which everything is compared; both may be empty.
func (t *tree) look(event fsnotify.Event) (file, below string) {
	rel, err := filepath.Rel(t.dir, event.Name)
	if err != nil {
		return "", "."
	}
	path := filepath.ToSlash(rel)
	if _, known := t.watched[path]; known {
		return "", path
	}
	if strings.HasPrefix(filepath.Base(path), "..") {
		return "", filepath.ToSlash(filepath.Dir(rel)) // Kubernetes swaps the link ..data, and every file changes
	}
	if isHidden(path) {
		return "", ""
	}
	if info, err := os.Stat(t.name(path)); err == nil && info.IsDir() {
		return "", path
	}
	if isFile(path) {
		return path, ""
	}
	return "", ""
}
