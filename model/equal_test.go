package model

import (
	"reflect"
	"testing"
)

// An Equal that is written out must not forget a field, today's or tomorrow's.
func TestEqualSeesEveryField(t *testing.T) {
	seesEveryField[Service](t)
	seesEveryField[Workload](t)
	seesEveryField[Pod](t)
	seesEveryField[Address](t)
	seesEveryField[Certificate](t)
}

func seesEveryField[T interface{ Equal(T) bool }](t *testing.T) {
	t.Helper()
	var zero T
	if !zero.Equal(zero) {
		t.Errorf("%T: no row equals itself", zero)
	}
	for i := range reflect.TypeFor[T]().NumField() {
		var other T
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
		default:
			t.Fatalf("%T: a field of kind %s is new to this test", zero, field.Kind())
		}
		if zero.Equal(other) || other.Equal(zero) {
			t.Errorf("%T: Equal does not look at %s", zero, reflect.TypeFor[T]().Field(i).Name)
		}
	}
}
