package weft

import (
	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/translate/object"
)

// Dependencies are what an Application declares that it calls; none: it says
// nothing of that.
func Dependencies(o *object.Object, spec *v1alpha1.ApplicationSpec) []model.Declared {
	if len(spec.Dependencies) == 0 {
		return nil
	}
	return declared(o, object.Spec.Dot("dependencies"), spec.Dependencies, false)
}

// Scope is what people say of an account.
func Scope(o *object.Object, spec *v1alpha1.ScopeSpec) []model.Declared {
	only := spec.Mode == v1alpha1.ScopeDeclared
	if len(spec.Services) == 0 && !only {
		return nil
	}
	return declared(o, object.Spec.Dot("services"), spec.Services, only)
}

func declared(o *object.Object, at object.Path, names []string, only bool) []model.Declared {
	d := model.Declared{Object: o.Key, Namespace: o.Namespace, Account: o.Key.Name, Only: only, From: o.Whole()}
	if len(names) > object.MaxList {
		o.Invalid(at, "has %d entries, more than %d", len(names), object.MaxList)
		names = nil
	}
	for i, name := range names {
		host := o.Host(name)
		if !o.CheckHost(at.At(i), host) {
			continue
		}
		if host == "*" {
			o.Invalid(at.At(i), "%q is no single service; name each one", name)
			continue
		}
		d.Hosts = append(d.Hosts, model.DeclaredHost{Host: host, Origin: o.Origin(at.At(i))})
	}
	return []model.Declared{d}
}
