package stage

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// polled is the key of the look at what a call began, every so often unless the stage says.
const (
	polled    = "poll"
	pollEvery = 10 * time.Second
)

// webhook calls an address outside, once, and may ask there until what it began has
// ended. Where nobody knows whether the call arrived, a person decides. Outputs: status, body.
type webhook struct{}

func (webhook) Looks(in pipeline.StageInput) []pipeline.Look {
	c := in.Config.(*v1alpha1.WebhookStage)
	answer, ok := answered(in.Open)
	if !ok || c.Poll == nil {
		return nil
	}
	ask, err := pollCall(in, c, answer)
	if err != nil {
		return nil // Next says so
	}
	every := pollEvery
	if c.Poll.Every != nil {
		every = c.Poll.Every.Duration
	}
	return []pipeline.Look{{Key: polled, Kind: pipeline.SeeHTTP, Data: encode(ask), Every: every}}
}

func (webhook) Next(in pipeline.StageInput) pipeline.StageOutcome {
	c := in.Config.(*v1alpha1.WebhookStage)
	switch open := in.Open; {
	case open != nil && open.Unknown:
		return askWhetherCalled(in)
	case in.Cancel != "" && (open == nil || open.Result != nil && !open.Result.OK):
		return cancelled(in.Cancel)
	case in.Cancel != "":
		return cancelled(in.Cancel + "; what the call began may go on")
	case open == nil || pending(open):
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: "calls " + hostOf(c.URL), Act: callOf(c)}
	case !open.Result.OK:
		return failed(open.Result.Text)
	}
	return afterCall(in, c)
}

func callOf(c *v1alpha1.WebhookStage) *pipeline.Action {
	return &pipeline.Action{
		Kind: pipeline.Call, Safe: c.Idempotent || c.Method == http.MethodGet,
		Data: encode(pipeline.HTTPCall{Method: c.Method, URL: c.URL, Headers: c.Headers, Body: c.Body}),
	}
}

// askWhetherCalled lets a person who has looked say that the call arrived
// (continue), or that it did not (stop). To call again is retry, which the engine knows.
func askWhetherCalled(in pipeline.StageInput) pipeline.StageOutcome {
	const unknown = "it is not known whether the call arrived"
	if in.Cancel != "" {
		return cancelled(in.Cancel + "; " + unknown)
	}
	return chosen(in, pipeline.StageOutcome{Phase: pipeline.Asking, Why: unknown + ": look there, then retry (it calls again), or judge continue (it did arrive) or stop"})
}

// answered is what the call was answered; false: it was not.
func answered(open *pipeline.Open) (pipeline.HTTPAnswer, bool) {
	var answer pipeline.HTTPAnswer
	if open == nil || open.Result == nil || !open.Result.OK {
		return answer, false
	}
	return answer, json.Unmarshal(open.Result.Data, &answer) == nil && answer.Status/100 == 2
}

// afterCall ends with the answer, or asks whether what the call began has ended.
func afterCall(in pipeline.StageInput, c *v1alpha1.WebhookStage) pipeline.StageOutcome {
	answer, ok := answered(in.Open)
	if !ok {
		return pipeline.StageOutcome{Phase: pipeline.Failed, Why: in.Open.Result.Text, Outputs: kept(answer)}
	}
	if c.Poll == nil {
		return pipeline.StageOutcome{Phase: pipeline.Succeeded, Why: in.Open.Result.Text, Outputs: kept(answer)}
	}
	if _, err := pollCall(in, c, answer); err != nil {
		return failed(fmt.Sprintf("poll.url: %v", err))
	}
	return poll(in, c.Poll)
}

// poll decides from the last answer. An expression that cannot read what a server
// in trouble says is asked again, with the next answer.
func poll(in pipeline.StageInput, p *v1alpha1.WebhookPoll) pipeline.StageOutcome {
	out := pipeline.StageOutcome{Phase: pipeline.Running, Why: "waits for what the call began"}
	fact, known := in.Facts[polled]
	var answer pipeline.HTTPAnswer
	if !known || fact.Err != "" || json.Unmarshal(fact.Data, &answer) != nil {
		if fact.Err != "" {
			out.Why += ": " + fact.Err
		}
		return out
	}
	end, err := pollEnd(in, p, answer)
	switch {
	case err != nil && (answer.Status/100 == 5 || answer.Status == http.StatusTooManyRequests):
		out.Why += fmt.Sprintf(": it answers %d", answer.Status)
	case err != nil:
		out.Phase, out.Why = pipeline.Failed, err.Error()
	case end != "":
		out.Phase, out.Why, out.Outputs = end, fmt.Sprintf("it answered %d", answer.Status), kept(answer)
	}
	return out
}

// pollEnd is how the stage ends by this answer; "": not yet.
func pollEnd(in pipeline.StageInput, p *v1alpha1.WebhookPoll, a pipeline.HTTPAnswer) (pipeline.StagePhase, error) {
	env, err := withAnswer(in.Env, a)
	if err != nil {
		return "", err
	}
	if p.Failed != "" {
		if yes, err := in.Eval.Bool(p.Failed, env); err != nil || yes {
			return pipeline.Failed, err
		}
	}
	if yes, err := in.Eval.Bool(p.Succeeded, env); err != nil || yes {
		return pipeline.Succeeded, err
	}
	return "", nil
}

func withAnswer(env pipeline.Env, a pipeline.HTTPAnswer) (pipeline.Env, error) {
	env = maps.Clone(env)
	env["status"] = a.Status
	env["body"] = nil
	if len(a.Body) == 0 {
		return env, nil
	}
	body, err := plain(a.Body)
	env["body"] = body
	return env, err
}

// pollCall is how to ask. The answer may say where, but another host gets no secret by that.
func pollCall(in pipeline.StageInput, c *v1alpha1.WebhookStage, a pipeline.HTTPAnswer) (pipeline.HTTPCall, error) {
	ask := pipeline.HTTPCall{Method: http.MethodGet, URL: c.URL, Headers: c.Headers}
	if c.Poll.URL == "" {
		return ask, nil
	}
	env, err := withAnswer(in.Env, a)
	if err != nil {
		return ask, err
	}
	to, err := in.Eval.Expand(c.Poll.URL, env)
	if err != nil {
		return ask, err
	}
	address, ok := to.(string)
	if !ok {
		return ask, fmt.Errorf("%v is no address", to)
	}
	ask.URL = address
	if placeOf(address) != placeOf(c.URL) {
		ask.Headers = slices.DeleteFunc(slices.Clone(c.Headers), func(h v1alpha1.WebhookHeader) bool { return h.SecretKey != "" })
	}
	return ask, nil
}

// placeOf is scheme and host; an address that is none is its own place.
func placeOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Scheme + "://" + u.Host
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}

// kept is an answer as outputs; of one that is too long, the status alone.
func kept(a pipeline.HTTPAnswer) json.RawMessage {
	out := encode(a)
	if len(out) > pipeline.MaxData {
		out = encode(pipeline.HTTPAnswer{Status: a.Status})
	}
	return out
}
