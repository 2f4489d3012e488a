package compile

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// sound says whether Envoy would take a message: everything in it is of a known type, and within its type's bounds.
func sound(m protoreflect.Message) error {
	if a, ok := m.Interface().(*anypb.Any); ok {
		inner, err := a.UnmarshalNew()
		if err != nil {
			return fmt.Errorf("%s is no type that is known here", shortType(a.TypeUrl))
		}
		return sound(inner.ProtoReflect())
	}
	if v, ok := m.Interface().(interface{ ValidateAll() error }); ok {
		if err := v.ValidateAll(); err != nil {
			return fmt.Errorf("Envoy would refuse it: %.200s", err)
		}
	}
	var err error
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil || f.IsMap() && f.MapValue().Message() == nil:
		case f.IsMap():
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { err = sound(v.Message()); return err == nil })
		case f.IsList():
			for i := 0; i < v.List().Len() && err == nil; i++ {
				err = sound(v.List().Get(i).Message())
			}
		default:
			err = sound(v.Message())
		}
		return err == nil
	})
	return err
}
