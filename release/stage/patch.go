package stage

import (
	"bytes"
	"cmp"
	"fmt"

	"sigs.k8s.io/yaml"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// maxPatch is how long a patch may be, bytes, also when its expressions are replaced.
const maxPatch = 64 << 10

// patch changes fields of one object. Outputs: kind, name, objects (1).
type patch struct{}

func (patch) touch(in pipeline.StageInput) touch {
	c := in.Config.(*v1alpha1.PatchStage)
	kind := cmp.Or(c.Type, "strategic")
	body, err := patchOf(kind, c.Patch)
	if err == nil && c.Object.Selector != "" {
		err = fmt.Errorf("object.selector: a patch is of one object: give its name")
	}
	return touch{
		verb: "patch", kind: pipeline.PatchObject, target: c.Object, wrong: err,
		data: func(ref pipeline.ObjectRef) any { return pipeline.ObjectPatch{Object: ref, Type: kind, Patch: body} },
	}
}

func (k patch) Looks(in pipeline.StageInput) []pipeline.Look      { return k.touch(in).looks(in) }
func (k patch) Next(in pipeline.StageInput) pipeline.StageOutcome { return k.touch(in).next(in) }

// patchOf is a patch as JSON.
func patchOf(kind, text string) ([]byte, error) {
	if len(text) > maxPatch {
		return nil, fmt.Errorf("patch: it has %d bytes, at most %d are possible", len(text), maxPatch)
	}
	body, err := yaml.YAMLToJSONStrict([]byte(text))
	switch {
	case err != nil:
		return nil, fmt.Errorf("patch: it is neither JSON nor YAML: %w", err)
	case kind == "json" && !bytes.HasPrefix(body, []byte("[")):
		return nil, fmt.Errorf("patch: one of type json is a list of operations, such as [{op: add, path: /data/a, value: b}]")
	case kind != "json" && !bytes.HasPrefix(body, []byte("{")):
		return nil, fmt.Errorf("patch: one of type %s is fields, such as {data: {a: b}}", kind)
	}
	return body, nil
}
