package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/store"
	"weft.dev/test/apiserver"
)

// A freeze that was there when somebody asked is seen, also by who asks while an older list is on its way.
func TestFrozen(t *testing.T) {
	seen, answer := make(chan struct{}), make(chan []*v1alpha1.Freeze)
	r := &rails{freezes: func(context.Context) ([]*v1alpha1.Freeze, error) {
		seen <- struct{}{}
		return <-answer, nil
	}}
	ask := func(want int, done chan<- struct{}) {
		defer close(done)
		if got, err := r.frozen(t.Context()); err != nil || len(got) != want {
			t.Errorf("%d of %d freezes, %v", len(got), want, err)
		}
	}
	before, after := make(chan struct{}), make(chan struct{})
	go ask(0, before)
	<-seen
	go ask(1, after)
	answer <- nil
	<-before
	select {
	case <-seen:
		answer <- []*v1alpha1.Freeze{{}}
		<-after
	case <-after:
	}
}

// shopOf is an API server with the application checkout, which lead freezes and oncall releases, and reviews, of no roles.
func shopOf(t *testing.T) *store.Client {
	t.Helper()
	client := apiserver.Start(t, "shop")
	checkout := v1alpha1.Roles{Freeze: []string{"lead"}, Release: []string{"oncall", "dev"}}
	for name, roles := range map[string]v1alpha1.Roles{"checkout": checkout, "reviews": {}} {
		app := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		app.Spec.Roles = roles
		if _, err := store.For[v1alpha1.Application](client, api.Application).Create(t.Context(), app); err != nil {
			t.Fatal(err)
		}
	}
	return client
}

// reviewOf asks as an API server does, with freezes of the namespace shop.
func reviewOf(t *testing.T, h http.Handler, operation admissionv1.Operation, old, now string, who authv1.UserInfo) (refusal string) {
	t.Helper()
	text := func(spec string) runtime.RawExtension {
		if spec == "" {
			return runtime.RawExtension{}
		}
		return runtime.RawExtension{Raw: fmt.Appendf(nil, `{"apiVersion":"weft.dev/v1alpha1","kind":"Freeze","metadata":{"name":"f"},"spec":{%s}}`, spec)}
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		UID: "u", Resource: metav1.GroupVersionResource{Group: "weft.dev", Version: "v1alpha1", Resource: "freezes"},
		Operation: operation, UserInfo: who, OldObject: text(old), Object: text(now),
	}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, freezesPath, bytes.NewReader(body)))
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Response.UID != "u" || answer.Response.Allowed != (answer.Response.Result == nil) {
		t.Fatalf("%d %s %v", w.Code, w.Body, err)
	}
	if answer.Response.Allowed {
		return ""
	}
	return answer.Response.Result.Message
}

// In a cluster an application's role freezes it, and unfreezes it, and nothing else; what nobody can judge is refused.
func TestWhoFreezesInACluster(t *testing.T) {
	client := shopOf(t)
	h := freezeReview{newWishes(client)}
	person := func(name string, groups ...string) authv1.UserInfo {
		return authv1.UserInfo{Username: name, Groups: groups}
	}
	ann, bob := person("ann", "lead"), person("bob", "dev")
	const checkout, both, reviews = `"applications":["checkout"]`, `"namespaces":["shop"]`, `"applications":["reviews"]`
	for name, test := range map[string]struct {
		operation admissionv1.Operation
		old, now  string
		who       authv1.UserInfo
		want      string // part of the refusal; "": none
	}{
		"her application":         {admissionv1.Create, "", checkout, ann, ""},
		"her namespace":           {admissionv1.Create, "", both, ann, ""},
		"everything":              {admissionv1.Create, "", `"reason":"x"`, ann, "an administrator's"},
		"an environment of all":   {admissionv1.Create, "", `"environments":["production"]`, ann, "an administrator's"},
		"not his":                 {admissionv1.Create, "", checkout, bob, "may freeze application checkout"},
		"a namespace of both":     {admissionv1.Create, "", both, bob, "may freeze application checkout"},
		"what has no roles":       {admissionv1.Create, "", reviews, bob, ""},
		"what is not there":       {admissionv1.Create, "", `"applications":["ledger"]`, ann, "no application"},
		"hers is taken away":      {admissionv1.Delete, checkout, "", ann, ""},
		"by another":              {admissionv1.Delete, checkout, "", bob, "may freeze application checkout"},
		"all, taken away":         {admissionv1.Delete, `"reason":"x"`, "", ann, "an administrator's"},
		"made another's":          {admissionv1.Update, checkout, reviews, bob, "may freeze application checkout"},
		"made of another's":       {admissionv1.Update, reviews, checkout, bob, "may freeze application checkout"},
		"an administrator":        {admissionv1.Create, "", `"reason":"x"`, person("root", "system:masters"), ""},
		"who says they are weft":  {admissionv1.Delete, checkout, "", person("weft:server"), "weft's own"},
		"nothing":                 {admissionv1.Delete, "", "", ann, "does not say of what"},
		"another operation":       {admissionv1.Connect, "", checkout, ann, "does not say of what"},
		"what is no freeze's own": {admissionv1.Create, "", `"applications":"checkout"`, ann, "cannot restore"},
	} {
		if got := reviewOf(t, h, test.operation, test.old, test.now, test.who); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	blind, end := context.WithCancel(t.Context())
	end()
	w := httptest.NewRecorder()
	body := `{"request":{"uid":"u","operation":"CREATE","resource":{"group":"weft.dev","resource":"freezes"},"object":{"spec":{"applications":["reviews"]}}}}`
	h.ServeHTTP(w, httptest.NewRequestWithContext(blind, http.MethodPost, freezesPath, strings.NewReader(body)))
	if !strings.Contains(w.Body.String(), `"allowed":false`) || !strings.Contains(w.Body.String(), "nobody can see who may") {
		t.Errorf("without an answer of the store: %s", w.Body)
	}
}

// A freeze of everything but a group lets through what its members start, as far as the cluster vouches for who they are.
func TestExceptInACluster(t *testing.T) {
	client := shopOf(t)
	began := time.Now()
	freeze := &v1alpha1.Freeze{Spec: v1alpha1.FreezeSpec{Reason: "incident 4711", By: "ann", Except: []string{"oncall"}}}
	for name, test := range map[string]struct {
		groups    []string
		unvouched string
		since     time.Time
		want      string
	}{
		"who is excepted":           {[]string{"oncall"}, "", began.Add(-time.Hour), ""},
		"who is not":                {[]string{"dev"}, "", began.Add(-time.Hour), "frozen by ann"},
		"nobody vouches":            {[]string{"oncall"}, "the policy is not there", time.Time{}, "nobody vouches"},
		"it is older than the vows": {[]string{"oncall"}, "", began.Add(time.Hour), "nobody vouches"},
	} {
		r := &rails{
			freezes:      func(context.Context) ([]*v1alpha1.Freeze, error) { return []*v1alpha1.Freeze{freeze}, nil },
			applications: store.For[v1alpha1.Application](client, api.Application),
			vouched:      func(context.Context) (time.Time, string) { return test.since, test.unvouched },
		}
		rel := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "r", CreationTimestamp: metav1.Time{Time: began}}}
		rel.Spec.Application, rel.Spec.Version, rel.Spec.By, rel.Spec.Groups = "checkout", "v2", "bob", test.groups
		app, err := r.applications.Get(t.Context(), "shop", "checkout")
		if err != nil {
			t.Fatal(err)
		}
		if got := r.hold(t.Context(), rel, app); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
		rel.Status.Phase = v1alpha1.ReleaseProgressing // it holds at its share, too
		if got := r.hold(t.Context(), rel, app); (got == "") != (test.want == "") {
			t.Errorf("%s, under way: %q", name, got)
		}
	}
}
