package spinnaker

import (
	"fmt"
	"slices"
)

// selected finds execution.stages.?[name == 'X'][0], the old way to write #stage('X').
func (s *scope) selected(root *node, steps []step) (*node, []step, bool) {
	if root.op != opFilter && root.op != opFirst {
		return nil, nil, false
	}
	of, path := flatten(root.args[0])
	if of.op != opName || of.text != "execution" || written(path) != ".stages" {
		return nil, nil, false
	}
	if root.op == opFilter {
		if len(steps) == 0 || steps[0].index == nil || steps[0].index.op != opNumber || steps[0].index.text != "0" {
			return nil, nil, false
		}
		steps = steps[1:]
	}
	condition := root.args[1]
	if condition.op != opInfix || condition.text != "==" || condition.args[1].op != opString {
		return nil, nil, false
	}
	lookup := map[string]string{"name": "stage", "refId": "stageByRefId"}[condition.args[0].text]
	if lookup == "" {
		return nil, nil, false
	}
	return &node{op: opFunction, text: lookup, args: condition.args[1:]}, steps, true
}

// ofStageFunction converts #stage('X'), #stageByRefId('1') and #judgment('X'), and steps into them.
func (s *scope) ofStageFunction(n *node, steps []step) (cel, error) {
	target, err := s.lookup(n)
	if err != nil {
		return cel{}, err
	}
	if n.text == "judgment" {
		return s.choice(target, steps)
	}
	switch written(steps) {
	case ".status":
		c := target.reference("phase")
		c.typ = celStatus
		return c, nil
	case ".name":
		return atom(quoted(target.title), celString), nil
	case ".type":
		return atom(quoted(target.typ), celString), nil
	}
	if len(steps) < 2 || (steps[0].name != "outputs" && steps[0].name != "context") {
		return cel{}, fmt.Errorf("#stage(%q)%s has no equal", target.title, written(steps))
	}
	return s.output(target, steps[1:])
}

// lookup finds the one stage that is meant; it has to end before this one starts.
func (s *scope) lookup(n *node) (*stage, error) {
	if len(n.args) != 1 || n.args[0].op != opString {
		return nil, fmt.Errorf("#%s of a name that is not written out", n.text)
	}
	var found *stage
	for _, other := range s.stages {
		key := other.title
		if n.text == "stageByRefId" {
			key = other.refID
		}
		if key != n.args[0].text {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("#%s(%q): two stages have that name", n.text, key)
		}
		found = other
	}
	switch {
	case found != nil && found.ending != "":
		return nil, fmt.Errorf("#%s(%q): that stage becomes two here", n.text, n.args[0].text)
	case found == nil:
		return nil, fmt.Errorf("#%s(%q): there is no such stage", n.text, n.args[0].text)
	case !s.self.follows(found):
		return nil, fmt.Errorf("#%s(%q): that stage need not have ended when this one starts", n.text, n.args[0].text)
	}
	return found, nil
}

// output converts what a stage of a kind that weft has leaves behind.
func (s *scope) output(of *stage, steps []step) (cel, error) {
	switch first := steps[0].name; {
	case of.typ == "evaluateVariables" && slices.Contains(of.sets(), first):
		return s.walk(of.reference("outputs"), append([]step{{name: identifier(first)}}, steps[1:]...))
	case of.typ == "manualJudgment" && first == "judgmentInput":
		return s.choice(of, steps[1:])
	case of.typ == "manualJudgment" && first == "judgmentStatus" && len(steps) == 1:
		return form{`($0.choice == "stop" ? "stop" : "continue")`, celString}.fill(of.reference("outputs")), nil
	case of.typ == "webhook" && first == "webhook" && len(steps) > 1:
		switch steps[1].name {
		case "body":
			return s.walk(of.reference("outputs"), steps[1:])
		case "statusCodeValue":
			return s.walk(of.reference("outputs"), append([]step{{name: "status"}}, steps[2:]...))
		}
	}
	return cel{}, fmt.Errorf("%s of the %s stage %q has no equal", written(steps), of.typ, of.title)
}

func (s *scope) choice(of *stage, steps []step) (cel, error) {
	if of.typ != "manualJudgment" || len(steps) > 0 {
		return cel{}, fmt.Errorf("the judgment%s of the %s stage %q has no equal", written(steps), of.typ, of.title)
	}
	if len(objects(of.raw["judgmentInputs"])) == 0 {
		return cel{}, fmt.Errorf("the choice of the judgment %q, which gives none", of.title)
	}
	c, err := s.walk(of.reference("outputs"), []step{{name: "choice"}})
	c.typ = celString
	return c, err
}
