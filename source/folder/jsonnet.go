package folder

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-jsonnet"
)

const (
	programExt = ".jsonnet"   // evaluated: it becomes objects
	libraryExt = ".libsonnet" // for programs to import: it becomes nothing by itself
)

// program is one Jsonnet file while it is evaluated. Time and memory of an
// evaluation are not bounded, only its depth and what it reads and gives are:
// who may write to the folder is trusted that far.
type program struct {
	reader  *reader
	name    string // of the file, as people know it
	text    jsonnet.Contents
	imports map[string]uint64           // path in the folder -> sum of what was read there; 0: nothing
	read    map[string]jsonnet.Contents // by path: an import has to be the same all the time
}

// evaluate makes documents of a program; also if it fails, it says what was imported.
func (r *reader) evaluate(name string, text []byte) ([]Document, map[string]uint64, error) {
	p := &program{r, name, jsonnet.MakeContentsRaw(text), map[string]uint64{}, map[string]jsonnet.Contents{}}
	vm := jsonnet.MakeVM()
	vm.MaxStack = maxStack
	vm.Importer(p)
	vm.ErrorFormatter = oneLine{vm.ErrorFormatter}
	out, err := vm.EvaluateFile(name)
	switch {
	case err != nil:
		return nil, p.imports, err
	case len(out) > maxOutputBytes:
		return nil, p.imports, fmt.Errorf("%s: gives %d bytes, more than %d; split it", name, len(out), maxOutputBytes)
	}
	var value any
	if err := json.Unmarshal([]byte(out), &value); err != nil {
		return nil, p.imports, fmt.Errorf("%s: %w", name, err)
	}
	if value, err = jsonValue(value); err != nil {
		return nil, p.imports, fmt.Errorf("%s: %w", name, err)
	}
	documents, err := flatten(name, value)
	return documents, p.imports, err
}

// flatten makes documents of an object, of a List, and of arrays of them. They
// all stand where the program begins: Jsonnet does not say which line gave a value.
func flatten(name string, value any) ([]Document, error) {
	var items []any
	switch v := value.(type) {
	case map[string]any:
		list, isList := v["items"].([]any)
		if !isList || v["kind"] != "List" {
			return []Document{{File: name, Line: 1, Lines: map[string]int{}, Object: v}}, nil
		}
		items = list
	case []any:
		items = v
	default:
		return nil, fmt.Errorf("%s: gives %.40q; want an object with apiVersion and kind, or an array of such", place(name, 1), fmt.Sprint(v))
	}
	var all []Document
	for _, item := range items {
		documents, err := flatten(name, item)
		if err != nil {
			return nil, err
		}
		all = append(all, documents...)
	}
	return all, nil
}

// Import is jsonnet.Importer: the program itself, and libraries in the folder.
func (p *program) Import(from, imported string) (jsonnet.Contents, string, error) {
	if from == "" {
		return p.text, p.name, nil
	}
	at, err := p.reader.library(from, imported)
	if err != nil {
		return jsonnet.Contents{}, "", err
	}
	name := p.reader.name(at)
	if contents, known := p.read[at]; known {
		return contents, name, nil
	}
	p.imports[at] = 0
	text, err := p.reader.readInside(at)
	if err != nil {
		return jsonnet.Contents{}, "", err
	}
	p.imports[at] = maphash.Bytes(p.reader.seed, text)
	p.read[at] = jsonnet.MakeContentsRaw(text)
	return p.read[at], name, nil
}

// library is the path in the folder of what a file imports. Only what the folder
// watches may be imported: a change that nobody sees would never take effect.
func (r *reader) library(from, imported string) (string, error) {
	base, err := filepath.Rel(r.called, from)
	if err != nil {
		return "", err
	}
	at := path.Join(path.Dir(filepath.ToSlash(base)), imported)
	switch {
	case path.IsAbs(imported) || !filepath.IsLocal(filepath.FromSlash(at)):
		return "", fmt.Errorf("import %q: leads out of the folder %s; name a file in it, relative to the one that imports", imported, r.called)
	case path.Ext(at) != libraryExt || slices.ContainsFunc(strings.Split(at, "/"), isHidden):
		return "", fmt.Errorf("import %q: only *%s files are imported, and none with a name that begins with a dot, # or ~; rename it", imported, libraryExt)
	}
	return at, nil
}

// readInside reads a file of the folder, where no link leads out of it.
func (r *reader) readInside(at string) ([]byte, error) {
	root, err := os.OpenRoot(r.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(filepath.FromSlash(at))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("import of %s: there is no such file in %s", at, r.called)
	case err != nil:
		return nil, fmt.Errorf("import of %s: %w; put the file itself into the folder", at, err)
	case !info.Mode().IsRegular() || info.Size() > MaxFileBytes:
		return nil, fmt.Errorf("import of %s: want a regular file of at most %d bytes", at, MaxFileBytes)
	}
	file, err := root.Open(filepath.FromSlash(at))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, MaxFileBytes))
}

// oneLine says of an error what it is and where, without the stack.
type oneLine struct{ jsonnet.ErrorFormatter }

func (oneLine) Format(err error) string {
	var failed jsonnet.RuntimeError
	if errors.As(err, &failed) {
		for _, frame := range slices.Backward(failed.StackTrace) { // the innermost place is the last
			if frame.Loc.FileName != "" && frame.Loc.Begin.Line > 0 {
				return place(frame.Loc.FileName, frame.Loc.Begin.Line) + ": " + failed.Msg
			}
		}
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
