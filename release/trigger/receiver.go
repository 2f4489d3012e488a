package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
	"weft.dev/release/secret"
	"weft.dev/release/trigger/hook"
)

// Getter reads pipelines.
type Getter interface {
	Get(ctx context.Context, namespace, name string) (*v1alpha1.Pipeline, error)
}

// ReceiverOptions are what a receiver is made of; all are required.
type ReceiverOptions struct {
	Pipelines Getter
	Runs      Maker
	Secrets   secret.Secrets
	Eval      pipeline.Evaluator
	Now       func() time.Time
	Log       *slog.Logger
}

// Receiver takes deliveries at /hooks/NAMESPACE/PIPELINE/TRIGGER, on any server:
// the name of a run says whether it is there already. It answers 202 and
// {"run": NAME}, or says why there is none; 200 where that is nobody's mistake.
type Receiver struct {
	ReceiverOptions
	starter starter
	rate    *rate
}

// NewReceiver makes the handler of a listener that serves nothing else.
func NewReceiver(o ReceiverOptions) *Receiver {
	return &Receiver{o, starter{o.Runs, o.Eval}, newRate(o.Now)}
}

// answer is what a caller is told.
type answer struct {
	status int
	Run    string `json:"run,omitempty"`
	Text   string `json:"text,omitempty"`
}

func refuse(status int, format string, args ...any) answer {
	return answer{status: status, Text: fmt.Sprintf(format, args...)}
}

func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	a := r.take(w, request)
	w.Header().Set("Content-Type", "application/json")
	if a.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "60")
	}
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a) // the caller is away
}

// take answers a delivery. Nobody learns what there is without the secret, but for which addresses take deliveries.
func (r *Receiver) take(w http.ResponseWriter, request *http.Request) answer {
	words := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	if len(words) != 4 || words[0] != "hooks" {
		return refuse(http.StatusNotFound, "there are only /hooks/NAMESPACE/PIPELINE/TRIGGER")
	}
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(http.StatusMethodNotAllowed, "deliver by POST")
	}
	if !r.rate.take(strings.Join(words[1:], "/")) {
		return refuse(http.StatusTooManyRequests, "more than %d deliveries in a minute: deliver it again later", maxRate)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, hook.MaxBody))
	if too := new(http.MaxBytesError); errors.As(err, &too) {
		return refuse(http.StatusRequestEntityTooLarge, "the delivery has more than %d bytes", hook.MaxBody)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "the delivery is cut off")
	}
	ctx, cancel := context.WithTimeout(request.Context(), 10*time.Second) // forges wait as long
	defer cancel()
	p, err := r.Pipelines.Get(ctx, words[1], words[2])
	if err != nil {
		if apierrors.IsNotFound(err) {
			return noHook()
		}
		return r.failed("read the pipeline", err)
	}
	for i := range p.Spec.Triggers {
		if t := &p.Spec.Triggers[i]; t.Name == words[3] {
			return r.deliver(ctx, p, t, request.Header, body)
		}
	}
	return noHook()
}

func noHook() answer {
	return refuse(http.StatusNotFound, "no trigger of this name takes deliveries: see spec.triggers of the pipeline")
}

func (r *Receiver) failed(what string, err error) answer {
	r.Log.Warn("a delivery is lost unless it comes again", "cannot", what, "error", err)
	return refuse(http.StatusServiceUnavailable, "weft cannot %s now: deliver it again", what)
}

// delivers says who delivers to a trigger, and the key of the secret that they know; "": nobody.
func delivers(t *v1alpha1.Trigger) (from, key string) {
	switch {
	case t.Webhook != nil:
		return hook.Plain, t.Webhook.SecretKey
	case t.Git != nil && t.Git.Hook != nil:
		return t.Git.Hook.Forge, t.Git.Hook.SecretKey
	}
	return "", ""
}

// secretOf is the value of NAME/KEY; empty: there is none.
func secretOf(ctx context.Context, all secret.Secrets, namespace, key string) ([]byte, error) {
	name, field, _ := strings.Cut(key, "/")
	values, err := secret.Values(ctx, all, namespace, name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return []byte(values[field]), err
}

// deliver verifies a delivery, and starts what it is for.
func (r *Receiver) deliver(ctx context.Context, p *v1alpha1.Pipeline, t *v1alpha1.Trigger, header http.Header, body []byte) answer {
	from, key := delivers(t)
	if key == "" {
		return noHook()
	}
	known, err := secretOf(ctx, r.Secrets, p.Namespace, key)
	if err != nil {
		return r.failed("read the trigger's secret", err)
	}
	if len(known) == 0 {
		r.Log.Warn("a trigger has no secret, so it takes no delivery", "pipeline", p.Namespace+"/"+p.Name, "trigger", t.Name, "secret", key)
		return refuse(http.StatusForbidden, "the trigger has no secret here: make the Secret that it names")
	}
	switch err := hook.Verify(from, header, body, known); {
	case errors.Is(err, hook.ErrUnsigned):
		return refuse(http.StatusUnauthorized, "%v: give the sender the trigger's secret", err)
	case err != nil:
		return refuse(http.StatusForbidden, "%v: give the sender the trigger's secret", err)
	}
	if p.Spec.Disabled || t.Disabled {
		return refuse(http.StatusOK, "the trigger is disabled: it starts nothing")
	}
	h, why := r.read(t, from, header, body)
	if why.status != 0 {
		return why
	}
	run, text, err := r.starter.start(ctx, p, t, h)
	switch {
	case err != nil:
		return r.failed("start the run", err)
	case run == "":
		return refuse(http.StatusOK, "%s", text)
	}
	return answer{status: http.StatusAccepted, Run: run}
}

// read is what a delivery says, or why it starts nothing.
func (r *Receiver) read(t *v1alpha1.Trigger, from string, header http.Header, body []byte) (h happening, why answer) {
	if t.Webhook != nil {
		h, err := r.called(t.Webhook, header, body)
		if err != nil {
			return h, refuse(http.StatusBadRequest, "%v", err)
		}
		return h, answer{}
	}
	push, err := hook.ParsePush(from, header, body)
	switch {
	case errors.Is(err, hook.ErrNothing):
		return h, refuse(http.StatusOK, "%v", err)
	case err != nil:
		return h, refuse(http.StatusBadRequest, "%v", err)
	}
	if text := passes(t.Git, push); text != "" {
		return h, refuse(http.StatusOK, "%s", text)
	}
	h = pushed(push.Branch, push.Commit)
	if push.Author != "" {
		h.facts[pipeline.Author] = v1alpha1.Value(push.Author)
	}
	if err := json.Unmarshal(body, &h.body); err != nil {
		h.body = nil // a form
	}
	return h, answer{}
}
