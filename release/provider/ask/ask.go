// Package ask asks a Prometheus and webhooks what they think of a version.
//
// Input: questions of package opinion, and Secrets that they name. Output: what was
// answered. An answer that is too long, late, no number or more than one, a redirect
// and an address that nobody may connect to are no answer, and say why.
// It must not know what follows from an answer.
package ask

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/opinion"
	"weft.dev/release/pipeline"
	"weft.dev/release/provider/web"
	"weft.dev/release/secret"
)

// patience is how long one may take to answer: less than a run waits for what it looks at.
const patience = 8 * time.Second

// Asker asks.
type Asker struct {
	Web     *web.World
	Secrets secret.Secrets
	Now     func() time.Time
}

// Ask asks one. An answer that is none has only a text.
func (a *Asker) Ask(ctx context.Context, q opinion.Ask) opinion.Said {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	said := opinion.Said{At: a.Now()}
	err := error(nil)
	switch {
	case q.Wrong != "":
		said.Text = q.Wrong
	case q.Webhook != nil:
		said.Kind, said.Text, err = a.webhook(ctx, q)
	default:
		said.Value, err = a.number(ctx, q, q.Query)
		if err == nil && q.Old != "" {
			if said.Old, err = a.number(ctx, q, q.Old); err != nil {
				err = fmt.Errorf("of %s: %w", q.About.Old, err)
			}
		}
	}
	if err != nil {
		return opinion.Said{At: said.At, Text: err.Error()}
	}
	return said
}

// webhook asks for a verdict.
func (a *Asker) webhook(ctx context.Context, q opinion.Ask) (opinion.Kind, string, error) {
	body, err := json.Marshal(q.About)
	if err != nil {
		return "", "", err
	}
	call := pipeline.HTTPCall{Method: http.MethodPost, URL: q.Webhook.URL, Headers: q.Webhook.Headers, Body: string(body)}
	values, err := a.Web.Values(ctx, q.About.Namespace, call.Headers)
	if err != nil {
		return "", "", err
	}
	text, err := a.send(ctx, call, values)
	if err != nil {
		return "", "", err
	}
	var answer struct {
		Verdict opinion.Kind
		Text    string
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return "", "", fmt.Errorf("its answer is no {verdict, text}: %w", err)
	}
	switch answer.Verdict {
	case opinion.Pass, opinion.Fail, opinion.Continue:
		return answer.Verdict, answer.Text, nil
	}
	return "", "", fmt.Errorf("its verdict is %.40q: want pass, fail or continue", answer.Verdict)
}

// send makes a call that must be answered well, where it was sent to.
func (a *Asker) send(ctx context.Context, call pipeline.HTTPCall, values []string) (string, error) {
	status, text, _, err := a.Web.Send(ctx, call, values, "")
	switch {
	case err != nil:
		return "", err
	case len(text) >= web.MaxAnswer:
		return "", fmt.Errorf("its answer has more than %d bytes", web.MaxAnswer)
	case status/100 != 2:
		return "", fmt.Errorf("it answers %d%s", status, fault(text))
	}
	return text, nil
}

// fault is what Prometheus says of an error.
func fault(text string) string {
	var answer struct{ Error string }
	if json.Unmarshal([]byte(text), &answer) != nil || answer.Error == "" {
		return ""
	}
	return fmt.Sprintf(": %.200s", answer.Error)
}

// authorization is the header's value; empty: none is needed.
func (a *Asker) authorization(ctx context.Context, namespace string, p *v1alpha1.Prometheus) (string, error) {
	where := cmp.Or(p.Token, p.Password)
	if where == "" {
		return "", nil
	}
	value, err := secret.Value(ctx, a.Secrets, namespace, where)
	if err != nil {
		return "", err
	}
	if p.Token != "" {
		return "Bearer " + value, nil
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(p.User+":"+value)), nil
}

// Observe sees what a run looks at: it is a runner's World for "opinion".
func (a *Asker) Observe(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error) {
	switch l.Kind {
	case pipeline.SeeOpinion:
		var q opinion.Ask
		if err := json.Unmarshal(l.Data, &q); err != nil {
			return pipeline.Fact{}, fmt.Errorf("%s: %w", l.Kind, err)
		}
		q.About.Namespace = namespace
		return fact(a.Ask(ctx, q))
	case pipeline.SeeSeries:
		var q opinion.Range
		if err := json.Unmarshal(l.Data, &q); err != nil {
			return pipeline.Fact{}, fmt.Errorf("%s: %w", l.Kind, err)
		}
		q.Namespace = namespace
		series, err := a.Series(ctx, q)
		if err != nil {
			return pipeline.Fact{}, err
		}
		return fact(series)
	}
	return pipeline.Fact{}, fmt.Errorf("nobody sees %q here", l.Kind)
}

func fact(v any) (pipeline.Fact, error) {
	data, err := json.Marshal(v)
	return pipeline.Fact{Data: data}, err
}

// Do is for nobody: to ask changes nothing.
func (a *Asker) Do(_ context.Context, _ string, action pipeline.Action) (pipeline.Result, error) {
	return action.Refused(fmt.Errorf("nobody does %q here", action.Kind))
}

// base is the address of an API without the slash at its end.
func base(p *v1alpha1.Prometheus) string { return strings.TrimRight(p.URL, "/") }
