package spinnaker

import (
	"errors"
	"fmt"
	"strings"

	"weft.dev/api/v1alpha1"
)

const maxMessage = 512

// check converts preconditions: all of them have to hold.
func check(j *job, out *v1alpha1.Stage) error {
	preconditions := objects(j.raw["preconditions"])
	if len(preconditions) == 0 {
		return errors.New("preconditions: there are none")
	}
	var conditions, messages []string
	halting := 0
	for i, p := range preconditions {
		condition, err := j.precondition(p)
		if err != nil {
			return named(fmt.Sprintf("preconditions[%d]", i), err)
		}
		conditions = append(conditions, condition)
		if !truth(p["failPipeline"], true) {
			halting++
		}
		context, _ := p["context"].(object)
		if message := text(context["failureMessage"]); message != "" {
			messages = append(messages, message)
		}
	}
	switch halting {
	case 0:
	case len(preconditions):
		out.OnFailure = v1alpha1.FailStop
	default:
		return errors.New("preconditions: some fail the pipeline and others do not; make two stages of them")
	}
	message, err := j.scope.text(strings.Join(messages, "; "))
	if err != nil {
		return named("failureMessage", err)
	}
	out.Check = &v1alpha1.CheckStage{Expression: all(conditions), Message: message}
	if len(out.Check.Expression) > maxText || len(message) > maxMessage {
		return fmt.Errorf("preconditions: the expression has %d bytes and the message %d, at most %d and %d are possible",
			len(out.Check.Expression), len(message), maxText, maxMessage)
	}
	return nil
}

func all(conditions []string) string {
	if len(conditions) == 1 {
		return conditions[0]
	}
	return "(" + strings.Join(conditions, ") && (") + ")"
}

func (j *job) precondition(p object) (string, error) {
	context, _ := p["context"].(object)
	switch text(p["type"]) {
	case "expression":
		return j.scope.condition(text(context["expression"]))
	case "stageStatus":
		return j.scope.condition(fmt.Sprintf("#stage('%s').status == '%s'", escaped(text(context["stageName"])), escaped(text(context["stageStatus"]))))
	}
	return "", fmt.Errorf("weft has no precondition %q", text(p["type"]))
}

// escaped is a text as it stands within quotes in SpEL.
func escaped(s string) string { return strings.ReplaceAll(s, "'", "''") }
