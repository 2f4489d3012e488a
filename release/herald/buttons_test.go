package herald

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/notify"
	"weft.dev/test/shelf"
)

const signing = "s3cr3t-canary"

// judged is decisions that a run answers at once.
type judged struct {
	*shelf.Shelf[v1alpha1.Decision]
	why string // "": accepted
}

func (j judged) Create(_ context.Context, o *v1alpha1.Decision) (*v1alpha1.Decision, error) {
	accepted := j.why == ""
	o.Status = v1alpha1.DecisionStatus{Accepted: &accepted, Why: j.why}
	return j.Shelf.Create(o)
}

func (j judged) Get(_ context.Context, namespace, name string) (*v1alpha1.Decision, error) {
	return j.Shelf.Get(namespace, name)
}

// slack presses buttons, and hears what is answered.
type slack struct {
	*httptest.Server
	mu    sync.Mutex
	heard []string
}

func newSlack(t *testing.T) *slack {
	s := &slack{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard = append(s.heard, string(body))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *slack) press(user, id string) string {
	value, _ := json.Marshal(Answer{Namespace: "shop", Run: "ship-1", UID: "u", Stage: "ok", Attempt: 1, Choice: "continue"})
	payload, _ := json.Marshal(map[string]any{
		"user": map[string]string{"id": user}, "trigger_id": id, "response_url": s.URL, "actions": []any{map[string]string{"value": string(value)}},
	})
	return url.Values{"payload": {string(payload)}}.Encode()
}

func (b *Buttons) receive(body, key string, at time.Time) int {
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(mac, "v0:%d:%s", at.Unix(), body)
	r := httptest.NewRequest(http.MethodPost, "/slack", strings.NewReader(body))
	r.Header.Set("X-Slack-Request-Timestamp", fmt.Sprint(at.Unix()))
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	b.Wait()
	return w.Code
}

func newButtons(why string) (*Buttons, *shelf.Shelf[v1alpha1.Decision]) {
	all := shelf.New[v1alpha1.Decision](new(sync.Mutex))
	return &Buttons{
		Decisions: judged{all, why}, Client: notify.NewClient((&net.Dialer{}).DialContext), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Secret: func(context.Context) (*corev1.Secret, error) {
			return &corev1.Secret{Data: map[string][]byte{signingKey: []byte(signing + "\n"), peopleKey: []byte("U1: {name: bob, groups: [qa]}")}}, nil
		},
	}, all
}

func TestButton(t *testing.T) {
	s := newSlack(t)
	b, all := newButtons("")
	for range 2 { // Slack delivers again what it was not answered in time
		if code := b.receive(s.press("U1", "t1"), signing, time.Now()); code != http.StatusOK {
			t.Fatal(code)
		}
	}
	made := all.List("shop")
	if len(made) != 1 || made[0].Spec.By != "bob" || made[0].Spec.Groups[0] != "qa" || made[0].Spec.RunUID != "u" || made[0].Spec.Verb != "judge" || made[0].Spec.Choice != "continue" {
		t.Fatalf("%+v", made)
	}
	if len(s.heard) != 2 || !strings.Contains(s.heard[0], "ok: continue, by bob") {
		t.Errorf("heard %q", s.heard)
	}
}

func TestButtonDoesNotCount(t *testing.T) {
	s := newSlack(t)
	b, all := newButtons("bob started the run")
	b.receive(s.press("U1", "t1"), signing, time.Now())
	b.receive(s.press("U2", "t2"), signing, time.Now())
	if len(all.List("shop")) != 1 || len(s.heard) != 2 || !strings.Contains(s.heard[0], "bob started the run") || !strings.Contains(s.heard[1], "U2") {
		t.Errorf("%d decisions, heard %q", len(all.List("shop")), s.heard)
	}
}

func TestButtonForged(t *testing.T) {
	s := newSlack(t)
	b, all := newButtons("")
	for name, code := range map[string]int{
		"another key": b.receive(s.press("U1", "t"), "another", time.Now()),
		"no key":      b.receive(s.press("U1", "t"), "", time.Now()),
		"an old one":  b.receive(s.press("U1", "t"), signing, time.Now().Add(-fresh-time.Minute)),
		"a later one": b.receive(s.press("U1", "t"), signing, time.Now().Add(fresh+time.Minute)),
	} {
		if code != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, code)
		}
	}
	if code := b.receive("payload={}", signing, time.Now()); code != http.StatusBadRequest {
		t.Errorf("without an action: %d", code)
	}
	if len(all.List("shop")) != 0 || len(s.heard) != 0 {
		t.Errorf("%d decisions, heard %q", len(all.List("shop")), s.heard)
	}
}
