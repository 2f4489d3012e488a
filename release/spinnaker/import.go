package spinnaker

import (
	"fmt"
	"path"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
)

// apiVersion of what is made.
const apiVersion = "weft.dev/v1alpha1"

// File is one file: a pipeline, a list of them, an application's export, an
// execution, or a template and what it is used for.
type File struct {
	Name string
	Data []byte
}

// Result is what the files became, in their order.
type Result struct {
	Pipelines    []*v1alpha1.Pipeline    `json:"pipelines"`
	Applications []*v1alpha1.Application `json:"applications"`
	Report       Report                  `json:"report"`
}

// importer is one import, of all files together: their pipelines name each other.
type importer struct {
	sources   []*source
	templates map[string]object // by id
	canaries  map[string]object // configurations of canaries, by id and by name
	byID      map[string]*source
	result    Result
}

// source is one pipeline as it came.
type source struct {
	file       string
	raw        object
	whole      object // raw with what it has from its template
	template   object // values of the template's variables
	orphan     bool   // its template is not among the files
	execution  bool   // it was put together from what a run left behind
	title      string // Spinnaker's, or the file's where the editor's JSON has none
	name       string // weft's
	parameters []v1alpha1.Parameter
	names      map[string]string // of parameters: weft's by Spinnaker's
	notes      []Item            // about parameters
}

// Import converts the files, which see each other's pipelines and templates. The
// same files give the same result. An error names a file that is not Spinnaker's.
func Import(files []File) (Result, error) {
	in := &importer{templates: map[string]object{}, canaries: map[string]object{}, byID: map[string]*source{}}
	for _, file := range files {
		value, err := parse(file.Data)
		if err != nil {
			return Result{}, fmt.Errorf("%s: %w", file.Name, err)
		}
		if !in.read(file.Name, value) {
			return Result{}, fmt.Errorf("%s: it holds no pipeline, application, execution or template of Spinnaker's", file.Name)
		}
	}
	in.prepare()
	for _, s := range in.sources {
		in.result.Pipelines = append(in.result.Pipelines, in.convert(s))
	}
	return in.result, nil
}

// prepare names all pipelines and their parameters before one is converted: they
// refer to each other.
func (in *importer) prepare() {
	taken := map[string]bool{}
	for _, s := range in.sources {
		application, id := text(s.raw["application"]), text(s.raw["id"])
		if s.title = text(s.raw["name"]); s.title == "" {
			s.title = strings.TrimSuffix(path.Base(s.file), path.Ext(s.file))
		}
		s.name = pipelineName(application, s.title, id)
		if taken[s.name] {
			s.name = hashed(s.name, application+"/"+s.title+"/"+id)
		}
		s.name = unused(taken, s.name, "-", maxPipelineName)
		if id != "" {
			in.byID[id] = s
		}
		in.expand(s)
		s.readParameters()
	}
}

func (in *importer) item(s *source, i Item) {
	i.File, i.Pipeline = s.file, s.title
	in.result.Report.Items = append(in.result.Report.Items, i)
}

// application converts an application: who owns it.
func (in *importer) application(file string, o object) {
	attributes, _ := o["attributes"].(object)
	name := text(o["name"])
	if name == "" {
		name = text(attributes["name"])
	}
	app := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Name: label(name, maxIdentifier)}}
	app.APIVersion, app.Kind = apiVersion, "Application"
	app.Spec.Owner = cut(text(attributes["email"]), maxTitle)
	if app.Name == "" {
		in.result.Report.Items = append(in.result.Report.Items, Item{File: file, Code: Missing, Text: fmt.Sprintf("the application %q has no name that weft can have", name)})
		return
	}
	in.result.Applications = append(in.result.Applications, app)
	if permissions, _ := attributes["permissions"].(object); len(permissions) > 0 {
		in.result.Report.Items = append(in.result.Report.Items, roles(file, permissions, &app.Spec.Roles))
	}
	for _, key := range sortedKeys(attributes) {
		if key != "name" && key != "email" && key != "permissions" && !empty(attributes[key]) {
			in.result.Report.Items = append(in.result.Report.Items, Item{File: file, Path: "attributes." + key, Code: Ignored, Text: "an Application has no such field"})
		}
	}
}
