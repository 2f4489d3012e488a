package spinnaker

import (
	"errors"
	"fmt"
	"slices"
)

// scope is what the expressions of one stage can name.
type scope struct {
	parameters map[string]string // weft's names by Spinnaker's
	stages     []*stage          // all of the pipeline
	self       *stage
	variables  []string // those that the same stage has set already
	template   object   // values of templateVariables
	element    bool     // within a selection: names are those of an element, it
	emptied    bool     // a parameter was asked for null
}

// step goes from a value into it: by name, or by another expression.
type step struct {
	name  string
	index *node
}

// path converts a value and the steps into it.
func (s *scope) path(n *node) (cel, error) {
	root, steps := flatten(n)
	if stage, rest, ok := s.selected(root, steps); ok {
		return s.ofStageFunction(stage, rest)
	}
	switch root.op {
	case opThis:
		if !s.element {
			return cel{}, errors.New("#this stands outside of a selection")
		}
		return s.walk(atom("it", celAny), steps)
	case opFunction:
		return s.ofFunction(root, steps)
	case opName:
		return s.ofName(root.text, steps)
	case opFirst:
		all, err := s.comprehension(&node{op: opFilter, args: root.args})
		if err != nil {
			return cel{}, err
		}
		return s.walk(atom(all.text+"[0]", celAny), steps)
	}
	of, err := s.value(root)
	if err != nil {
		return cel{}, err
	}
	return s.walk(of, steps)
}

func flatten(n *node) (root *node, steps []step) {
	for n.op == opSelect || n.op == opIndex {
		next := step{name: n.text}
		if n.op == opIndex {
			if next.index = n.args[1]; next.index.op == opString {
				next = step{name: next.index.text}
			}
		}
		steps, n = append(steps, next), n.args[0]
	}
	slices.Reverse(steps)
	return n, steps
}

// walk appends the steps to a value.
func (s *scope) walk(of cel, steps []step) (cel, error) {
	for _, next := range steps {
		switch on := of.wrapped(); {
		case next.index != nil:
			i, err := s.value(next.index)
			if err != nil {
				return cel{}, err
			}
			of = atom(on+"["+i.text+"]", celAny)
		case isSelectable(next.name):
			of = atom(on+"."+next.name, celAny)
			of.has = "has(" + of.text + ")"
		default:
			of = atom(on+"["+quoted(next.name)+"]", celAny)
			of.has = "(" + quoted(next.name) + " in " + on + ")"
		}
	}
	return of, nil
}

var celReserved = []string{"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let",
	"loop", "namespace", "null", "package", "return", "true", "var", "void", "while"}

func isSelectable(name string) bool {
	return name != "" && !isDigit(name[0]) && span(name, isWord) == len(name) && !slices.Contains(celReserved, name)
}

// ofName converts a path from a name.
func (s *scope) ofName(name string, steps []step) (cel, error) {
	switch name {
	case "true", "false":
		return atom(name, celBool), nil
	case "null":
		return atom(name, celAny), nil
	}
	if s.element {
		return s.walk(atom("it", celAny), append([]step{{name: name}}, steps...))
	}
	switch name {
	case "parameters":
		return s.ofParameters(steps)
	case "trigger":
		return s.ofTrigger(steps)
	case "execution":
		return s.ofExecution(steps)
	case "templateVariables":
		return s.ofTemplate(steps)
	}
	return s.ofVariable(name, steps)
}

func (s *scope) ofParameters(steps []step) (cel, error) {
	if len(steps) == 0 || steps[0].index != nil {
		return cel{}, errors.New("parameters as a whole, or one whose name is an expression")
	}
	name, ok := s.parameters[steps[0].name]
	if !ok {
		return cel{}, fmt.Errorf("the pipeline has no parameter %q", steps[0].name)
	}
	c, err := s.walk(atom("params", celAny), []step{{name: name}})
	if err != nil || len(steps) > 1 {
		return cel{}, fmt.Errorf("something within the parameter %s, which is a text", name)
	}
	return cel{text: c.text, typ: celString, atom: true, blank: true}, nil
}

// triggerFacts are weft's words for what a trigger says.
var triggerFacts = map[string]string{
	"user": "by", "type": "type", "hash": "facts.commit", "branch": "facts.branch", "tag": "facts.tag", "digest": "facts.digest",
}

func (s *scope) ofTrigger(steps []step) (cel, error) {
	if len(steps) > 1 && steps[0].name == "parameters" {
		return s.ofParameters(steps[1:])
	}
	if len(steps) != 1 || triggerFacts[steps[0].name] == "" {
		return cel{}, fmt.Errorf("trigger%s has no equal: there are %v", written(steps), sortedKeys(triggerFacts))
	}
	c := atom("trigger."+triggerFacts[steps[0].name], celString)
	c.has = "has(" + c.text + ")"
	return c, nil
}

// runFacts are weft's words for what an execution says of itself.
var runFacts = map[string]string{
	".name": "run.pipeline", ".application": "run.application", ".id": "run.name", ".user": "trigger.by", ".authentication.user": "trigger.by",
}

func (s *scope) ofExecution(steps []step) (cel, error) {
	if len(steps) > 0 && steps[0].name == "trigger" {
		return s.ofTrigger(steps[1:])
	}
	fact, ok := runFacts[written(steps)]
	if !ok {
		return cel{}, fmt.Errorf("execution%s has no equal", written(steps))
	}
	return atom(fact, celString), nil
}

func written(steps []step) (out string) {
	for _, next := range steps {
		if next.index != nil {
			out += "[...]"
		} else {
			out += "." + next.name
		}
	}
	return out
}

// ofTemplate writes the value of a template's variable out.
func (s *scope) ofTemplate(steps []step) (cel, error) {
	if len(steps) > 0 {
		if value, ok := s.template[steps[0].name]; ok && steps[0].index == nil {
			c := atom(string(encode(value)), celAny)
			if _, text := value.(string); text {
				c.typ = celString
			}
			return s.walk(c, steps[1:])
		}
	}
	return cel{}, fmt.Errorf("templateVariables%s has no value", written(steps))
}

// ofVariable converts what an evaluateVariables stage set: this one, or one before it.
func (s *scope) ofVariable(name string, steps []step) (cel, error) {
	if slices.Contains(s.variables, name) {
		return s.walk(atom("vars", celAny), append([]step{{name: identifier(name)}}, steps...))
	}
	var from *stage
	for _, other := range s.stages {
		if s.self.follows(other) && slices.Contains(other.sets(), name) {
			if from != nil {
				return cel{}, fmt.Errorf("%s is set by both %q and %q", name, from.title, other.title)
			}
			from = other
		}
	}
	if from == nil {
		return cel{}, fmt.Errorf("%s is no parameter and no variable of a stage before this one", name)
	}
	return s.walk(from.reference("outputs"), append([]step{{name: identifier(name)}}, steps...))
}

func (s *scope) ofFunction(root *node, steps []step) (cel, error) {
	switch root.text {
	case "currentStage":
		if len(root.args) == 0 && written(steps) == ".name" {
			return atom(quoted(s.self.title), celString), nil
		}
		return cel{}, fmt.Errorf("#currentStage()%s has no equal", written(steps))
	case "stage", "stageByRefId", "judgment":
		return s.ofStageFunction(root, steps)
	}
	of, err := s.function(root)
	if err != nil {
		return cel{}, err
	}
	return s.walk(of, steps)
}
