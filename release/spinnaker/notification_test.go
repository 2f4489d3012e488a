package spinnaker

import (
	"slices"
	"strings"
	"testing"
)

func TestNotifications(t *testing.T) {
	result := mustImport(t, `{"application":"a","name":"p","notifications":[
		{"type":"slack","address":"ship","when":["pipeline.failed"]},{"type":"slack","address":"#ship","when":["pipeline.complete","pipeline.failed"]},
		{"type":"slack","address":"SHIP","when":["pipeline.failed"]},{"type":"microsoftteams","address":"https://hook","when":["pipeline.starting"]},
		{"type":"email","address":"a@example.com","when":["pipeline.failed"]},{"type":"sms","address":"1","when":["pipeline.failed"]},
		{"type":"slack","address":"${x}","when":["pipeline.failed"]},{"type":"slack","address":"ship"}],"stages":[
		{"refId":"1","type":"manualJudgment","name":"Ask","sendNotifications":true,"notifications":[{"type":"slack","address":"ship","when":["manualJudgment"]},{"type":"slack","address":"ship","when":["manualJudgmentStop"]}]},
		{"refId":"2","type":"manualJudgment","name":"Quiet","notifications":[{"type":"slack","address":"quiet","when":["manualJudgment"]}]}]}`)
	if got, want := string(encode(result.Pipelines[0].Spec.Notify)), `[{"name":"slack-ship","moments":["asking","failed","succeeded"],"slack":{"channel":"#ship","tokenKey":"slack/token"}},`+
		`{"name":"teams","moments":["started"],"teams":{"urlKey":"teams/url"}}]`; got != want {
		t.Errorf("people are told by\n%s\nwant\n%s", got, want)
	}
	for path, text := range map[string]string{
		"notifications[2]": "the name of another one, #ship", "notifications[4]": "mail server", "notifications[5]": "no such way",
		"notifications[6]": "an expression", "notifications[7]": "does not say when", "Ask notifications[0]": "every question", "Ask notifications[1]": `does not tell of "manualJudgmentStop"`,
	} {
		if !slices.ContainsFunc(result.Report.Items, func(i Item) bool {
			return strings.TrimSpace(i.Stage+" "+i.Path) == path && strings.Contains(i.Text, text)
		}) {
			t.Errorf("%s: no item says %q: %+v", path, text, result.Report.Items)
		}
	}
}

func TestRoles(t *testing.T) {
	for permissions, want := range map[string]string{
		`{"READ":["all"],"WRITE":["ops"],"EXECUTE":["dev","ops"]}`: `{"release":["dev","ops"],"approve":["dev","ops"],"undo":["dev","ops"],"freeze":["ops"]}`,
		`{"READ":["all"]}`:     `{"release":["all"],"approve":["all"],"undo":["all"]}`,
		`{"EXECUTE":["${x}"]}`: `{}`,
		`{}`:                   `{}`,
	} {
		app := mustImport(t, `{"application":{"name":"a","attributes":{"permissions":`+permissions+`}},"pipelines":[{"stages":[{"type":"wait","waitTime":1}]}]}`).Applications[0]
		if got := string(encode(app.Spec.Roles)); got != want {
			t.Errorf("%s: %s, want %s", permissions, got, want)
		}
	}
}
