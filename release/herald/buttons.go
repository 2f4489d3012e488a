package herald

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/notify"
	"weft.dev/release/pipeline"
)

// Keys of the Secret that lets people judge by buttons.
const (
	signingKey = "signingSecret" // of the Slack app
	peopleKey  = "people"        // YAML: who a Slack user is here, by the user's id: {name, groups}
)

const (
	maxPayload = 64 << 10
	// fresh is how old a press of a button may be: a recorded one is not played again.
	fresh = 5 * time.Minute
	// answerWait is how long who pressed waits to hear whether it counted.
	answerWait, answerLook = 5 * time.Second, 200 * time.Millisecond
)

// Decisions are the stored ones, as store.Resource is.
type Decisions interface {
	Getter[v1alpha1.Decision]
	Create(ctx context.Context, o *v1alpha1.Decision) (*v1alpha1.Decision, error)
}

// Buttons takes what people press in messages by Slack: a judgment in their name, if
// Slack signed it and the Secret says who they are. The run decides whether it counts.
type Buttons struct {
	Decisions Decisions
	Secret    func(ctx context.Context) (*corev1.Secret, error)
	Client    *http.Client
	Now       func() time.Time
	Log       *slog.Logger

	work sync.WaitGroup
}

// Wait returns once everybody has been answered.
func (b *Buttons) Wait() { b.work.Wait() }

// press is what Slack sends, as far as it matters.
type press struct {
	User        struct{ ID string }
	Actions     []struct{ Value string }
	TriggerID   string `json:"trigger_id"`
	ResponseURL string `json:"response_url"`
}

type person struct {
	Name   string   `json:"name"`
	Groups []string `json:"groups,omitempty"`
}

// ServeHTTP answers Slack at once, and who pressed a little later.
func (b *Buttons) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if err != nil || r.Method != http.MethodPost {
		http.Error(w, "want a POST of Slack", http.StatusBadRequest)
		return
	}
	secret, err := b.Secret(r.Context())
	if err != nil {
		b.Log.Error("buttons are not taken", "error", err)
		http.Error(w, "the server cannot read who may press buttons; see its log", http.StatusServiceUnavailable)
		return
	}
	if !b.signed(secret, r.Header, body) {
		http.Error(w, "not signed by the Slack app that this server knows", http.StatusUnauthorized)
		return
	}
	p, answer, err := read(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusOK)
	ctx := context.WithoutCancel(r.Context())
	b.work.Go(func() { b.tell(ctx, p, b.decide(ctx, secret, p, answer)) })
}

// signed checks Slack's signature, of now.
func (b *Buttons) signed(secret *corev1.Secret, h http.Header, body []byte) bool {
	at, err := strconv.ParseInt(h.Get("X-Slack-Request-Timestamp"), 10, 64)
	key := bytes.TrimSpace(secret.Data[signingKey])
	if err != nil || len(key) == 0 || b.Now().Sub(time.Unix(at, 0)).Abs() > fresh {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "v0:%d:%s", at, body)
	return hmac.Equal([]byte("v0="+hex.EncodeToString(mac.Sum(nil))), []byte(h.Get("X-Slack-Signature")))
}

func read(body []byte) (p press, a Answer, err error) {
	form, err := url.ParseQuery(string(body))
	if err == nil {
		err = json.Unmarshal([]byte(form.Get("payload")), &p)
	}
	if err == nil && len(p.Actions) != 1 {
		err = errors.New("want the press of one button")
	}
	if err == nil {
		err = json.Unmarshal([]byte(p.Actions[0].Value), &a)
	}
	return p, a, err
}

// decide writes the decision, and returns what became of it.
func (b *Buttons) decide(ctx context.Context, secret *corev1.Secret, p press, a Answer) string {
	people := map[string]person{}
	if err := yaml.Unmarshal(secret.Data[peopleKey], &people); err != nil {
		b.Log.Error("buttons are not taken: the Secret's "+peopleKey+" cannot be read", "error", err)
		return "Nobody can press buttons now: the list of people cannot be read."
	}
	who, known := people[p.User.ID]
	if !known || who.Name == "" {
		return "Nobody here knows who you are: have an administrator add your Slack id " + p.User.ID + "."
	}
	sum := sha256.Sum256([]byte(p.TriggerID))
	d := &v1alpha1.Decision{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: fmt.Sprintf("%.40s-slack-%s", a.Run, hex.EncodeToString(sum[:5]))},
		Spec: v1alpha1.DecisionSpec{
			Run: a.Run, RunUID: a.UID, Verb: pipeline.Judge, Stage: a.Stage, Attempt: a.Attempt, Choice: a.Choice, Reason: "by Slack",
			By: who.Name, Groups: who.Groups,
		},
	}
	if _, err := b.Decisions.Create(ctx, d); err != nil && !apierrors.IsAlreadyExists(err) {
		b.Log.Error("a judgment by Slack is not stored", "run", a.Namespace+"/"+a.Run, "by", who.Name, "error", err)
		return "It was not taken: " + err.Error()
	}
	return b.await(ctx, d)
}

func (b *Buttons) await(ctx context.Context, d *v1alpha1.Decision) string {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	again := time.NewTicker(answerLook)
	defer again.Stop()
	for ctx.Err() == nil {
		now, err := b.Decisions.Get(ctx, d.Namespace, d.Name)
		switch {
		case err != nil || now.Status.Accepted == nil:
			select {
			case <-again.C:
			case <-ctx.Done():
			}
		case *now.Status.Accepted:
			return fmt.Sprintf("%s: %s, by %s.", d.Spec.Stage, d.Spec.Choice, d.Spec.By)
		default:
			return "It does not count: " + now.Status.Why
		}
	}
	return "It is written down; the run has not looked at it yet."
}

// tell answers who pressed, and nobody else.
func (b *Buttons) tell(ctx context.Context, p press, text string) {
	if p.ResponseURL == "" {
		return
	}
	if err := notify.Whisper(ctx, b.Client, p.ResponseURL, text); err != nil {
		b.Log.Warn("who pressed a button is not answered", "error", err)
	}
}
