package compile

import (
	"regexp"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/model"
)

// Where a caller may show any certificate, its name proves nothing. Envoy gives it to whoever asks, so that nobody may:
// neither rules, nor authorizers, nor what is written into headers, keys of limits, logs and spans.

// at are the guards of a chain.
func (g guards) at(tls model.ServerTLS) guards {
	if tls.Callers != model.CallerUnproven {
		return g
	}
	g.nameless = true
	return g.without(func(a asked) bool { return a.HTTP == nil }) // by gRPC it is told the name in a certificate
}

// named says what a caller's certificate is asked; where that proves nothing, nobody has any name.
func (at attributes) named(holds func(string) expression) func(string) expression {
	if at.nameless {
		return func(string) expression { return always(false) }
	}
	return holds
}

// callerNames are the words of Envoy's formats for what is in a caller's certificate.
var callerNames = regexp.MustCompile(`%DOWNSTREAM_PEER_[A-Z0-9_]+(\([^)%]*\))?(:\d+)?%`)

// withoutCaller is m without the names of callers in all that it has written.
func withoutCaller[M proto.Message](m M) M {
	out := proto.Clone(m).(M) // parts of it may be others', too
	eraseNames(out.ProtoReflect())
	return out
}

func eraseNames(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsList():
			for i := range v.List().Len() {
				if clean, ok := cleaned(v.List().Get(i)); ok {
					v.List().Set(i, clean)
				}
			}
		case f.IsMap():
			v.Map().Range(func(k protoreflect.MapKey, e protoreflect.Value) bool {
				if clean, ok := cleaned(e); ok {
					v.Map().Set(k, clean)
				}
				return true
			})
		default:
			if clean, ok := cleaned(v); ok {
				m.Set(f, clean)
			}
		}
		return true
	})
}

// cleaned is what a value becomes; false: it is changed where it is, or not at all.
func cleaned(v protoreflect.Value) (protoreflect.Value, bool) {
	switch held := v.Interface().(type) {
	case string:
		return protoreflect.ValueOfString(callerNames.ReplaceAllLiteralString(held, nobody)), true
	case protoreflect.Message:
		packed, ok := held.Interface().(*anypb.Any)
		if !ok {
			eraseNames(held)
			return v, false
		}
		if inner, err := packed.UnmarshalNew(); err == nil {
			eraseNames(inner.ProtoReflect())
			packed.Value = pack(inner).Value
		}
	}
	return v, false
}
