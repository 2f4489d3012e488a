package serve

import (
	"context"
	"reflect"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"
)

// strategy is what the generic store asks about a built-in kind.
type strategy struct {
	runtime.ObjectTyper
	kind builtin
}

var (
	_ rest.RESTCreateStrategy = strategy{}
	_ rest.RESTUpdateStrategy = strategy{}
	_ rest.RESTDeleteStrategy = strategy{}
)

func (s strategy) GenerateName(base string) string {
	return names.SimpleNameGenerator.GenerateName(base)
}
func (s strategy) NamespaceScoped() bool                                            { return !s.kind.global }
func (s strategy) AllowCreateOnUpdate(context.Context) bool                         { return true } // as kubectl replace of an event or lease does
func (s strategy) AllowUnconditionalUpdate(context.Context) bool                    { return true }
func (s strategy) Canonicalize(runtime.Object)                                      {}
func (s strategy) WarningsOnCreate(context.Context, runtime.Object) []string        { return nil }
func (s strategy) WarningsOnUpdate(_ context.Context, _, _ runtime.Object) []string { return nil }

func (s strategy) PrepareForCreate(_ context.Context, obj runtime.Object) {
	if s.kind.copyStatus != nil {
		s.kind.copyStatus(obj, s.kind.newObject())
	}
	if s.kind.prepare != nil {
		s.kind.prepare(obj, nil)
	}
}

func (s strategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	if s.kind.copyStatus != nil {
		s.kind.copyStatus(obj, old)
	}
	if s.kind.prepare != nil {
		s.kind.prepare(obj, old)
	}
}

func (s strategy) Validate(_ context.Context, obj runtime.Object) field.ErrorList {
	if s.kind.validate == nil {
		return nil
	}
	return s.kind.validate(obj, nil)
}

func (s strategy) ValidateUpdate(_ context.Context, obj, old runtime.Object) field.ErrorList {
	if s.kind.validate == nil {
		return nil
	}
	return s.kind.validate(obj, old)
}

// statusStrategy changes nothing but the status, and the record of who set it.
type statusStrategy struct{ strategy }

func (s statusStrategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	updated := old.DeepCopyObject()
	s.kind.copyStatus(updated, obj)
	from, err := meta.Accessor(obj)
	utilruntime.Must(err) // built-in kinds have metadata
	to, err := meta.Accessor(updated)
	utilruntime.Must(err)
	to.SetManagedFields(from.GetManagedFields())
	reflect.ValueOf(obj).Elem().Set(reflect.ValueOf(updated).Elem())
}

func (s statusStrategy) ValidateUpdate(context.Context, runtime.Object, runtime.Object) field.ErrorList {
	return nil
}

func (s statusStorage) Get(ctx context.Context, name string, o *metav1.GetOptions) (runtime.Object, error) {
	return s.store.Get(ctx, name, o)
}

func (s statusStorage) Update(ctx context.Context, name string, info rest.UpdatedObjectInfo, create rest.ValidateObjectFunc,
	update rest.ValidateObjectUpdateFunc, _ bool, o *metav1.UpdateOptions) (runtime.Object, bool, error) {
	return s.store.Update(ctx, name, info, create, update, false, o)
}

func (s statusStorage) ConvertToTable(ctx context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	return s.store.ConvertToTable(ctx, obj, options)
}
