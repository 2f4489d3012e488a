package object

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"weft.dev/api"
	"weft.dev/model"
)

// IdempotentAnnotation set to "true" on a route says that all its requests may
// be repeated, also those with a method that is not idempotent.
const IdempotentAnnotation = "weft.dev/idempotent"

// Object is one object under translation. It is used by one translation and
// not shared.
type Object struct {
	Key         model.Key
	Namespace   string
	UID         string
	Generation  int64
	Rank        int64 // creation time, seconds
	Labels      map[string]string
	Annotations map[string]string

	file     string
	line     int
	lines    map[string]int
	problems []model.Problem
	dropped  int
}

// From reads what all kinds have.
func From(row api.Object) *Object {
	o := &Object{
		Key:       model.Key{Kind: string(row.Kind), Namespace: row.Namespace, Name: row.Name},
		Namespace: row.Namespace, UID: row.UID, Generation: row.Generation,
		Labels: row.Labels, Annotations: row.Annotations,
	}
	if !row.Created.IsZero() {
		o.Rank = row.Created.Unix()
	}
	o.file = row.Annotations[api.SourceAnnotation]
	if i := strings.LastIndexByte(o.file, ':'); i >= 0 {
		if n, err := strconv.Atoi(o.file[i+1:]); err == nil && n > 0 {
			o.file, o.line = o.file[:i], n
		}
	}
	if text := row.Annotations[api.LinesAnnotation]; text != "" {
		// Lines only help people to find a place: without them the object's own line is shown.
		_ = json.Unmarshal([]byte(text), &o.lines)
	}
	return o
}

// Origin is the provenance of what comes of one part. The line is that of the
// smallest part around it that is known.
func (o *Object) Origin(at Path) model.Origin {
	origin := model.Origin{Key: o.Key, Path: string(at), File: o.file, Line: o.line}
	for part := string(at); part != "" && len(o.lines) > 0; part = outer(part) {
		if line, ok := o.lines[part]; ok {
			origin.Line = line
			break
		}
	}
	return origin
}

// Whole is the provenance of what comes of the object as a whole.
func (o *Object) Whole() []model.Origin { return []model.Origin{o.Origin("")} }

// Report adds a problem.
func (o *Object) Report(code string, at Path, format string, args ...any) {
	if len(o.problems) >= MaxProblems-1 {
		o.dropped++
		return
	}
	o.problems = append(o.problems, model.Problem{
		Object: o.Key, Generation: o.Generation, Code: code, Path: string(at), Message: fmt.Sprintf(format, args...),
	})
}

// Invalid reports a value that cannot be used.
func (o *Object) Invalid(at Path, format string, args ...any) {
	o.Report(model.ProblemInvalid, at, format, args...)
}

// NotHonoured reports what weft does not do.
func (o *Object) NotHonoured(at Path, format string, args ...any) {
	o.Report(model.ProblemNotHonoured, at, format, args...)
}

// Problems are what was found so far, each once.
func (o *Object) Problems() []model.Problem {
	var all []model.Problem
	seen := map[model.Problem]bool{}
	for _, p := range o.problems {
		if !seen[p] {
			seen[p] = true
			all = append(all, p)
		}
	}
	if o.dropped > 0 {
		all = append(all, model.Problem{
			Object: o.Key, Generation: o.Generation, Code: model.ProblemInvalid,
			Message: fmt.Sprintf("has %d problems more; correct these first", o.dropped),
		})
	}
	return all
}

// Path is a place in an object: spec.http[0].match[1].headers[end-user].
type Path string

// Spec is where the content of an object begins.
const Spec Path = "spec"

// Dot is a field of the place.
func (p Path) Dot(field string) Path { return p + "." + Path(field) }

// At is an element of a list.
func (p Path) At(i int) Path { return p + Path("["+strconv.Itoa(i)+"]") }

// Entry is an entry of a map.
func (p Path) Entry(key string) Path { return p + Path("["+key+"]") }

// Annotation is the place of an annotation.
func Annotation(name string) Path { return Path("metadata.annotations").Entry(name) }

// outer is the part around a part, or "".
func outer(part string) string {
	return part[:max(0, strings.LastIndexAny(part, ".["))]
}
