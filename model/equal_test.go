package model

import (
	"reflect"
	"testing"
)

// An Equal that is written out must not forget a field, today's or tomorrow's.
func TestEqualSeesEveryField(t *testing.T) {
	seesEveryField(t, Service{})
	seesEveryField(t, Workload{})
	seesEveryField(t, Pod{&Instance{}, NewPodTemplate(PodTemplate{})})
	seesEveryField(t, Replicas{})
	seesEveryField(t, Assignment{})
	seesEveryField(t, Address{})
	seesEveryField(t, Port{})
	seesEveryField(t, Certificate{})
}

// What a template says is in its ID, all of it.
func TestTemplatesDifferByID(t *testing.T) {
	if a, b := NewPodTemplate(PodTemplate{Ports: []PodPort{{Number: 80}}}), NewPodTemplate(PodTemplate{Ports: []PodPort{{Number: 81}}}); a.ID == b.ID {
		t.Errorf("%+v and %+v have one ID", a, b)
	}
}

func seesEveryField[T interface{ Equal(T) bool }](t *testing.T, zero T) {
	t.Helper()
	if !zero.Equal(zero) {
		t.Errorf("%T: no row equals itself", zero)
	}
	for i := range reflect.TypeFor[T]().NumField() {
		other := zero
		field := reflect.ValueOf(&other).Elem().Field(i)
		switch field.Kind() {
		case reflect.String:
			field.SetString("other")
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Uint32:
			field.SetUint(1)
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		case reflect.Map:
			field.Set(reflect.MakeMap(field.Type()))
			field.SetMapIndex(reflect.Zero(field.Type().Key()), reflect.Zero(field.Type().Elem()))
		case reflect.Pointer:
			switch field.Type() {
			case reflect.TypeFor[*Instance]():
				field.Set(reflect.ValueOf(&Instance{Workload: "other"}))
			case reflect.TypeFor[*ClientTLS]():
				field.Set(reflect.ValueOf(&ClientTLS{SNI: "other"}))
			default:
				field.Set(reflect.ValueOf(NewPodTemplate(PodTemplate{Proxy: true})))
			}
		case reflect.Struct: // of a type that sees its own
			field.Set(reflect.ValueOf(Workload{App: "other"}))
		default:
			t.Fatalf("%T: a field of kind %s is new to this test", zero, field.Kind())
		}
		if zero.Equal(other) || other.Equal(zero) {
			t.Errorf("%T: Equal does not look at %s", zero, reflect.TypeFor[T]().Field(i).Name)
		}
	}
}
