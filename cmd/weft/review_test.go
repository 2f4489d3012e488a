package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"weft.dev/flow"
	"weft.dev/model"
)

// Only whom the API server says to be somebody else is refused; that it does not say is nobody's fault who asks.
func TestPeople(t *testing.T) {
	says := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	is := func(user string) http.HandlerFunc {
		return says(http.StatusCreated, `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","status":{"authenticated":true,"user":{"username":"`+user+`"}}}`)
	}
	nobody := says(http.StatusCreated, `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","status":{"error":"expired"}}`)
	noToken := says(http.StatusBadRequest, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"token is required","reason":"BadRequest","code":400}`)
	broken := says(http.StatusInternalServerError, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"etcd is \"away\"","reason":"InternalError","code":500}`)
	gone := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for name, c := range map[string]struct {
		api    http.HandlerFunc
		token  string
		status int
		text   string // a part of the error
	}{
		"one of the people":  {is("system:serviceaccount:weft-system:weft-people"), "t", http.StatusOK, ""},
		"another account":    {is("system:serviceaccount:weft-system:default"), "t", http.StatusForbidden, "weft-system/weft-people is needed"},
		"another namespace":  {is("system:serviceaccount:shop:weft-people"), "t", http.StatusForbidden, "weft-system/weft-people is needed"},
		"a user":             {is("weft-people"), "t", http.StatusForbidden, "is needed"},
		"a token of nobody":  {nobody, "t", http.StatusForbidden, "is needed"},
		"no token":           {noToken, "", http.StatusForbidden, "is needed"},
		"the server fails":   {broken, "t", http.StatusServiceUnavailable, `etcd is "away"`},
		"the server is gone": {gone, "t", http.StatusServiceUnavailable, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			api := httptest.NewServer(c.api)
			defer api.Close()
			reviews, err := newReviewer(&rest.Config{Host: api.URL})
			if err != nil {
				t.Fatal(err)
			}
			request := httptest.NewRequest(http.MethodGet, "/api/v1/services", nil)
			request.Header.Set(tokenHeader, c.token)
			answer := httptest.NewRecorder()
			reviews.people(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(answer, request)
			var said struct{ Error string }
			if answer.Body.Len() > 0 {
				err = json.Unmarshal(answer.Body.Bytes(), &said)
			}
			if err != nil || answer.Code != c.status || !strings.Contains(said.Error, c.text) {
				t.Errorf("%d %q (%v), want %d with %q", answer.Code, said.Error, err, c.status, c.text)
			}
		})
	}
}

// A pod may ask before it is known here: that is an answer, and no panic.
func TestPodThatIsNotKnown(t *testing.T) {
	graph := flow.New(flow.Options{})
	pods := flow.NewSource[model.Pod](graph, "kube/pods")
	graph.Commit(func(tx *flow.Tx) {
		for name, proxy := range map[string]bool{"web-1": true, "bare": false} {
			template := model.NewPodTemplate(model.PodTemplate{Namespace: "shop", ServiceAccount: "web", Proxy: proxy})
			pods.Set(tx, model.Pod{Instance: &model.Instance{Workload: "shop/" + name, Address: "10.244.0.5", Health: model.Unhealthy}, PodTemplate: template})
		}
	})
	c := cluster{pods: pods.Collection}
	for name, want := range map[string]bool{"web-1": true, "bare": false, "gone": false} {
		if account, ok := c.Pod("shop", name); ok != want || ok && account != "web" {
			t.Errorf("pod %s: account %q, %v, want %v", name, account, ok, want)
		}
	}
}
