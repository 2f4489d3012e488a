package compile

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// lay puts what one message says over another of its type: lists grow, values that are a whole (a duration, a number that may
// be missing) are replaced, and configurations of extensions are laid over each other, not their bytes.
func lay(onto, over proto.Message) error { return layMessage(onto.ProtoReflect(), over.ProtoReflect()) }

func layMessage(onto, over protoreflect.Message) (err error) {
	if config, ok := onto.Interface().(*anypb.Any); ok {
		return layAny(config, over.Interface().(*anypb.Any))
	}
	over.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsList():
			list := onto.Mutable(f).List()
			for i := range v.List().Len() {
				list.Append(v.List().Get(i))
			}
		case f.IsMap() && f.MapValue().Message() != nil:
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				all := onto.Mutable(f).Map()
				if !all.Has(k) {
					all.Set(k, v)
					return true
				}
				err = layMessage(all.Mutable(k).Message(), v.Message())
				return err == nil
			})
		case f.IsMap():
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool { onto.Mutable(f).Map().Set(k, v); return true })
		case f.Message() == nil || isWhole(f.Message()) || !onto.Has(f):
			onto.Set(f, v)
		default:
			err = layMessage(onto.Mutable(f).Message(), v.Message())
		}
		return err == nil
	})
	return err
}

// layAny puts a configuration of an extension over another one.
func layAny(onto, over *anypb.Any) error {
	if onto.TypeUrl != over.TypeUrl {
		return fmt.Errorf("it merges a %s into a %s", shortType(over.TypeUrl), shortType(onto.TypeUrl))
	}
	config, err := onto.UnmarshalNew()
	if err != nil {
		return err
	}
	more, err := over.UnmarshalNew()
	if err != nil {
		return err
	}
	if err := lay(config, more); err != nil {
		return err
	}
	onto.Value = encode(config)
	return nil
}

// isWhole says of a message whether its fields mean nothing one by one.
func isWhole(m protoreflect.MessageDescriptor) bool {
	return m.FullName().Parent() == "google.protobuf" && m.FullName() != "google.protobuf.Any"
}
