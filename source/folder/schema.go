package folder

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"weft.dev/api"
)

// What the rules of an object may cost: an API server's limits.
const (
	ruleCost = 1_000_000
	allCost  = 10_000_000
)

// schemas check objects as an API server with weft's CRDs does. A schema is read
// when the first object of its kind is: all of them together take long, and memory.
type schemas struct {
	mu    sync.Mutex
	kinds map[schema.GroupVersionKind]func() (*checker, error)
}

func newSchemas() *schemas {
	return &schemas{kinds: map[schema.GroupVersionKind]func() (*checker, error){}}
}

// of is the checker of a kind; nil: Kubernetes defines the kind itself.
func (s *schemas) of(info api.Info, version string) (*checker, error) {
	gvk := info.Version.GroupKind().WithVersion(version)
	s.mu.Lock()
	once := s.kinds[gvk]
	if once == nil {
		once = sync.OnceValues(func() (*checker, error) { return newChecker(info, version) })
		if info.Version.Version == version || len(s.kinds) < maxSchemas {
			s.kinds[gvk] = once
		}
	}
	s.mu.Unlock()
	return once()
}

// maxSchemas bounds what versions that do not exist are remembered.
const maxSchemas = 200

// checker is the schema of one version of a kind.
type checker struct {
	schema *structural.Structural
	values validation.SchemaValidator
	rules  *cel.Validator // nil: there are none
}

func newChecker(info api.Info, version string) (*checker, error) {
	text, err := fs.ReadFile(api.Served(), info.Version.Group+"_"+info.Resource+".yaml")
	if err != nil {
		if version != info.Version.Version {
			return nil, fmt.Errorf("version %q: %s has %q", version, info.Version.Kind, info.Version.Version)
		}
		return nil, nil
	}
	var crd crdv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return nil, err
	}
	var served []string
	for _, v := range crd.Spec.Versions {
		if v.Name == version && v.Served {
			return compileSchema(v.Schema)
		}
		if v.Served {
			served = append(served, v.Name)
		}
	}
	return nil, fmt.Errorf("version %q: %s has %s", version, info.Version.Kind, strings.Join(served, ", "))
}

func compileSchema(from *crdv1.CustomResourceValidation) (*checker, error) {
	var props apiextensions.JSONSchemaProps
	if err := crdv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(from.OpenAPIV3Schema, &props, nil); err != nil {
		return nil, err
	}
	s, err := structural.NewStructural(&props)
	if err != nil {
		return nil, err
	}
	values, _, err := validation.NewSchemaValidator(&props)
	if err != nil {
		return nil, err
	}
	return &checker{schema: s, values: values, rules: cel.NewValidator(s, true, ruleCost)}, nil
}

// complete sets defaults and says what is wrong with the object.
func (c *checker) complete(object map[string]any) field.ErrorList {
	if c == nil {
		return nil
	}
	defaulting.Default(object, c.schema)
	faults := validation.ValidateCustomResource(nil, object, c.values)
	faults = append(faults, listtype.ValidateListSetsAndMaps(nil, c.schema, object)...)
	if len(faults) == 0 && c.rules != nil { // rules may assume that the values are valid
		faults, _ = c.rules.Validate(context.Background(), nil, c.schema, object, nil, allCost)
	}
	slices.SortStableFunc(faults, func(a, b *field.Error) int { return strings.Compare(a.Field, b.Field) })
	return faults
}
