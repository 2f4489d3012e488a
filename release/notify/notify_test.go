package notify

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"weft.dev/test/objectstore"
)

var message = Message{
	About: "uid", State: "asking", Occasion: "Asking/ok/1", Title: "ship-1: asks a person", Text: "is <it> good?",
	Lines: []string{"bake: Succeeded"}, Choose: []Choice{{Label: "ok: continue", Value: "v"}, {Label: "ok: stop", Value: "w", Stop: true}},
}

// server answers with text, and keeps what it was asked.
type server struct {
	*httptest.Server
	answer string
	status int
	path   string
	header http.Header
	body   string
}

func newServer(t *testing.T, answer string) *server {
	s := &server{answer: answer, status: http.StatusOK}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.path, s.header, s.body = r.URL.Path, r.Header, string(body)
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.answer)
	}))
	t.Cleanup(s.Close)
	return s
}

func client() *http.Client { return NewClient((&net.Dialer{}).DialContext) }

func TestSlackPostsThenEdits(t *testing.T) {
	s := newServer(t, `{"ok":true,"channel":"C1","ts":"17.5"}`)
	way := Slack{Client: client(), API: s.URL, Channel: "#releases", Token: "xoxb"}
	handle, err := way.Send(t.Context(), message, "")
	if err != nil || handle != "C1/17.5" || s.path != "/chat.postMessage" || s.header.Get("Authorization") != "Bearer xoxb" {
		t.Fatalf("%q %v, asked %s", handle, err, s.path)
	}
	if !strings.Contains(s.body, `is \u0026lt;it\u0026gt; good?`) || !strings.Contains(s.body, `"style":"danger"`) {
		t.Errorf("sent %s", s.body)
	}
	if _, err = way.Send(t.Context(), message, handle); err != nil || s.path != "/chat.update" {
		t.Fatalf("%v, asked %s", err, s.path)
	}
	var sent struct{ Channel, TS string }
	if json.Unmarshal([]byte(s.body), &sent) != nil || sent.Channel != "C1" || sent.TS != "17.5" {
		t.Errorf("edited %s", s.body)
	}
}

func TestSlackRefuses(t *testing.T) {
	for answer, final := range map[string]bool{`{"ok":false,"error":"channel_not_found"}`: true, `{"ok":false,"error":"ratelimited"}`: false, `<html>`: false} {
		s := newServer(t, answer)
		_, err := Slack{Client: client(), API: s.URL, Channel: "#x", Token: "t"}.Send(t.Context(), message, "")
		if err == nil || errors.Is(err, ErrRefused) != final {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

func TestStatuses(t *testing.T) {
	s := newServer(t, "no\nsecond line")
	for status, final := range map[int]bool{400: true, 404: true, 302: true, 408: false, 429: false, 500: false, 503: false} {
		s.status = status
		_, err := Webhook{Client: client(), URL: s.URL}.Send(t.Context(), message, "")
		if err == nil || errors.Is(err, ErrRefused) != final || strings.Contains(err.Error(), "second") {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// The address of a Teams workflow lets whoever has it send: no error shows it.
func TestAddressIsHidden(t *testing.T) {
	s := newServer(t, "")
	to := s.URL + "/canary"
	s.Close()
	_, err := Teams{Client: client(), URL: to}.Send(t.Context(), message, "")
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
	if _, err = (Teams{Client: client(), URL: "http://a b/canary"}).Send(t.Context(), message, ""); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
}

func TestWebhookIsSigned(t *testing.T) {
	s := newServer(t, "")
	if _, err := (Webhook{Client: client(), URL: s.URL, Secret: "key"}).Send(t.Context(), message, ""); err != nil {
		t.Fatal(err)
	}
	if got := s.header.Get("X-Weft-Signature"); got != "sha256="+Sign("key", []byte(s.body)) || s.header.Get("Idempotency-Key") != "uid/Asking/ok/1" {
		t.Errorf("signed %q, key %q", got, s.header.Get("Idempotency-Key"))
	}
	if Sign("key", []byte("The quick brown fox jumps over the lazy dog")) != "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8" {
		t.Error("HMAC of the known text is another one")
	}
}

func TestTeamsSendsACard(t *testing.T) {
	s := newServer(t, "")
	if _, err := (Teams{Client: client(), URL: s.URL}).Send(t.Context(), message, ""); err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Attachments []struct {
			Content struct {
				Type string
				Body []struct{ Text string }
			}
		}
	}
	if err := json.Unmarshal([]byte(s.body), &sent); err != nil || len(sent.Attachments) != 1 || sent.Attachments[0].Content.Type != "AdaptiveCard" || len(sent.Attachments[0].Content.Body) != 3 {
		t.Errorf("%v: %s", err, s.body)
	}
}

// The signatures are those that botocore gives for the same requests.
func TestSignature(t *testing.T) {
	for session, want := range map[string]string{
		"":        "SignedHeaders=content-type;host;x-amz-date, Signature=75882899654b5eb833343acb83eccff7576a2cb2cda4c16f6866c0a891999177",
		"SESSION": "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=7fddbaf1f8d682457d3f640e74efebe3747ad4da0258bf8b67649e4f15bfeaf7",
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://sns.us-east-1.amazonaws.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		c := Credentials{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Session: session}
		c.sign(request, "Action=Publish", "us-east-1", "sns", time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
		if got := request.Header.Get("Authorization"); !strings.HasSuffix(got, "Credential=AKIDEXAMPLE/20150830/us-east-1/sns/aws4_request, "+want) {
			t.Errorf("session %q: %s", session, got)
		}
	}
}

// A topic of a real API takes the message, and gives it to who subscribed.
func TestTopicGetsIt(t *testing.T) {
	api, inbox := objectstore.Start(t), newServer(t, "")
	ask := func(form url.Values) string {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api+"/", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		Credentials{ID: "test", Secret: "test"}.sign(request, form.Encode(), "us-east-1", "sns", time.Now())
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		answer, _ := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusOK {
			t.Fatalf("%v: %s", form, answer)
		}
		return string(answer)
	}
	const topic = "arn:aws:sns:us-east-1:123456789012:releases"
	if made := ask(url.Values{"Action": {"CreateTopic"}, "Version": {"2010-03-31"}, "Name": {"releases"}}); !strings.Contains(made, topic) {
		t.Fatal(made)
	}
	ask(url.Values{"Action": {"Subscribe"}, "Version": {"2010-03-31"}, "TopicArn": {topic}, "Protocol": {"http"}, "Endpoint": {inbox.URL}})
	way := SNS{Client: client(), Topic: topic, URL: api + "/", Credentials: Credentials{ID: "test", Secret: "test"}, Now: time.Now}
	if _, err := way.Send(t.Context(), message, ""); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(inbox.body, "bake: Succeeded") || !strings.Contains(inbox.body, `"Subject": "ship-1: asks a person"`) {
		t.Errorf("subscribed, and got %s", inbox.body)
	}
	way.Topic += "-gone"
	if _, err := way.Send(t.Context(), message, ""); !errors.Is(err, ErrRefused) {
		t.Errorf("a topic that there is not: %v", err)
	}
}

func TestTopics(t *testing.T) {
	if region, err := regionOf("arn:aws:sns:eu-west-1:123456789012:releases"); err != nil || region != "eu-west-1" {
		t.Errorf("%q %v", region, err)
	}
	if _, err := regionOf("releases"); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
	if got := ascii("ship\n→ "+strings.Repeat("a", 200), maxSubject); len(got) != maxSubject || !strings.HasPrefix(got, "ship-- a") {
		t.Errorf("%q", got)
	}
}
