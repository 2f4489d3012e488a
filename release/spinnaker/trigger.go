package spinnaker

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"weft.dev/api/v1alpha1"
)

const (
	maxTriggers = 20
	// zoneOfSpinnaker is where its schedules are, unless its servers are told otherwise.
	zoneOfSpinnaker = "America/Los_Angeles"
)

// triggers converts what starts it. None of them is on: two systems would start the same thing.
func (in *importer) triggers(s *source, spec *v1alpha1.PipelineSpec, triggers []object) {
	for i, raw := range triggers {
		path, kind := fmt.Sprintf("triggers[%d]", i), text(raw["type"])
		t := v1alpha1.Trigger{Name: label(kind, 20) + fmt.Sprintf("-%d", i+1), Disabled: true}
		note, err := in.trigger(&t, raw)
		if missing := new(absent); errors.As(err, missing) {
			in.item(s, Item{Path: path, Code: Missing, Text: err.Error()})
			continue
		}
		if err == nil && len(spec.Triggers) == maxTriggers {
			err = fmt.Errorf("it is beyond the %dth", maxTriggers)
		}
		if err == nil {
			err = s.give(&t)
		}
		if err != nil {
			in.item(s, Item{Path: path, Code: Kept, Text: fmt.Sprintf("the %s trigger does not start it: %v", kind, err)})
			continue
		}
		state := "it is off: take disabled out of trigger " + t.Name + " once Spinnaker does not start it any more"
		if !truth(raw["enabled"], true) {
			state = "it is off there, and here"
		}
		in.item(s, Item{Path: path, Code: Changed, Text: strings.Join(slices.Concat([]string{state}, note), "; ")})
		spec.Triggers = append(spec.Triggers, t)
	}
}

// give has a trigger give the parameters that a run is refused without: Spinnaker takes their defaults.
func (s *source) give(t *v1alpha1.Trigger) error {
	for _, p := range s.parameters {
		switch {
		case p.Required && p.Default == "":
			return fmt.Errorf("it gives no parameter %s, which every run needs: add it to spec.triggers, with parameters", p.Name)
		case p.Required && t.Parameters == nil:
			t.Parameters = map[string]v1alpha1.Value{}
		}
		if p.Required {
			t.Parameters[p.Name] = v1alpha1.Value(escape(p.Default))
		}
	}
	return nil
}

// absent is that a trigger names what is not among the files.
type absent string

func (a absent) Error() string { return string(a) }

// trigger converts one, and says how it differs. An error says why it cannot be.
func (in *importer) trigger(t *v1alpha1.Trigger, raw object) (notes []string, err error) {
	switch text(raw["type"]) {
	case "cron":
		t.Cron = &v1alpha1.CronTrigger{Schedule: text(raw["cronExpression"]), TimeZone: zoneOfSpinnaker}
		if n := len(strings.Fields(t.Cron.Schedule)); n != 6 && n != 7 {
			return nil, fmt.Errorf("its schedule has %d fields, and not Quartz's 6 or 7", n)
		}
		return []string{"its time zone is taken to be " + zoneOfSpinnaker}, nil
	case "git":
		return gitTrigger(t, raw)
	case "docker":
		host, path := strings.TrimPrefix(text(raw["registry"]), "https://"), text(raw["repository"])
		if host == "" || path == "" {
			return nil, errors.New("it names no registry and repository")
		}
		t.Image = &v1alpha1.ImageTrigger{Repository: strings.TrimSuffix(host, "/") + "/" + path, Tag: text(raw["tag"])}
		return []string{"a registry that asks for a login needs spec.triggers[].image.secret"}, checkPattern("tag", t.Image.Tag)
	case "pipeline":
		return nil, in.afterTrigger(t, raw)
	case "webhook":
		return webhookTrigger(t, raw)
	}
	return nil, errors.New("weft has no such trigger: start it by hand, or by a webhook")
}

// forges are Spinnaker's names of those whose deliveries weft takes, and where they are.
var forges = map[string]string{"github": "https://github.com/", "gitlab": "https://gitlab.com/"}

func gitTrigger(t *v1alpha1.Trigger, raw object) ([]string, error) {
	forge := text(raw["source"])
	if forges[forge] == "" {
		return nil, fmt.Errorf("weft takes no deliveries of %q", forge)
	}
	branch := text(raw["branch"])
	if branch == "" {
		branch = ".*"
	}
	t.Git = &v1alpha1.GitTrigger{URL: forges[forge] + text(raw["project"]) + "/" + text(raw["slug"]), Branch: branch, Hook: &v1alpha1.ForgeHook{Forge: forge, SecretKey: "hooks/" + t.Name}}
	return []string{"its repository is taken to be " + t.Git.URL, needs(t.Git.Hook.SecretKey)}, checkPattern("branch", branch)
}

func needs(key string) string { return "it needs the key " + key + " of a Secret" }

// endings are Spinnaker's words for how a run ended.
var endings = map[string]v1alpha1.RunPhase{
	"successful": v1alpha1.RunSucceeded, "failed": v1alpha1.RunFailed, "terminal": v1alpha1.RunFailed, "canceled": v1alpha1.RunCancelled,
}

func (in *importer) afterTrigger(t *v1alpha1.Trigger, raw object) error {
	id := text(raw["pipeline"])
	before := in.byID[id]
	if before == nil {
		return absent(fmt.Sprintf("the pipeline %q that starts it is not among the files", id))
	}
	t.Pipeline = &v1alpha1.PipelineTrigger{Name: before.name}
	statuses, _ := raw["status"].([]any)
	for _, one := range statuses {
		phase, ok := endings[text(one)]
		if !ok {
			return fmt.Errorf("no run ends as %q", text(one))
		}
		if !slices.Contains(t.Pipeline.Phases, phase) {
			t.Pipeline.Phases = append(t.Pipeline.Phases, phase)
		}
	}
	return nil
}

func webhookTrigger(t *v1alpha1.Trigger, raw object) ([]string, error) {
	t.Webhook = &v1alpha1.WebhookTrigger{SecretKey: "hooks/" + t.Name}
	wants, _ := raw["payloadConstraints"].(object)
	var all []string
	for _, key := range sortedKeys(wants) {
		want := text(wants[key])
		if err := checkPattern("payloadConstraints."+key, want); err != nil {
			return nil, err
		}
		all = append(all, fmt.Sprintf("%s in body && string(body[%s]).matches(%s)", quoted(key), quoted(key), quoted("^(?:"+want+")$")))
	}
	if t.When = strings.Join(all, " && "); len(t.When) > maxText {
		return nil, fmt.Errorf("what it wants of the payload has more than %d bytes", maxText)
	}
	return []string{needs(t.Webhook.SecretKey), "it is called at /hooks/NAMESPACE/PIPELINE/" + t.Name + ", and not by source"}, nil
}

// checkPattern says why a regular expression of Java's is none here.
func checkPattern(field, text string) error {
	if _, err := regexp.Compile(text); err != nil || len(text) > 256 {
		return fmt.Errorf("%s %q is no regular expression here (RE2: without lookahead, at most 256 bytes)", field, cut(text, 80))
	}
	return nil
}
