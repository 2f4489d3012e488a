package spinnaker

import (
	"strings"
	"testing"
)

// graph is: vars -> ask, hook -> self; later follows self, twin is as vars, aside follows nobody.
func graph() *scope {
	raw := []object{
		{"refId": "1", "type": "evaluateVariables", "name": "Set Vars", "variables": []any{object{"key": "image-tag"}, object{"key": "count"}, object{"key": "both"}}},
		{"refId": "2", "type": "manualJudgment", "name": "Ask", "requisiteStageRefIds": []any{"1", "9"}, "judgmentInputs": []any{object{"value": "go"}}},
		{"refId": "3", "type": "webhook", "name": "Hook", "requisiteStageRefIds": []any{"1", "7"}},
		{"refId": "4", "type": "wait", "name": "Self", "requisiteStageRefIds": []any{"2", "3", "8"}},
		{"refId": "5", "type": "wait", "name": "Later", "requisiteStageRefIds": []any{"4"}},
		{"refId": "6", "type": "wait", "name": "Aside"},
		{"refId": "7", "type": "evaluateVariables", "name": "import", "variables": []any{object{"key": "both"}, object{"key": "list"}}},
		{"refId": "9", "type": "manualJudgment", "name": "Plain"},
		{"refId": "8", "type": "deployManifest", "name": "It's \"up\""},
	}
	stages, _ := readStages(raw)
	return &scope{
		parameters: map[string]string{"version": "version", "dry-run": "dry_run"},
		stages:     stages, self: stages[3], variables: []string{"own"},
		template: object{"who": "me", "n": object{"deep": true}},
	}
}

// expressions are SpEL, and what they are in CEL.
var expressions = map[string]string{
	`parameters.version`:                                            `params.version`,
	`parameters["dry-run"]`:                                         `params.dry_run`,
	`trigger['parameters']['version']`:                              `params.version`,
	`execution.trigger.parameters.version`:                          `params.version`,
	`parameters.version == 'v1'`:                                    `params.version == "v1"`,
	`parameters.version eq "v""1"`:                                  `params.version == "v\"1"`,
	`parameters.version != null`:                                    `params.version != ""`,
	`null == parameters.version`:                                    `params.version == ""`,
	`parameters.version ?: 'v0'`:                                    `params.version != "" ? params.version : "v0"`,
	`parameters.version + '-' + 2`:                                  `params.version + "-" + string(2)`,
	`1 + 2 * 3 - 4`:                                                 `(1 + (2 * 3)) - 4`,
	`not parameters.version`:                                        `!(params.version == "true")`,
	`parameters.version && true`:                                    `(params.version == "true") && true`,
	`count and !(1 > 2)`:                                            `(string(stages["set-vars"].outputs.count) == "true") && !(1 > 2)`,
	`parameters.version ? 'a' : 'b'`:                                `(params.version == "true") ? "a" : "b"`,
	`true ? 1 : false ? 2 : 3`:                                      `true ? 1 : (false ? 2 : 3)`,
	`own`:                                                           `vars.own`,
	`own[0].x['a b']`:                                               `vars.own[0].x["a b"]`,
	`list.?[name == 'x' && #this.n > 1]`:                            `stages["import"].outputs.list.filter(it, ((it.name == "x") && (it.n > 1)))`,
	`list.^[ok].name`:                                               `stages["import"].outputs.list.filter(it, (string(it.ok) == "true"))[0].name`,
	`list.![name]`:                                                  `stages["import"].outputs.list.map(it, it.name)`,
	`{1, 'a', own}`:                                                 `[1, "a", vars.own]`,
	`trigger.tag`:                                                   `trigger.facts.tag`,
	`trigger["user"]`:                                               `trigger.by`,
	`execution.name + execution['id']`:                              `run.pipeline + run.name`,
	`execution.authentication.user`:                                 `trigger.by`,
	`templateVariables.who + "!"`:                                   `"me" + "!"`,
	`templateVariables.n.deep`:                                      `{"deep":true}.deep`,
	`#stage('Ask').status == 'SUCCEEDED'`:                           `stages.ask.phase == "Succeeded"`,
	`'TERMINAL' != #stage("Ask")["status"]`:                         `stages.ask.phase != "Failed"`,
	`#stage('Ask').status.toString().equals('STOPPED')`:             `(stages.ask.phase == "Stopped")`,
	`#stageByRefId('8')['status'] == 'FAILED_CONTINUE'`:             `stages["it-s-up"].phase == "Continued"`,
	`#stage('It''s "up"')['status'] == 'SKIPPED'`:                   `stages["it-s-up"].phase == "Skipped"`,
	`execution.stages.?[ name == "Ask"][0].status == "CANCELED"`:    `stages.ask.phase == "Cancelled"`,
	`execution['stages'].^[refId == '2']['status'] == "CANCELED"`:   `stages.ask.phase == "Cancelled"`,
	`#stage('Set Vars').outputs['image-tag']`:                       `stages["set-vars"].outputs.image_tag`,
	`#stage('Set Vars')['context']['count']`:                        `stages["set-vars"].outputs.count`,
	`#stage('Hook').context.webhook.body.items[0].id`:               `stages.hook.outputs.body.items[0].id`,
	`#stage('Hook').context.webhook.statusCodeValue`:                `stages.hook.outputs.status`,
	`#judgment('Ask') == 'go'`:                                      `stages.ask.outputs.choice == "go"`,
	`#stage('Plain').context.judgmentStatus == 'stop'`:              `(stages.plain.outputs.choice == "stop" ? "stop" : "continue") == "stop"`,
	`#stage('Ask').context.judgmentInput`:                           `stages.ask.outputs.choice`,
	`#currentStage().name`:                                          `"Self"`,
	`#toInt(parameters.version) + 1`:                                `int(params.version) + 1`,
	`#toBoolean(own)`:                                               `(string(vars.own).lowerAscii() == "true")`,
	`#readJson(parameters.version).ns`:                              `fromJson(params.version).ns`,
	`#toJson(own)`:                                                  `toJson(vars.own)`,
	`parameters.version.toLowerCase().startsWith('v').toString()`:   `string(params.version.lowerAscii().startsWith("v"))`,
	`parameters.version.replace('a', 'b').substring(1, 2).length()`: `size(params.version.replace("a", "b").substring(1, 2))`,
	`parameters.version.contains('$1')`:                             `params.version.contains("$1")`,
	`own.contains('x')`:                                             `(type(vars.own) == string ? vars.own.contains("x") : "x" in vars.own)`,
	`parameters.version.matches('v[0-9]+')`:                         `params.version.matches("^(?:v[0-9]+)$")`,
	`parameters.version.split('-')[0]`:                              `params.version.split("-")[0]`,
	`parameters.version.equals("v1") ? own : ('x' + 1)`:             `(params.version == "v1") ? vars.own : ("x" + string(1))`,
	`true ? 'a' : 1`:                                                `true ? dyn("a") : dyn(1)`,
	`own == 1 ? 'a' : own`:                                          `(vars.own == 1) ? "a" : vars.own`,
	`own.x == null || own.x != null || true`:                        `!has(vars.own.x) || has(vars.own.x) || true`,
	`own.x ?: 1`:                                                    `has(vars.own.x) && vars.own.x != "" ? vars.own.x : 1`,
	`-1 < own`:                                                      `(-1) < vars.own`,
}

func TestExpressions(t *testing.T) {
	for source, want := range expressions {
		n, err := parseSpEL(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if c, err := graph().emit(n); err != nil || c.text != want {
			t.Errorf("%s:\n got %s (%v)\nwant %s", source, c.text, err, want)
		}
	}
}

// TestRefused: what has no equal is never guessed.
func TestRefused(t *testing.T) {
	for source, why := range map[string]string{
		``: "ends too early",
		`T(java.lang.Runtime).getRuntime().exec('id')`: "types of Java",
		`new java.lang.ProcessBuilder('id')`:           "types of Java",
		`''.getClass().forName('x')`:                   `.getClass() with 0 arguments`,
		`@bean`:                                        `"@" is not in the part`,
		`own = 1`:                                      `"=" is not in the part`,
		`#fromUrl('http://x')`:                         "read no addresses",
		`#jsonFromUrl(own)`:                            "read no addresses",
		`#alphanumerical(own)`:                         "has no equal",
		`#root`:                                        "ends too early",
		`a?.b`:                                         `"?." at byte 1`,
		`'open`:                                        "does not end",
		`0x10`:                                         "the number 0x",
		`(1`:                                           "ends too early",
		`1 2`:                                          `"2" at byte 2`,
		`x`:                                            "x is no parameter",
		`both`:                                         "set by both",
		`parameters`:                                   "as a whole",
		`parameters[own]`:                              "name is an expression",
		`parameters.nope`:                              `no parameter "nope"`,
		`parameters.version.x`:                         "which is a text",
		`trigger.payload.x`:                            "trigger.payload.x has no equal",
		`execution.stages[0].name`:                     "has no equal",
		`execution.stages.?[type == 'wait'][0]`:        "has no equal",
		`templateVariables.none`:                       "has no value",
		`parameters.version == 3`:                      "never equal",
		`parameters.version == true`:                   "never equal",
		`#this`:                                        "outside of a selection",
		`list.?[own.?[true]]`:                          "within a selection",
		`#stage('None').status == 'SUCCEEDED'`:         "no such stage",
		`#stage('Later').status == 'SUCCEEDED'`:        "need not have ended",
		`#stage('Aside').status == 'SUCCEEDED'`:        "need not have ended",
		`#stage('Self').status == 'SUCCEEDED'`:         "need not have ended",
		`#stage(own).status == 'SUCCEEDED'`:            "not written out",
		`#stage('Ask').status == 'RUNNING'`:            "not one of CANCELED",
		`#stage('Ask').status`:                         "words for where a stage stands",
		`#stage('Ask').status + ''`:                    "words for where a stage stands",
		`#stage('Ask').status.contains('S')`:           "words for where a stage stands",
		`#stage('Ask').startTime`:                      ".startTime has no equal",
		`#stage('It''s "up"').outputs.manifests`:       "of the deployManifest stage",
		`#judgment('Plain')`:                           "which gives none",
		`#judgment('Hook')`:                            "of the webhook stage",
		`parameters.version.matches('(?=v).*')`:        "Java's alone",
		`parameters.version.split('.')`:                "regular expression",
		strings.Repeat("(", 60) + "1":                  "nested deeper",
		strings.Repeat("!", 60) + "1":                  "nested deeper",
		"own" + strings.Repeat(".a", 60):               "more than 50 steps",
		`own.lastIndexOf('a')`:                         "with 1 arguments has no equal",
		strings.Repeat("1+", 3000) + "1":               "6001 bytes",
	} {
		if c, err := graph().convert(source); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.60s: got %s, error %v; want one with %q", source, c.text, err, why)
		}
	}
}

func TestTexts(t *testing.T) {
	for source, want := range map[string]string{
		"":                                  "",
		"plain $ {x} text":                  "plain $ {x} text",
		"a ${parameters.version} b${ own }": "a ${params.version} b${vars.own}",
		"${ {1}.size() } and ${'}' + '${'}": `${size([1])} and ${"}" + "${"}`,
		"$${own}, $$${own}":                 `${"$"}${vars.own}, $${"$"}${vars.own}`,
		"<b>${parameters['dry-run']}</b>":   "<b>${params.dry_run}</b>",
	} {
		if got, err := graph().text(source); err != nil || got != want {
			t.Errorf("%s: got %s (%v), want %s", source, got, err, want)
		}
	}
	for _, source := range []string{"${parameters.version", "a ${} b", "${x} ${own}"} {
		if got, err := graph().text(source); err == nil {
			t.Errorf("%s: got %s, want an error", source, got)
		}
	}
}

func TestConditions(t *testing.T) {
	for source, want := range map[string]string{
		"parameters.version == 'v1'":      `params.version == "v1"`,
		" ${parameters.version == 'v1'} ": `params.version == "v1"`,
		"${parameters.version}":           `(params.version == "true")`,
		"own":                             `(string(vars.own) == "true")`,
	} {
		if got, err := graph().condition(source); err != nil || got != want {
			t.Errorf("%s: got %s (%v), want %s", source, got, err, want)
		}
	}
	for _, source := range []string{"", "a ${own}", "${own} ${own}"} {
		if got, err := graph().condition(source); err == nil {
			t.Errorf("%q: got %s, want an error", source, got)
		}
	}
}
