package spinnaker

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"weft.dev/api/v1alpha1"
)

const (
	maxNotifications = 20
	maxChannel       = 128
)

// moments are weft's words for when Spinnaker tells people.
var moments = map[string]v1alpha1.Moment{
	"pipeline.starting": v1alpha1.MomentStarted, "pipeline.complete": v1alpha1.MomentSucceeded, "pipeline.failed": v1alpha1.MomentFailed,
	"manualJudgment": v1alpha1.MomentAsking,
}

// notifications converts those of the pipeline, and of its judgments: who is told that a person is asked.
func (in *importer) notifications(s *source, spec *v1alpha1.PipelineSpec, stages []*stage) {
	in.told(s, spec, Item{}, objects(s.whole["notifications"]))
	for _, one := range stages {
		if one.typ == "manualJudgment" && truth(one.raw["sendNotifications"], false) {
			in.told(s, spec, Item{Stage: one.title}, objects(one.raw["notifications"]))
		}
	}
}

func (in *importer) told(s *source, spec *v1alpha1.PipelineSpec, at Item, list []object) {
	for i, raw := range list {
		at.Path, at.Code = fmt.Sprintf("notifications[%d]", i), Kept
		n, needs, err := notification(raw)
		if err == nil {
			err = addNotification(spec, &n)
		}
		if err != nil {
			at.Text = fmt.Sprintf("nobody is told by %s: %v", cut(text(raw["type"]), 40), err)
			in.item(s, at)
			continue
		}
		at.Code, at.Text = Changed, fmt.Sprintf("it is %s of spec.notify, and needs %s; its text is weft's", n.Name, needs)
		if slices.Contains(n.Moments, v1alpha1.MomentAsking) {
			at.Text += "; it tells of every question of the pipeline"
		}
		in.item(s, at)
	}
}

// notification is one, without a name that is its own, and what it needs.
func notification(raw object) (n v1alpha1.Notification, needs string, err error) {
	for _, when := range texts(raw["when"]) {
		moment, known := moments[when]
		if !known {
			return n, "", fmt.Errorf("weft does not tell of %q: put a notify stage there", cut(when, 40))
		}
		n.Moments = append(n.Moments, moment)
	}
	if len(n.Moments) == 0 {
		return n, "", errors.New("it does not say when")
	}
	address := strings.TrimPrefix(text(raw["address"]), "#")
	if address == "" || hasExpression(address) || len(address) >= maxChannel {
		return n, "", errors.New("its address is none, or an expression")
	}
	switch way := text(raw["type"]); way {
	case "slack":
		n.Name = "slack-" + label(address, maxStageName)
		n.Slack = &v1alpha1.SlackNotification{Channel: "#" + address, TokenKey: "slack/token"}
		return n, "the key token of a Secret slack, with a bot's token", nil
	case "microsoftteams":
		n.Name = "teams"
		n.Teams = &v1alpha1.TeamsNotification{URLKey: "teams/url"}
		return n, "the key url of a Secret teams, with a workflow's address", nil
	case "email":
		return n, "", errors.New("the mail server is not in the file: add it to spec.notify as mail")
	default:
		return n, "", errors.New("weft has no such way; a webhook in spec.notify may do")
	}
}

// addNotification adds one to those that there are, or its moments to the one that tells the same people.
func addNotification(spec *v1alpha1.PipelineSpec, n *v1alpha1.Notification) error {
	n.Name = strings.Trim(cut(n.Name, maxStageName), "-")
	i := slices.IndexFunc(spec.Notify, func(other v1alpha1.Notification) bool { return other.Name == n.Name })
	switch {
	case i < 0 && len(spec.Notify) == maxNotifications:
		return fmt.Errorf("it is beyond the %dth", maxNotifications)
	case i < 0:
		n.Moments = slices.Compact(slices.Sorted(slices.Values(n.Moments)))
		spec.Notify = append(spec.Notify, *n)
		return nil
	case n.Slack != nil && *n.Slack != *spec.Notify[i].Slack:
		return fmt.Errorf("its channel has the name of another one, %s", spec.Notify[i].Slack.Channel)
	}
	spec.Notify[i].Moments = slices.Compact(slices.Sorted(slices.Values(slices.Concat(spec.Notify[i].Moments, n.Moments))))
	return nil
}
