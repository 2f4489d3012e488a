package serve

import (
	"context"
	"errors"
	"reflect"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

var releaseKind = schema.GroupVersionKind{Group: "weft.dev", Version: "v1alpha1", Kind: "Release"}

func of(spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
}

// attributes are of a write of a release; nil: there is none before, or after.
func attributes(old, now *unstructured.Unstructured, by *user.DefaultInfo) admission.Attributes {
	switch {
	case old == nil:
		return admission.NewAttributesRecord(now, nil, releaseKind, "shop", "r", schema.GroupVersionResource{}, "", admission.Create, nil, false, by)
	case now == nil:
		return admission.NewAttributesRecord(nil, old, releaseKind, "shop", "r", schema.GroupVersionResource{}, "", admission.Delete, nil, false, by)
	}
	return admission.NewAttributesRecord(now, old, releaseKind, "shop", "r", schema.GroupVersionResource{}, "", admission.Update, nil, false, by)
}

// Rules are asked about all but the server's own writes; without any only administrators write releases.
func TestRuler(t *testing.T) {
	bob := &user.DefaultInfo{Name: "bob", Groups: []string{"qa", peopleGroup}}
	admin := &user.DefaultInfo{Name: "admin", Groups: []string{adminGroup}}
	own := &user.DefaultInfo{Name: user.APIServerUser}
	old, now := of(map[string]any{"version": "v1"}), of(map[string]any{"version": "v2"})
	var asked []Wish
	rules := func(_ context.Context, w Wish) error { asked = append(asked, w); return errors.New("no") }
	for name, test := range map[string]struct {
		a       admission.Attributes
		rules   func(context.Context, Wish) error
		refused bool
		want    *Wish
	}{
		"a person's":               {attributes(nil, now, bob), rules, true, &Wish{By: "bob", Groups: []string{"qa"}, Kind: "Release", Namespace: "shop", New: now}},
		"a change":                 {attributes(old, now, admin), rules, true, &Wish{By: "admin", Groups: []string{adminGroup}, Kind: "Release", Namespace: "shop", Old: old, New: now}},
		"the end of it":            {attributes(old, nil, bob), rules, true, &Wish{By: "bob", Groups: []string{"qa"}, Kind: "Release", Namespace: "shop", Old: old}},
		"the server's own":         {attributes(nil, now, own), rules, false, nil},
		"a person's without rules": {attributes(nil, now, bob), nil, true, nil},
		"without rules":            {attributes(nil, now, admin), nil, false, nil},
	} {
		asked = nil
		err := ruler{test.rules}.Validate(t.Context(), test.a, nil)
		if apierrors.IsForbidden(err) != test.refused || (err != nil) != test.refused {
			t.Errorf("%s: %v", name, err)
		}
		if test.want == nil && len(asked) > 0 || test.want != nil && (len(asked) != 1 || !reflect.DeepEqual(asked[0], *test.want)) {
			t.Errorf("%s: asked about %+v", name, asked)
		}
	}
}

// Who sets abort or promote of a release stands in it, and stays.
func TestWordsAreSigned(t *testing.T) {
	bob := &user.DefaultInfo{Name: "bob", Groups: []string{"qa", peopleGroup}}
	ann := map[string]any{"by": "ann"}
	bobs := map[string]any{"by": "bob", "groups": []any{"qa"}}
	for name, test := range map[string]struct {
		old, now map[string]any
		want     map[string]any // nil: refused
	}{
		"abort":               {map[string]any{"by": "ann"}, map[string]any{"abort": true}, map[string]any{"by": "ann", "abort": true, "aborter": bobs}},
		"promote":             {map[string]any{"by": "ann"}, map[string]any{"promote": true}, map[string]any{"by": "ann", "promote": true, "promoter": bobs}},
		"promote as ann":      {map[string]any{"by": "ann"}, map[string]any{"promote": true, "promoter": ann}, nil},
		"a promoter alone":    {map[string]any{"by": "ann"}, map[string]any{"promoter": bobs}, nil},
		"another aborter":     {map[string]any{"abort": true, "aborter": ann}, map[string]any{"abort": true, "aborter": bobs}, nil},
		"left out":            {map[string]any{"abort": true, "aborter": ann}, map[string]any{"abort": true}, map[string]any{"abort": true, "aborter": ann}},
		"made with a promote": {nil, map[string]any{"promote": true}, map[string]any{"by": "bob", "groups": []any{"qa"}, "promote": true, "promoter": bobs}},
	} {
		var old *unstructured.Unstructured
		if test.old != nil {
			old = of(test.old)
		}
		now := of(test.now)
		err := voucher{}.Admit(t.Context(), attributes(old, now, bob), nil)
		if test.want == nil && !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v", name, err)
		}
		if test.want != nil && (err != nil || !reflect.DeepEqual(now.Object["spec"], test.want)) {
			t.Errorf("%s: %v %v", name, now.Object, err)
		}
	}
}

// People ask for what their rules may allow, and for nothing else.
func TestWhatPeopleAskFor(t *testing.T) {
	for _, test := range []struct {
		verb, resource, subresource string
		may                         bool
	}{
		{"create", "releases", "", true}, {"patch", "releases", "", true}, {"update", "releases", "", true}, {"delete", "releases", "", false},
		{"patch", "releases", "status", false}, {"create", "freezes", "", true}, {"delete", "freezes", "", true}, {"patch", "freezes", "", false},
		{"deletecollection", "freezes", "", false}, {"create", "decisions", "", true}, {"patch", "decisions", "", false}, {"create", "applications", "", false}, {"get", "applications", "", true},
	} {
		a := authorizer.AttributesRecord{
			User: &user.DefaultInfo{Name: "bob", Groups: []string{peopleGroup}}, Verb: test.verb, APIGroup: "weft.dev", Resource: test.resource,
			Subresource: test.subresource, ResourceRequest: true,
		}
		if got, _, _ := authorize(t.Context(), a); (got == authorizer.DecisionAllow) != test.may {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

// What a server tells of itself is for administrators; who has no name reads nothing at all.
func TestWhoMayLookInside(t *testing.T) {
	bob, admin := &user.DefaultInfo{Name: "bob", Groups: []string{peopleGroup}}, &user.DefaultInfo{Name: "admin", Groups: []string{adminGroup}}
	workload := &user.DefaultInfo{Name: "spiffe://mesh.test/ns/evil/sa/web"}
	for _, test := range []struct {
		who        user.Info
		verb, path string
		may        bool
	}{
		{admin, "post", extraPath + "v1/debug/log", true}, {admin, "post", extraPath + "v1/debug/goroutines", true},
		{bob, "post", extraPath + "v1/debug/log", false}, {bob, "post", extraPath + "v1/debug/goroutines", false}, {bob, "post", extraPath + "v1/tokens", false},
		{bob, "get", extraPath + "v1/topology", true}, {bob, "get", "/metrics", false}, {bob, "get", "/debug/pprof/heap", false}, {bob, "get", "/logs", false},
		{workload, "get", extraPath + "v1/topology", false}, {workload, "post", extraPath + "v1/debug/log", false}, {nil, "get", extraPath + "v1/topology", false},
	} {
		a := authorizer.AttributesRecord{User: test.who, Verb: test.verb, Path: test.path}
		if got, _, _ := authorize(t.Context(), a); (got == authorizer.DecisionAllow) != test.may {
			t.Errorf("%+v: %v", test, got)
		}
	}
	for _, resource := range []string{"secrets", "configmaps"} {
		a := authorizer.AttributesRecord{User: bob, Verb: "get", Resource: resource, APIVersion: "v1", ResourceRequest: true}
		if got, _, _ := authorize(t.Context(), a); got == authorizer.DecisionAllow {
			t.Errorf("people read %s", resource)
		}
	}
}
