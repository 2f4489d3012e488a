package folder

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"weft.dev/api"
	"weft.dev/model"
)

// stamp tells one state of a file from another without reading it.
type stamp struct {
	identity
	modified time.Time
	size     int64
}

// identity is which file or folder a name leads to.
type identity struct{ device, inode uint64 }

func stampOf(info fs.FileInfo) stamp {
	return stamp{identityOf(info), info.ModTime(), info.Size()}
}

func identityOf(info fs.FileInfo) identity {
	stat := info.Sys().(*syscall.Stat_t) // weft runs on systems that have it
	return identity{uint64(stat.Dev), stat.Ino}
}

// reading is what was found at a path.
type reading struct {
	path    string // relative to the folder
	missing bool   // there is no such file
	stamp   stamp
	sum     uint64
	same    bool // it has the content that it had
	// broken: the file cannot be read, and nothing is known of its objects but what was.
	broken   bool
	objects  []api.Object // sound ones
	places   []string     // where each of them stands
	unsound  []string     // keys of objects that are there, and not as they should be
	problems []model.Problem
	imports  map[string]uint64 // what a program imported: sums by path
}

// fileKind is the kind of a problem's object where the problem is the file's.
const fileKind = "File"

// fail notes why nothing of the file can be used.
func (r *reading) fail(why string) {
	r.broken = true
	r.problems = []model.Problem{{
		Object: model.Key{Kind: fileKind, Name: r.path}, Code: model.ProblemInvalid,
		Message: why + "; what the file said before stays in effect until this is corrected",
	}}
}

// reader reads files. It keeps nothing and may be used at several places at once.
type reader struct {
	dir     string
	called  string // what people call dir
	schemas *schemas
	seed    maphash.Seed
}

// name is what people call a file.
func (r *reader) name(path string) string {
	return filepath.Join(r.called, filepath.FromSlash(path))
}

// read reads a file whose content had a sum.
func (r *reader) read(path string, sum uint64) reading {
	found := reading{path: path}
	name := r.name(path)
	text, info, err := readFile(filepath.Join(r.dir, filepath.FromSlash(path)), name)
	if info != nil {
		found.stamp = stampOf(info)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		found.missing = true
		return found
	case err != nil:
		found.fail(err.Error())
		return found
	}
	if found.sum = maphash.Bytes(r.seed, text); found.sum == sum {
		found.same = true
		return found
	}
	documents, err := r.documents(&found, name, text)
	if err != nil {
		found.fail(err.Error())
		return found
	}
	seen := map[string]string{}
	for _, d := range documents {
		r.add(&found, d, seen)
	}
	return found
}

// documents are those that the text of a file is, or makes.
func (r *reader) documents(of *reading, name string, text []byte) (all []Document, err error) {
	switch filepath.Ext(name) {
	case libraryExt:
		return nil, nil
	case programExt:
		all, of.imports, err = r.evaluate(name, text)
		return all, err
	}
	return Split(name, text)
}

// readFile reads a file, which people know by a name.
func readFile(at, name string) ([]byte, fs.FileInfo, error) {
	file, err := os.OpenFile(at, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not be waited for
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, nil, err
	case !info.Mode().IsRegular():
		return nil, info, fmt.Errorf("%s: is no regular file; move it out of the folder", name)
	case info.Size() > MaxFileBytes:
		return nil, info, fmt.Errorf("%s: has %d bytes, more than %d; split it", name, info.Size(), MaxFileBytes)
	}
	text, err := io.ReadAll(io.LimitReader(file, MaxFileBytes+1))
	if err == nil && len(text) > MaxFileBytes {
		err = fmt.Errorf("%s: grew over %d bytes; split it", name, MaxFileBytes)
	}
	return text, info, err
}

// add takes in one document.
func (r *reader) add(to *reading, d Document, seen map[string]string) {
	o, faults := r.object(d)
	if len(faults) == 0 && seen[o.Key()] != "" {
		faults = []fault{{message: "the same object is written at " + seen[o.Key()] + ", which wins because it comes first; remove one of them"}}
	} else if len(faults) == 0 {
		to.objects, to.places = append(to.objects, o), append(to.places, d.At(""))
	} else if o.Name != "" {
		to.unsound = append(to.unsound, o.Key())
	}
	if o.Name != "" && seen[o.Key()] == "" {
		seen[o.Key()] = d.At("")
	}
	subject := model.Key{Kind: string(o.Kind), Namespace: o.Namespace, Name: o.Name}
	if o.Name == "" {
		subject = model.Key{Kind: fileKind, Name: to.path}
	}
	for _, f := range faults[:min(len(faults), maxFaults)] {
		to.problems = append(to.problems, model.Problem{
			Object: subject, Code: model.ProblemInvalid, Path: f.path, Message: d.At(f.path) + ": " + f.message,
		})
	}
}

// fault is one thing that is wrong with an object.
type fault struct{ path, message string }

func faultsOf(errs field.ErrorList) []fault {
	var all []fault
	for _, err := range errs {
		all = append(all, fault{err.Field, err.ErrorBody()})
	}
	return all
}

// object makes the row of a document as an API server would: with defaults, and
// not at all if anything is wrong with it. The row's name is set if it is known.
func (r *reader) object(d Document) (api.Object, []fault) {
	apiVersion, _ := d.Object["apiVersion"].(string)
	kind, _ := d.Object["kind"].(string)
	gv, err := schema.ParseGroupVersion(apiVersion)
	info, ok := api.KindOf(gv.Group, kind)
	if err != nil || !ok {
		return api.Object{}, []fault{{"kind", fmt.Sprintf("weft does not accept kind %q of apiVersion %q; correct them, or move the object out of the folder", kind, apiVersion)}}
	}
	key := api.Object{Kind: info.Kind}
	key.Namespace, key.Name = identify(d.Object, info)
	schema, err := r.schemas.of(info, gv.Version)
	if err != nil {
		return key, []fault{{"apiVersion", err.Error()}}
	}
	delete(d.Object, "status") // it is not people's to say
	if err := d.Annotate(); err != nil {
		return key, []fault{{"metadata", err.Error()}}
	}
	faults := faultsOf(schema.complete(d.Object))
	text, err := json.Marshal(d.Object)
	if err != nil {
		return key, append(faults, fault{"", err.Error()})
	}
	o, err := api.Decode(text)
	if err != nil {
		return key, append(faults, fault{"", err.Error()})
	}
	if o.Err != "" && len(faults) == 0 {
		faults = append(faults, fault{"", o.Err})
	}
	meta := metav1.ObjectMeta{Name: o.Name, Namespace: o.Namespace, Labels: o.Labels, Annotations: o.Annotations}
	return o, append(faults, faultsOf(apivalidation.ValidateObjectMeta(&meta, info.Namespaced, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata")))...)
}

// defaultNamespace is that of objects that name none.
const defaultNamespace = "default"

// identify completes the namespace, and leaves of the metadata what people
// write: an exported object has a version and an age of somewhere else.
func identify(object map[string]any, info api.Info) (namespace, name string) {
	metadata, ok := object["metadata"].(map[string]any)
	if !ok {
		return "", ""
	}
	kept := map[string]any{}
	for _, part := range []string{"name", "namespace", "labels", "annotations"} {
		if value, ok := metadata[part]; ok {
			kept[part] = value
		}
	}
	if !info.Namespaced {
		delete(kept, "namespace")
	} else if namespace, _ = kept["namespace"].(string); namespace == "" {
		namespace = defaultNamespace
		kept["namespace"] = namespace
	}
	object["metadata"] = kept
	name, _ = kept["name"].(string)
	return namespace, name
}
