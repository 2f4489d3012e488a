package guard

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
)

// What people may make of releases, where dev releases, qa approves, oncall undoes, and four eyes see each.
func TestReleasesOfPeople(t *testing.T) {
	r := Rails{Application: application(func(r *v1alpha1.Rails) {
		r.FourEyes = true
		r.Roles = v1alpha1.Roles{Release: []string{"dev"}, Approve: []string{"qa", "dev"}, Undo: []string{"oncall"}}
	})}
	people := map[string]Person{
		"dan": {"dan", []string{"dev"}}, "dora": {"dora", []string{"dev"}}, "quinn": {"quinn", []string{"qa"}}, "olga": {"olga", []string{"oncall"}}, "root": {"root", []string{masters}},
	}
	signed := func(who string) *v1alpha1.Signature {
		return &v1alpha1.Signature{By: who, Groups: people[who].Groups}
	}
	dans := v1alpha1.ReleaseSpec{Application: "checkout", Version: "v2", By: "dan", Groups: []string{"dev"}}
	with := func(edit func(*v1alpha1.ReleaseSpec)) v1alpha1.ReleaseSpec {
		s := dans
		edit(&s)
		return s
	}
	abort := func(who string) v1alpha1.ReleaseSpec {
		return with(func(s *v1alpha1.ReleaseSpec) { s.Abort, s.Aborter = true, signed(who) })
	}
	promote := func(who string) v1alpha1.ReleaseSpec {
		return with(func(s *v1alpha1.ReleaseSpec) { s.Promote, s.Promoter = true, signed(who) })
	}
	undo := with(func(s *v1alpha1.ReleaseSpec) { s.Undo = true })
	other := with(func(s *v1alpha1.ReleaseSpec) { s.Reason = "x" })
	for _, test := range []struct {
		name    string
		old     *v1alpha1.ReleaseSpec
		now     v1alpha1.ReleaseSpec
		who     string
		refused string // part of it; "": it is not
	}{
		{"who releases starts one", nil, dans, "dan", ""},
		{"who approves does not", nil, dans, "quinn", "may release"},
		{"who undoes does not", nil, dans, "olga", "may release"},
		{"but undoes", nil, undo, "olga", ""},
		{"who approves does not undo", nil, undo, "quinn", "may undo"},
		{"an administrator starts", nil, dans, "root", ""},
		{"who undoes aborts", &dans, abort("olga"), "olga", ""},
		{"who approves does not abort", &dans, abort("quinn"), "quinn", "may undo"},
		{"another one promotes", &dans, promote("dora"), "dora", ""},
		{"who started it does not", &dans, promote("dan"), "dan", "four eyes: dan started it"},
		{"nor from the start", nil, promote("dan"), "dan", "four eyes: dan started it"},
		{"nor who undoes", &dans, promote("olga"), "olga", "may approve"},
		{"nobody promotes", &dans, with(func(s *v1alpha1.ReleaseSpec) { s.Promote = true }), "dora", "nobody vouches"},
		{"an administrator has two eyes, too", &dans, promote("root"), "root", ""},
		{"something else", &dans, other, "dan", "set abort and promote, and nothing else"},
		{"something else by an administrator", &dans, other, "root", ""},
		{"an abort is not taken back", new(abort("olga")), dans, "dan", "nothing else"},
	} {
		now := &v1alpha1.Release{Spec: test.now}
		var old *v1alpha1.Release
		if test.old != nil {
			old = &v1alpha1.Release{Spec: *test.old}
		}
		why := r.Releases(old, now, people[test.who])
		if (why == "") != (test.refused == "") || !strings.Contains(why, test.refused) {
			t.Errorf("%s: %q, want %q", test.name, why, test.refused)
		}
	}
	hidden := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Finalizers: []string{"x"}}, Spec: dans}
	if why := r.Releases(&v1alpha1.Release{Spec: dans}, hidden, people["dan"]); why == "" {
		t.Error("people keep releases from ending")
	}
}

// Where nobody vouches for names an abort counts, and no promote that needs somebody.
func TestWordsOfNobody(t *testing.T) {
	r := Rails{Unvouched: "no policy", Application: application(func(r *v1alpha1.Rails) { r.Roles = v1alpha1.Roles{Undo: []string{"oncall"}, Approve: []string{"qa"}} })}
	rel := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{
		Abort: true, Aborter: &v1alpha1.Signature{By: "eve"}, Promote: true, Promoter: &v1alpha1.Signature{By: "quinn", Groups: []string{"qa"}},
	}}
	if why := r.Aborted(rel); why != "" {
		t.Errorf("an abort is held: %s", why)
	}
	if why := r.Promoted(rel); !strings.Contains(why, "nobody vouches") {
		t.Errorf("promoted: %q", why)
	}
	if r.Unvouched = ""; r.Aborted(rel) == "" || r.Promoted(rel) != "" {
		t.Error("where names are true roles do not count")
	}
}

// Who freezes has the role in each application that is frozen.
func TestFreezesOfPeople(t *testing.T) {
	app := func(namespace, name string, roles ...string) *v1alpha1.Application {
		a := application(func(r *v1alpha1.Rails) { r.Roles.Freeze, r.Environment = roles, "production" })
		a.Namespace, a.Name = namespace, name
		return a
	}
	all := []*v1alpha1.Application{app("shop", "checkout", "lead"), app("shop", "cart", "lead", "qa"), app("bank", "checkout", "teller")}
	lea := Person{"lea", []string{"lead"}}
	for _, test := range []struct {
		name    string
		freeze  v1alpha1.FreezeSpec
		who     Person
		refused string
	}{
		{"her application", v1alpha1.FreezeSpec{Namespaces: []string{"shop"}, Applications: []string{"checkout"}}, lea, ""},
		{"her namespace", v1alpha1.FreezeSpec{Namespaces: []string{"shop"}}, lea, ""},
		{"one of that name elsewhere, too", v1alpha1.FreezeSpec{Applications: []string{"checkout"}}, lea, "may freeze"},
		{"another namespace, too", v1alpha1.FreezeSpec{Namespaces: []string{"shop", "bank"}}, lea, "may freeze"},
		{"everything", v1alpha1.FreezeSpec{}, lea, "an administrator's"},
		{"an environment of all", v1alpha1.FreezeSpec{Environments: []string{"production"}}, lea, "an administrator's"},
		{"nothing that is there", v1alpha1.FreezeSpec{Namespaces: []string{"gone"}}, lea, "no application"},
		{"by an administrator", v1alpha1.FreezeSpec{}, Person{"root", []string{masters}}, ""},
		{"by another role", v1alpha1.FreezeSpec{Namespaces: []string{"shop"}}, Person{"quinn", []string{"qa"}}, "may freeze"},
	} {
		if why := Freezes(&v1alpha1.Freeze{Spec: test.freeze}, all, test.who); (why == "") != (test.refused == "") || !strings.Contains(why, test.refused) {
			t.Errorf("%s: %q, want %q", test.name, why, test.refused)
		}
	}
}
