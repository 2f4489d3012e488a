package spinnaker

import (
	"errors"
	"fmt"
	"slices"

	"weft.dev/api/v1alpha1"
)

const (
	maxOptions = 20
	maxOption  = 63
	maxRole    = 253
)

// judgment converts a manual judgment. Spinnaker lets people judge what they
// started, unless the stage says otherwise; there it is the browser that obeys,
// here the server does.
func judgment(j *job, out *v1alpha1.Stage) error {
	instructions, err := j.text("instructions", maxText)
	if err != nil {
		return err
	}
	out.Judgment = &v1alpha1.JudgmentStage{Instructions: instructions, AllowSelf: !truth(j.raw["preventSelfApproval"], false)}
	for _, input := range objects(j.raw["judgmentInputs"]) {
		out.Judgment.Options = append(out.Judgment.Options, text(input["value"]))
	}
	if slices.Contains(out.Judgment.Options, "stop") {
		return errors.New("judgmentInputs: who chooses stop here ends the stage: give that choice another name")
	}
	out.Judgment.Roles = append(texts(j.raw["selectedStageRoles"]), texts(j.raw["requiredJudgmentRoles"])...)
	if out.Judgment.Options, err = set("judgmentInputs", out.Judgment.Options, maxOption); err != nil {
		return err
	}
	out.Judgment.Roles, err = set("selectedStageRoles", out.Judgment.Roles, maxRole)
	return err
}

// set is a list without repeated and empty values, each of which is a text that is
// written out and fits.
func set(path string, values []string, limit int) ([]string, error) {
	var out []string
	for _, value := range values {
		if value == "" || slices.Contains(out, value) {
			continue
		}
		if len(value) > limit || hasExpression(value) {
			return nil, fmt.Errorf("%s: %q is an expression, or longer than %d bytes", path, cut(value, 40), limit)
		}
		out = append(out, value)
	}
	if len(out) > maxOptions {
		return nil, fmt.Errorf("%s: %d values, at most %d are possible", path, len(out), maxOptions)
	}
	return out, nil
}
