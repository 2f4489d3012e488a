package stage

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// answers is the result of a call that was answered.
func answers(status int, body string) *pipeline.Result {
	return &pipeline.Result{OK: true, Text: "ci answered", Data: encode(pipeline.HTTPAnswer{Status: status, Body: []byte(body)})}
}

func TestWebhook(t *testing.T) {
	in := input(t, &v1alpha1.WebhookStage{URL: "https://ci/jobs/${params.version}", Body: `{"v":"${params.version}"}`})
	for what, c := range map[string]struct {
		in   pipeline.StageInput
		want string
	}{
		"first":     {in, "Running: calls ci [http/call]"},
		"under way": {with(in, pipeline.Call, nil), "Running: calls ci [http/call]"},
		"answered":  {with(in, pipeline.Call, answers(201, `{"id":7}`)), `Succeeded: ci answered {"status":201,"body":{"id":7}}`},
		"too long":  {with(in, pipeline.Call, answers(200, `"`+strings.Repeat("<", 1000)+`"`)), `Succeeded: ci answered {"status":200}`},
		"unwell":    {with(in, pipeline.Call, answers(500, `"no"`)), `Failed: ci answered {"status":500,"body":"no"}`},
		"refused":   {with(in, pipeline.Call, &pipeline.Result{Text: "no such host"}), "Failed: no such host"},
		"end":       {mustEnd(with(in, pipeline.Call, answers(200, "1"))), "Cancelled: cancelled by bob; what the call began may go on"},
		"end, none": {mustEnd(with(in, pipeline.Call, &pipeline.Result{Text: "no such host"})), "Cancelled: cancelled by bob"},
	} {
		t.Run(what, func(t *testing.T) { want(t, webhook{}.Next(c.in), c.want) })
	}
	act := webhook{}.Next(in).Act
	if call := dataOf[pipeline.HTTPCall](t, act.Data); act.Safe || call.URL != "https://ci/jobs/v2" || call.Body != `{"v":"v2"}` {
		t.Errorf("%+v %+v", act, call)
	}
	for _, safe := range []*v1alpha1.WebhookStage{{URL: "https://ci", Method: "GET"}, {URL: "https://ci", Idempotent: true}} {
		if !(webhook{}).Next(input(t, safe)).Act.Safe {
			t.Errorf("%+v may be repeated", safe)
		}
	}
	if looks := (webhook{}).Looks(with(in, pipeline.Call, answers(200, "1"))); looks != nil {
		t.Errorf("%+v", looks)
	}
}

// TestWebhookUnknown: nobody but a person says what became of a call that a crash hid.
func TestWebhookUnknown(t *testing.T) {
	in := with(input(t, &v1alpha1.WebhookStage{URL: "https://ci"}), pipeline.Call, nil)
	in.Open.Unknown = true
	question := "Asking: it is not known whether the call arrived: look there, then retry (it calls again), or judge continue (it did arrive) or stop"
	want(t, webhook{}.Next(in), question)
	want(t, webhook{}.Next(mustEnd(in)), "Cancelled: cancelled by bob; it is not known whether the call arrived")
	judge := func(d ...pipeline.Decision) pipeline.StageInput {
		in := in
		in.Decisions = d
		return in
	}
	yes := pipeline.Decision{Name: "d1", Verb: pipeline.Judge, Choice: "continue", By: "alice"}
	no := pipeline.Decision{Name: "d2", Verb: pipeline.Judge, Choice: "stop", By: "bob"}
	want(t, webhook{}.Next(judge(yes, no)), `Succeeded: alice: continue {"by":"alice","choice":"continue","reason":""} {d1 true } {d2 false somebody has judged already}`)
	want(t, webhook{}.Next(judge(no)), `Failed: stopped by bob {"by":"bob","choice":"stop","reason":""} {d2 true }`)
	yes.Choice, no.By, no.Verb = "perhaps", "", pipeline.Judge
	want(t, webhook{}.Next(judge(yes, no)), question+` {d1 false "perhaps" is no choice: choose one of continue, stop} {d2 false nobody vouches for who you are}`)
}

func TestWebhookPoll(t *testing.T) {
	config := &v1alpha1.WebhookStage{
		URL: "https://ci/jobs", Headers: []v1alpha1.WebhookHeader{{Name: "Authorization", SecretKey: "ci/token"}, {Name: "X", Value: "1"}},
		Poll: &v1alpha1.WebhookPoll{
			URL: "https://ci/jobs/${body.id}", Every: &metav1.Duration{Duration: 3 * time.Second},
			Succeeded: `body.state == "ok"`, Failed: `body.state == "bad"`,
		},
	}
	in := with(input(t, config), pipeline.Call, answers(200, `{"id":7}`))
	looks := webhook{}.Looks(in)
	if len(looks) != 1 || looks[0].Kind != pipeline.SeeHTTP || looks[0].Every != 3*time.Second {
		t.Fatalf("%+v", looks)
	}
	if ask := dataOf[pipeline.HTTPCall](t, looks[0].Data); ask.URL != "https://ci/jobs/7" || len(ask.Headers) != 2 {
		t.Errorf("%+v", ask)
	}
	answer := func(status int, body string) pipeline.StageInput {
		return saw(in, polled, pipeline.HTTPAnswer{Status: status, Body: []byte(body)})
	}
	want(t, webhook{}.Next(in), "Running: waits for what the call began")
	want(t, webhook{}.Next(answer(200, `{"state":"busy"}`)), "Running: waits for what the call began")
	want(t, webhook{}.Next(answer(200, `{"state":"ok"}`)), `Succeeded: it answered 200 {"status":200,"body":{"state":"ok"}}`)
	want(t, webhook{}.Next(answer(200, `{"state":"bad"}`)), `Failed: it answered 200 {"status":200,"body":{"state":"bad"}}`)
	want(t, webhook{}.Next(answer(503, `"try later"`)), "Running: waits for what the call began: it answers 503")
	want(t, webhook{}.Next(answer(200, `{"stat":"ok"}`)), `Failed: expression "body.state == \"bad\"": no such key: state`)
	want(t, webhook{}.Next(with(in, pipeline.Call, answers(404, `"none"`))), `Failed: ci answered {"status":404,"body":"none"}`)
	want(t, webhook{}.Next(with(in, pipeline.Call, answers(200, `{}`))), `Failed: poll.url: expression "body.id": no such key: id`)
	lost := in
	lost.Facts = map[string]pipeline.Fact{polled: {Err: "no route"}}
	want(t, webhook{}.Next(lost), "Running: waits for what the call began: no route")
}

// TestPollKeepsSecrets: an answer cannot send a secret to another place.
func TestPollKeepsSecrets(t *testing.T) {
	for url, headers := range map[string]int{"https://ci/7": 2, "https://evil/7": 1, "http://ci/7": 1, "https://ci.evil/": 1, "https://ci:444/": 1, "://": 1, "https://ci@evil/": 1} {
		in := input(t, &v1alpha1.WebhookStage{
			URL: "https://ci/jobs", Headers: []v1alpha1.WebhookHeader{{Name: "Authorization", SecretKey: "ci/token"}, {Name: "X", Value: "1"}},
			Poll: &v1alpha1.WebhookPoll{URL: "${body.url}", Succeeded: "true"},
		})
		looks := webhook{}.Looks(with(in, pipeline.Call, answers(200, `{"url":"`+url+`"}`)))
		if ask := dataOf[pipeline.HTTPCall](t, looks[0].Data); ask.URL != url || len(ask.Headers) != headers {
			t.Errorf("%s: %+v", url, ask)
		}
	}
}
