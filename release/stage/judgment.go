package stage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// Choices of a judgment without options. Every judgment may be stopped.
const (
	goOn = "continue"
	stop = "stop"
)

// judgment asks a person. Who may answer is decided here and not where people
// click, so that it holds whatever they use: somebody else than who started the
// run, or the run that called it, or pushed what started it, and in one of the roles. Of several the first
// one that is accepted counts. Outputs: choice, by, reason.
type judgment struct{ blind }

func (judgment) Next(in pipeline.StageInput) pipeline.StageOutcome {
	if in.Cancel != "" {
		return cancelled(in.Cancel)
	}
	config := in.Config.(*v1alpha1.JudgmentStage)
	out := pipeline.StageOutcome{Phase: pipeline.Asking, Why: question(config)}
	by := "" // who has judged
	for _, d := range in.Decisions {
		if d.Verb != pipeline.Judge {
			continue
		}
		if why := objection(config, in.Run, d); why != "" {
			out.Answers = append(out.Answers, refused(d, why))
			continue
		}
		if by != "" {
			out.Answers = append(out.Answers, refused(d, by+" has judged already"))
			continue
		}
		by = d.By
		out = judged(out, d)
	}
	return out
}

func question(c *v1alpha1.JudgmentStage) string {
	text := cmp.Or(c.Instructions, "may the run go on?")
	if len(c.Options) > 0 {
		text += fmt.Sprintf(" (%s)", strings.Join(c.Options, ", "))
	}
	return text
}

// objection says why a person's decision does not count; "": it does.
func objection(c *v1alpha1.JudgmentStage, r pipeline.Run, d pipeline.Decision) string {
	if why := Barred(c, r, d); why != "" {
		return why
	}
	return wrongChoice(c.Options, d.Choice)
}

// Barred says why nothing counts that a person decides there; "": it does.
func Barred(c *v1alpha1.JudgmentStage, r pipeline.Run, d pipeline.Decision) string {
	starter := r.Trigger.By
	inRole := func(role string) bool { return slices.Contains(d.Groups, role) }
	switch {
	case d.By == "":
		return "nobody vouches for who you are"
	case len(c.Roles) > 0 && !slices.ContainsFunc(c.Roles, inRole):
		return fmt.Sprintf("%s is in none of the groups that may judge: %s", d.By, strings.Join(c.Roles, ", "))
	case !c.AllowSelf && starter == "" && (r.Trigger.Type == pipeline.Manual || r.Trigger.Type == ""):
		return "a person started the run, and nobody knows who: it could be you"
	case !c.AllowSelf && d.By == starter:
		return fmt.Sprintf("%s started the run: somebody else has to judge it", d.By)
	case !c.AllowSelf && d.By == string(r.Trigger.Facts[pipeline.Author]):
		return fmt.Sprintf("%s pushed what the run is for: somebody else has to judge it", d.By)
	}
	return ""
}

// Choices are what a judgment with some options, or none, lets people choose from; the last one stops the stage.
func Choices(options []string) []string {
	if len(options) == 0 {
		options = []string{goOn}
	}
	if slices.Contains(options, stop) {
		return options
	}
	return append(slices.Clone(options), stop)
}

func wrongChoice(options []string, choice string) string {
	choices := Choices(options)
	if slices.Contains(choices, choice) {
		return ""
	}
	return fmt.Sprintf("%q is no choice: choose one of %s", choice, strings.Join(choices, ", "))
}

// chosen is out, which asks, with the first decision of somebody to go on or to stop.
func chosen(in pipeline.StageInput, out pipeline.StageOutcome) pipeline.StageOutcome {
	for _, d := range in.Decisions {
		if d.Verb != pipeline.Judge {
			continue
		}
		why := wrongChoice(nil, d.Choice)
		if d.By == "" {
			why = "nobody vouches for who you are"
		}
		if why == "" && out.Phase == pipeline.Asking {
			out = judged(out, d)
			continue
		}
		out.Answers = append(out.Answers, refused(d, cmp.Or(why, "somebody has judged already")))
	}
	return out
}

// judged is out with the decision that counts.
func judged(out pipeline.StageOutcome, d pipeline.Decision) pipeline.StageOutcome {
	out.Phase, out.Why = pipeline.Succeeded, fmt.Sprintf("%s: %s", d.By, d.Choice)
	if d.Choice == stop {
		out.Phase, out.Why = pipeline.Failed, "stopped by "+d.By
	}
	if d.Reason != "" {
		out.Why += ": " + d.Reason
	}
	out.Answers = append(out.Answers, accepted(d))
	out.Outputs = encode(map[string]string{"choice": d.Choice, "by": d.By, "reason": d.Reason})
	return out
}
