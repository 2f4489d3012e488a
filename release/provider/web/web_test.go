package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/dial"
	"weft.dev/release/pipeline"
)

const canary = "s3cr3t-canary"

type secrets map[string]string

func (s secrets) Get(_ context.Context, namespace, name string) (*corev1.Secret, error) {
	value, ok := s[namespace+"/"+name]
	if !ok {
		return nil, errors.New("not found")
	}
	return &corev1.Secret{Data: map[string][]byte{"token": []byte(value + "\n")}}, nil
}

// open may connect to loopback.
var open = dial.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

func do(t *testing.T, connect func(context.Context, string, string) (net.Conn, error), safe bool, call pipeline.HTTPCall) (pipeline.Result, pipeline.HTTPAnswer, error) {
	t.Helper()
	data, _ := json.Marshal(call)
	w := New(connect, secrets{"default/token": canary})
	result, err := w.Do(t.Context(), "default", pipeline.Action{ID: "uid/call/1/1", Kind: pipeline.Call, Safe: safe, Data: data})
	var answer pipeline.HTTPAnswer
	if len(result.Data) > 0 {
		if err := json.Unmarshal(result.Data, &answer); err != nil {
			t.Errorf("data %s: %v", result.Data, err)
		}
	}
	if all := result.Text + string(result.Data); strings.Contains(all, canary) || err != nil && strings.Contains(err.Error(), canary) {
		t.Errorf("the secret is in %s, %v", all, err)
	}
	if len(result.Data) > pipeline.MaxData {
		t.Errorf("%d bytes of data", len(result.Data))
	}
	return result, answer, err
}

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusTeapot)
	json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "body": string(body), "headers": r.Header}) //nolint:errcheck
}

func TestCall(t *testing.T) {
	got := make(chan http.Header, 9)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		echo(w, r)
	}))
	defer server.Close()
	call := pipeline.HTTPCall{URL: server.URL, Body: `{"a":1}`, Headers: []v1alpha1.WebhookHeader{
		{Name: "X-Token", SecretKey: "token/token"}, {Name: "X-Plain", Value: "yes"}}}
	result, answer, err := do(t, open.DialContext, true, call)
	headers := <-got
	if err != nil || !result.OK || answer.Status != http.StatusTeapot || !strings.Contains(string(answer.Body), `"method":"POST"`) {
		t.Errorf("%+v %s %v", result, answer.Body, err)
	}
	for name, want := range map[string]string{"X-Token": canary, "X-Plain": "yes", "Idempotency-Key": "uid/call/1/1", "Content-Type": "application/json"} {
		if headers.Get(name) != want {
			t.Errorf("%s: %q", name, headers.Get(name))
		}
	}
	call.Method = http.MethodPut
	if _, answer, _ := do(t, open.DialContext, false, call); !strings.Contains(string(answer.Body), "PUT") || (<-got).Get("Idempotency-Key") != "" {
		t.Errorf("a call that may not be repeated: %s", answer.Body)
	}
	data, _ := json.Marshal(call)
	fact, err := New(open.DialContext, secrets{"default/token": canary}).Observe(t.Context(), "default", pipeline.Look{Kind: pipeline.SeeHTTP, Data: data})
	if err != nil || !strings.Contains(string(fact.Data), `"method":"GET"`) || strings.Contains(string(fact.Data), canary) {
		t.Errorf("a look: %s %v", fact.Data, err)
	}
}

// A call that did not leave has failed; of one that left nobody knows.
func TestFailures(t *testing.T) {
	dead := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }))
	defer dead.Close()
	if result, _, err := do(t, open.DialContext, false, pipeline.HTTPCall{URL: dead.URL}); err == nil {
		t.Errorf("a call that left: %+v", result)
	}
	dead.Close()
	for name, call := range map[string]pipeline.HTTPCall{
		"connection refused":  {URL: dead.URL},
		"want http://":        {URL: "file:///etc/passwd"},
		"and a host":          {URL: "http:///x"},
		"more than 262144":    {URL: dead.URL, Body: strings.Repeat("x", maxSent+1)},
		"no key":              {URL: dead.URL, Headers: []v1alpha1.WebhookHeader{{Name: "A", SecretKey: "token/other"}}},
		"secret default/gone": {URL: dead.URL, Headers: []v1alpha1.WebhookHeader{{Name: "A", SecretKey: "gone/token"}}},
	} {
		result, _, err := do(t, open.DialContext, false, call)
		if err != nil || result.OK || !strings.Contains(result.Text, name) {
			t.Errorf("%s: %+v %v", name, result, err)
		}
	}
}

func TestInside(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Error("it was called") }))
	defer server.Close()
	result, _, err := do(t, dial.Guard{}.DialContext, true, pipeline.HTTPCall{URL: server.URL})
	if err != nil || result.OK || !strings.Contains(result.Text, "not a public address") {
		t.Errorf("%+v %v", result, err)
	}
}

func TestRedirects(t *testing.T) {
	headers := make(chan http.Header, 9)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { headers <- r.Header }))
	defer target.Close()
	inside := strings.Replace(target.URL, "127.0.0.1", "127.0.0.2", 1)
	guard := dial.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := map[string]string{"/once": target.URL, "/inside": inside, "/ever": "/ever", "/file": "file:///etc/passwd"}[r.URL.Path]
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	})
	server, encrypted := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer server.Close()
	defer encrypted.Close()
	secret := []v1alpha1.WebhookHeader{{Name: "X-Token", SecretKey: "token/token"}, {Name: "X-Plain", Value: "yes"}}
	if result, _, err := do(t, guard.DialContext, false, pipeline.HTTPCall{URL: server.URL + "/once", Headers: secret}); err != nil || !result.OK {
		t.Fatalf("%+v %v", result, err)
	}
	if got := <-headers; got.Get("X-Token") != "" || got.Get("X-Plain") != "yes" {
		t.Errorf("another host got %v", got)
	}
	for path, want := range map[string]string{"/inside": "not a public address", "/ever": "more than 3 redirects", "/file": "not HTTP"} {
		result, _, err := do(t, guard.DialContext, false, pipeline.HTTPCall{URL: server.URL + path})
		if err != nil || result.OK || !strings.Contains(result.Text, want) {
			t.Errorf("%s: %+v %v", path, result, err)
		}
	}
	w := New(guard.DialContext, secrets{})
	w.transport = encrypted.Client().Transport
	data, _ := json.Marshal(pipeline.HTTPCall{URL: encrypted.URL + "/once"})
	if result, err := w.Do(t.Context(), "default", pipeline.Action{Data: data}); err != nil || !strings.Contains(result.Text, "not encrypted") {
		t.Errorf("out of TLS: %+v %v", result, err)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	for name, text := range map[string]string{
		"text": strings.Repeat("x", 2<<20), "JSON": `{"a":"` + strings.Repeat("x", 8<<10) + `"}`, "bytes": strings.Repeat("\x00\xff", 8<<10), "": "",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }))
		result, answer, err := do(t, open.DialContext, false, pipeline.HTTPCall{URL: server.URL})
		if err != nil || !result.OK || answer.Status != http.StatusOK || answer.Body[0] != '"' {
			t.Errorf("%s: %+v %v", name, result, err)
		}
		server.Close()
	}
}
