package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	authzv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/filters/impersonation"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/install/chart"
	"weft.dev/store"
	"weft.dev/store/serve"
)

// account is weft's, in the cluster of the test.
const account = "system:serviceaccount:weft-system:weft"

// signInCluster is an API server as that of a cluster: a real one behind the filter by which Kubernetes lets somebody act as
// others. weft may, as people and groups; whoever is in sso:dev may use weft, and it says who asks.
type signInCluster struct {
	t      *testing.T
	own    *serve.Server
	url    string
	client *store.Client // of weft's account
}

func newSignInCluster(t *testing.T) *signInCluster {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	own, err := serve.New(ctx, serve.Options{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Rules: func(context.Context, serve.Wish) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- own.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	<-own.Ready()
	s := &signInCluster{t: t, own: own}
	front := httptest.NewServer(s.authenticated(impersonation.WithImpersonation(http.HandlerFunc(s.serve), authorizer.AuthorizerFunc(mayImpersonate), scheme.Codecs)))
	t.Cleanup(front.Close)
	s.url = front.URL
	if s.client, err = store.NewClient(s.config()); err != nil {
		t.Fatal(err)
	}
	admin, err := store.NewClient(own.Config())
	if err != nil {
		t.Fatal(err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: chart.Namespace}}
	if _, err := store.For[corev1.Namespace](admin, api.Namespace).Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *signInCluster) config() *rest.Config { return &rest.Config{Host: s.url, BearerToken: "weft"} }

func (s *signInCluster) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer weft" {
			http.Error(w, "who?", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(request.WithUser(r.Context(), &user.DefaultInfo{Name: account})))
	})
}

// mayImpersonate is what the chart's ClusterRole says: all people, and all groups.
func mayImpersonate(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if a.GetUser().GetName() == account && a.GetAPIGroup() == "" && slices.Contains([]string{"users", "groups"}, a.GetResource()) {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

func (s *signInCluster) serve(w http.ResponseWriter, r *http.Request) {
	who, _ := request.UserFrom(r.Context())
	of := "/api/v1/namespaces/weft-system/"
	path := r.URL.Path
	switch {
	case who.GetName() == account:
		s.forward(w, r, s.own.Config())
	case strings.HasSuffix(path, "/selfsubjectreviews"):
		sayAs(w, authv1.SelfSubjectReview{Status: authv1.SelfSubjectReviewStatus{UserInfo: authv1.UserInfo{Username: who.GetName(), Groups: who.GetGroups()}}})
	case strings.HasSuffix(path, "/selfsubjectaccessreviews"):
		s.review(w, r)
	case strings.HasPrefix(path, of) && !slices.Contains(who.GetGroups(), "sso:dev"):
		fail(w, http.StatusForbidden, who.GetName()+" cannot get services")
	case path == of+"services/weft":
		sayAs(w, metav1.PartialObjectMetadata{})
	case path == of+"serviceaccounts/weft-people/token":
		sayAs(w, authv1.TokenRequest{Status: authv1.TokenRequestStatus{Token: "people"}})
	case strings.HasPrefix(path, of+"services/https:weft:api/proxy/weft/v1/") && r.Header.Get(tokenHeader) == "people":
		sayAs(w, map[string]any{"name": who.GetName(), "groups": who.GetGroups(), "cookie": r.Header.Get("Cookie")})
	default:
		config, err := s.own.As(who.GetName(), who.GetGroups(), time.Hour)
		if err != nil {
			fail(w, http.StatusForbidden, err.Error())
			return
		}
		s.forward(w, r, config)
	}
}

// review lets people release in the namespace shop, and nowhere else, and freeze.
func (s *signInCluster) review(w http.ResponseWriter, r *http.Request) {
	var asked authzv1.SelfSubjectAccessReview
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = runtime.DecodeInto(scheme.Codecs.UniversalDeserializer(), body, &asked)
	}
	if err != nil {
		s.t.Error(err)
		return
	}
	of := asked.Spec.ResourceAttributes
	asked.Status.Allowed = of.Group == "weft.dev" && (of.Namespace == "shop" && of.Resource == "releases" || of.Namespace == "" && of.Resource == "freezes" && of.Verb == "create")
	sayAs(w, asked)
}

func sayAs(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func (s *signInCluster) forward(w http.ResponseWriter, r *http.Request, config *rest.Config) {
	transport, err := rest.TransportFor(config)
	to, err2 := url.Parse(config.Host)
	if err != nil || err2 != nil {
		s.t.Error(err, err2)
		return
	}
	r.Header.Del("Authorization")
	(&httputil.ReverseProxy{Transport: transport, Rewrite: func(q *httputil.ProxyRequest) { q.SetURL(to) }}).ServeHTTP(w, r)
}

// replica is one of weft's, at which people sign in.
func (s *signInCluster) replica() (*signIn, *httptest.Server) {
	s.t.Helper()
	gate := kubeGate{s.config(), "sso:", newSharedKey(s.client, chart.Namespace)}
	door := newSignIn(s.t.Context(), gate, newSecretBook(s.client, chart.Namespace), &url.URL{})
	handler, err := door.handler()
	if err != nil {
		s.t.Fatal(err)
	}
	at := httptest.NewTLSServer(handler)
	s.t.Cleanup(at.Close)
	return door, at
}

// browsed is what a browser gets of a replica. The cookie is the host's, whatever its port.
func browsed(t *testing.T, browser *http.Client, method, at, body string, headers ...string) (int, string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, at, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Add(headers[i], headers[i+1])
	}
	response, err := browser.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// In a cluster whoever has signed in at one replica is that person at each, by the cluster's rules, until they sign out at one.
func TestSignInInACluster(t *testing.T) {
	s := newSignInCluster(t)
	_, a := s.replica()
	door, b := s.replica()
	token := func(name string, groups ...string) string {
		t.Helper()
		text, err := clusterToken(s.client, name, groups, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return `{"token":"` + text + `"}`
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	bob := &http.Client{Jar: jar, Transport: a.Client().Transport}
	session := "/weft/v1/session"
	if status, said := browsed(t, bob, "POST", a.URL+session, token("eve", "qa")); status != 403 || !strings.Contains(said, "bind the Role weft-people") {
		t.Errorf("eve, who may not use weft: %d %s", status, said)
	}
	if status, said := browsed(t, bob, "POST", a.URL+session, token("bob", "dev")); status != 200 {
		t.Fatalf("bob: %d %s", status, said)
	}
	want := `"groups":["sso:dev","system:authenticated"],"name":"sso:bob"`
	for what, headers := range map[string][]string{
		"as he is":        nil,
		"as an admin":     {"Impersonate-User", "admin", "Impersonate-Group", "system:masters"},
		"as weft":         {"Authorization", "Bearer weft", "Weft-Token", "x"},
		"by another word": {"impersonate-extra-scopes", "x", "Impersonate-Uid", "1", "X-Remote-User", "admin"},
	} {
		if status, said := browsed(t, bob, "GET", b.URL+"/weft/v1/settings", "", headers...); status != 200 || !strings.Contains(said, want) || !strings.Contains(said, `"cookie":""`) {
			t.Errorf("bob at the other replica, %s: %d %s", what, status, said)
		}
	}
	if status, said := browsed(t, bob, "POST", b.URL+"/weft/v1/freezes", `{"reason":"stop"}`); status != 200 {
		t.Errorf("bob freezes: %d %s", status, said)
	}
	freezes, err := store.For[v1alpha1.Freeze](s.client, api.Freeze).List(t.Context(), "")
	if err != nil || len(freezes) != 1 || freezes[0].Spec.By != "sso:bob" || !slices.Equal(freezes[0].Spec.Groups, []string{"sso:dev"}) {
		t.Errorf("freezes %+v, %v", freezes, err)
	}
	for namespace, want := range map[string]string{
		"shop":  `{"not":{"decide":"The cluster does not let you create decisions in the namespace shop.","pipeline":"The cluster does not let you update pipelines in the namespace shop.",`,
		"carts": `"release":"The cluster does not let you create releases in the namespace carts."`,
		"":      `"unfreeze":"The cluster does not let you delete freezes in the cluster."`,
	} {
		status, said := browsed(t, bob, "GET", b.URL+"/weft/v1/rights?namespace="+namespace, "")
		if status != 200 || !strings.Contains(said, want) || strings.Contains(said, `"freeze"`) || strings.Contains(said, `"release"`) == (namespace == "shop") {
			t.Errorf("bob's rights in %q: %d %s, want %s", namespace, status, said, want)
		}
	}
	here, _ := url.Parse(b.URL)
	kept := jar.Cookies(here)
	if status, said := browsed(t, bob, "DELETE", a.URL+session, ""); status != 200 {
		t.Errorf("sign out: %d %s", status, said)
	}
	visit := slices.Collect(maps.Values(door.sessions.open))[0]
	door.sessions.sweep()
	if visit.ctx.Err() == nil {
		t.Error("what bob reads at the other replica goes on after he signed out")
	}
	jar.SetCookies(here, kept)
	if status, said := browsed(t, bob, "GET", b.URL+"/weft/v1/settings", ""); status != 401 {
		t.Errorf("a copy of the cookie, after he signed out elsewhere: %d %s", status, said)
	}
	testSignInFailsClosed(t, s, bob, a.URL, token("bob", "dev"))
}

// Without the Secrets nobody is signed in, and no token is one.
func testSignInFailsClosed(t *testing.T, s *signInCluster, bob *http.Client, at, token string) {
	secrets := store.For[corev1.Secret](s.client, api.Secret)
	if status, said := browsed(t, bob, "POST", at+"/weft/v1/session", token); status != 200 {
		t.Fatalf("again: %d %s", status, said)
	}
	if err := secrets.Delete(t.Context(), chart.Namespace, sessionSecret); err != nil {
		t.Fatal(err)
	}
	_, anew := s.replica()
	if status, said := browsed(t, bob, "GET", anew.URL+"/weft/v1/settings", ""); status != 401 {
		t.Errorf("a session that is written nowhere: %d %s", status, said)
	}
	if err := secrets.Delete(t.Context(), chart.Namespace, signInSecret); err != nil {
		t.Fatal(err)
	}
	_, anew = s.replica()
	if status, said := browsed(t, bob, "POST", anew.URL+"/weft/v1/session", token); status != 401 {
		t.Errorf("a token by a key that is gone: %d %s", status, said)
	}
}

// Nobody becomes who is the cluster's own, whatever they are called elsewhere.
func TestWhoActsInACluster(t *testing.T) {
	gate := kubeGate{config: &rest.Config{}, prefix: "sso:"}
	config, err := gate.as(serve.Grant{Name: "ann@example.com", Groups: []string{"dev", "system:masters", "weft:people", "two words", ""}})
	if err != nil || config.Impersonate.UserName != "sso:ann@example.com" || !slices.Equal(config.Impersonate.Groups, []string{"sso:dev"}) {
		t.Errorf("%+v %v", config, err)
	}
	for _, name := range []string{"", "system:admin", "weft:people", "a b", "a\r\nImpersonate-Group: system:masters"} {
		if config, err := gate.as(serve.Grant{Name: name}); err == nil {
			t.Errorf("%q is %q", name, config.Impersonate.UserName)
		}
	}
	for _, prefix := range []string{"", ":", "s", "system:", "system:x:", "weft:", "weft:x:", "a b:", "sso", "ä:"} {
		gate.prefix = prefix
		if config, err := gate.as(serve.Grant{Name: "ann"}); err == nil {
			t.Errorf("with the prefix %q ann is %q", prefix, config.Impersonate.UserName)
		}
	}
}
