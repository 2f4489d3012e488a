package spinnaker

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestTriggers: each becomes a trigger that is off, or is kept with the reason, and comes back.
func TestTriggers(t *testing.T) {
	for raw, want := range map[string]string{
		`"type":"cron","cronExpression":"0 0 10 ? * MON-FRI"`:                         `"cron":{"schedule":"0 0 10 ? * MON-FRI","timeZone":"America/Los_Angeles"}}; Changed: it is off: take disabled out of trigger cron-1`,
		`"type":"cron","cronExpression":"0 10 * * *"`:                                 `; Kept: the cron trigger does not start it: its schedule has 5 fields`,
		`"type":"git","source":"github","project":"shop","slug":"cart","branch":"^v"`: `"git":{"url":"https://github.com/shop/cart","branch":"^v","hook":{"forge":"github","secretKey":"hooks/git-1"}}}; Changed: it is off`,
		`"type":"git","source":"gitlab","project":"shop","slug":"cart"`:               `"branch":".*","hook":{"forge":"gitlab"`,
		`"type":"git","source":"stash","project":"shop","slug":"cart"`:                `; Kept: the git trigger does not start it: weft takes no deliveries of "stash"`,
		`"type":"docker","registry":"r.example.com","repository":"a/b","tag":"^v"`:    `"image":{"repository":"r.example.com/a/b","tag":"^v"}}; Changed`,
		`"type":"docker","registry":"r.example.com","repository":"a/b","tag":"(?!x)"`: `; Kept: the docker trigger does not start it: tag "(?!x)" is no regular expression here`,
		`"type":"docker"`: `; Kept: the docker trigger does not start it: it names no registry`,
		`"type":"pipeline","pipeline":"u","status":["successful","failed","terminal"]`: `"pipeline":{"name":"a-p","phases":["Succeeded","Failed"]}}; Changed`,
		`"type":"pipeline","pipeline":"x"`:                                             `; Missing: the pipeline "x" that starts it`,
		`"type":"webhook","source":"s","payloadConstraints":{"a":"b|c"}`:               `"when":"\"a\" in body && string(body[\"a\"]).matches(\"^(?:b|c)$\")","webhook":{"secretKey":"hooks/webhook-1"}}; Changed`,
		`"type":"pubsub","subscriptionName":"x"`:                                       `; Kept: the pubsub trigger does not start it: weft has no such trigger`,
		`"type":"cron","enabled":false,"cronExpression":"0 0 10 ? * MON-FRI"`:          `; Changed: it is off there, and here`,
	} {
		source := fmt.Sprintf(`{"application":"a","name":"p","id":"u","triggers":[{%s}],"stages":[{"refId":"1","type":"wait","name":"w","waitTime":3}]}`, raw)
		result := mustImport(t, source)
		p := result.Pipelines[0]
		got := ""
		for _, one := range p.Spec.Triggers {
			if !one.Disabled {
				t.Errorf("%s is on", raw)
			}
			text, err := json.Marshal(one)
			if err != nil {
				t.Fatal(err)
			}
			got += strings.NewReplacer(`\u0026`, "&").Replace(string(text))
		}
		for _, item := range result.Report.Items {
			if strings.HasPrefix(item.Path, "triggers") {
				got += fmt.Sprintf("; %s: %s", item.Code, item.Text)
			}
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s became\n%s\nwant\n%s", raw, got, want)
		}
		for i := range p.Spec.Triggers { // to switch it on is no change
			p.Spec.Triggers[i].Disabled = false
		}
		back, err := Export(p)
		if err != nil || !sameJSON(t, string(back), source) {
			t.Errorf("%s comes back as %s: %v", raw, back, err)
		}
		if len(p.Spec.Triggers) == 0 {
			continue
		}
		p.Spec.Triggers[0].Name += "x"
		if _, err := Export(p); err == nil {
			t.Errorf("%s was changed, and comes back", raw)
		}
	}
}

// TestTriggerWithoutParameters: a trigger whose runs would all be refused is kept.
func TestTriggerWithoutParameters(t *testing.T) {
	for parameter, want := range map[string]string{
		`{"name":"v","required":true}`: "null", `{"name":"v","required":true,"default":"${1}"}`: `{"v":"${\"$\"}{1}"}`, `{"name":"v"}`: "",
	} {
		p := mustImport(t, `{"application":"a","name":"p","parameterConfig":[`+parameter+`],"triggers":[{"type":"cron","cronExpression":"0 0 9 * * ?"}],"stages":[{"type":"wait","waitTime":1}]}`).Pipelines[0]
		got := "null" // no trigger
		for _, one := range p.Spec.Triggers {
			if got = ""; one.Parameters != nil {
				got = string(encode(one.Parameters))
			}
		}
		if got != want {
			t.Errorf("%s: the trigger gives %s, want %s", parameter, got, want)
		}
	}
}
