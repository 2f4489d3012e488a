package spinnaker

import (
	"errors"
	"fmt"
	"strings"
)

// celType is what is known of a value.
type celType byte

const (
	celAny celType = iota
	celString
	celBool
	celNumber
	celList
	celStatus // where a stage stands: Spinnaker's words differ from weft's
)

// cel is an expression in weft's language.
type cel struct {
	text  string
	typ   celType
	atom  bool   // needs no parentheses beside an operator
	has   string // what says in CEL whether it is there at all; empty: it always is
	blank bool   // where it was not given it is an empty text: a parameter
}

func atom(text string, typ celType) cel { return cel{text: text, typ: typ, atom: true} }

func (c cel) wrapped() string {
	if c.atom {
		return c.text
	}
	return "(" + c.text + ")"
}

// truth is c where CEL wants a bool: in Spinnaker the text "true" is one.
func (c cel) truth() string {
	switch c.typ {
	case celBool:
		return c.wrapped()
	case celString:
		return "(" + c.wrapped() + ` == "true")`
	}
	return "(string(" + c.text + `) == "true")`
}

// asString is c beside a text that it is joined to.
func (c cel) asString() string {
	if c.typ == celString {
		return c.wrapped()
	}
	return "string(" + c.text + ")"
}

func quoted(s string) string { return string(encode(s)) }

// convert gives an expression of SpEL in CEL.
func (s *scope) convert(source string) (cel, error) {
	n, err := parseSpEL(source)
	if err != nil {
		return cel{}, err
	}
	return s.value(n)
}

// text gives a text with the expressions in it in CEL.
func (s *scope) text(source string) (string, error) {
	var out strings.Builder
	err := s.each(source, func(literal string, c cel) {
		if literal == "" {
			literal = "${" + c.text + "}"
		} else if before, ok := strings.CutSuffix(literal, "$"); ok {
			literal = before + `${"$"}` // $${ is no expression
		}
		out.WriteString(literal)
	})
	return out.String(), err
}

// joined gives a text as one expression; of one that is an expression alone, its value.
func (s *scope) joined(source string) (cel, error) {
	var all []cel
	err := s.each(source, func(literal string, c cel) {
		if literal != "" {
			c = atom(quoted(literal), celString)
		}
		all = append(all, c)
	})
	if len(all) == 1 || err != nil {
		return append(all, cel{})[0], err
	}
	var texts []string
	for _, c := range all {
		texts = append(texts, c.asString())
	}
	return cel{text: strings.Join(texts, " + "), typ: celString}, nil
}

// each calls yield with the parts of a text: what is written, or else an expression.
func (s *scope) each(source string, yield func(literal string, c cel)) error {
	parts, err := split(source)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if !p.expression {
			yield(p.text, cel{})
			continue
		}
		c, err := s.convert(p.text)
		if err != nil {
			return fmt.Errorf("${%s}: %w", cut(p.text, 80), err)
		}
		yield("", c)
	}
	return nil
}

// condition gives an expression, bare or in ${}, that is true or false.
func (s *scope) condition(source string) (string, error) {
	parts, err := split(strings.TrimSpace(source))
	if err != nil {
		return "", err
	}
	if len(parts) != 1 {
		return "", fmt.Errorf("%q: more than one expression, or text beside it", cut(source, 80))
	}
	c, err := s.convert(parts[0].text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", cut(parts[0].text, 80), err)
	}
	if c.typ == celBool {
		return c.text, nil
	}
	return c.truth(), nil
}

func (s *scope) emit(n *node) (cel, error) {
	switch n.op {
	case opString:
		return atom(quoted(n.text), celString), nil
	case opNumber:
		return atom(n.text, celNumber), nil
	case opName, opSelect, opIndex, opThis, opFirst:
		return s.path(n)
	case opPrefix:
		return s.prefix(n)
	case opInfix:
		return s.infix(n)
	case opTernary:
		return s.ternary(n)
	case opElvis:
		return s.elvis(n)
	case opList:
		return s.list(n)
	case opFilter, opProject:
		return s.comprehension(n)
	case opFunction:
		return s.function(n)
	}
	return s.call(n)
}

var errStatus = errors.New("the words for where a stage stands differ: it can only be compared with one of them")

// value is what is not where a stage stands.
func (s *scope) value(n *node) (cel, error) {
	c, err := s.emit(n)
	if err == nil && c.typ == celStatus {
		err = errStatus
	}
	return c, err
}

func (s *scope) values(nodes []*node) ([]cel, error) {
	out := make([]cel, len(nodes))
	for i, n := range nodes {
		c, err := s.value(n)
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

func (s *scope) prefix(n *node) (cel, error) {
	c, err := s.value(n.args[0])
	if err != nil {
		return cel{}, err
	}
	if n.text == "!" {
		return atom("!"+c.truth(), celBool), nil
	}
	return cel{text: "-" + c.wrapped(), typ: celNumber}, nil
}

func (s *scope) infix(n *node) (cel, error) {
	if n.text == "==" || n.text == "!=" {
		return s.equality(n)
	}
	sides, err := s.values(n.args)
	if err != nil {
		return cel{}, err
	}
	left, right := sides[0], sides[1]
	if n.args[0].op == opInfix && n.args[0].text == n.text {
		left.atom = true // a chain, which nests no deeper the longer it is
	}
	switch n.text {
	case "&&", "||":
		return cel{text: left.truth() + " " + n.text + " " + right.truth(), typ: celBool}, nil
	case "+":
		if left.typ == celString || right.typ == celString {
			return cel{text: left.asString() + " + " + right.asString(), typ: celString}, nil
		}
	}
	typ := celNumber
	if strings.ContainsAny(n.text, "<>") {
		typ = celBool
	} else if n.text == "+" && (left.typ == celAny || right.typ == celAny) {
		typ = celAny
	}
	return cel{text: left.wrapped() + " " + n.text + " " + right.wrapped(), typ: typ}, nil
}

// equality knows of null, which is what Spinnaker has for what is absent, and of
// the words for where a stage stands.
func (s *scope) equality(n *node) (cel, error) {
	left, right := n.args[0], n.args[1]
	if isNull(left) {
		left, right = right, left
	}
	a, err := s.emit(left)
	if err != nil {
		return cel{}, err
	}
	switch {
	case isNull(right) && a.blank:
		s.emptied = true
		return cel{text: a.text + " " + n.text + ` ""`, typ: celBool}, nil
	case isNull(right) && a.has != "" && n.text == "!=":
		return atom(a.has, celBool), nil
	case isNull(right) && a.has != "":
		return atom("!"+a.has, celBool), nil
	}
	b, err := s.emit(right)
	if err != nil {
		return cel{}, err
	}
	switch {
	case a.typ == celStatus || b.typ == celStatus:
		return statusEquality(n, a, b)
	case a.typ != b.typ && a.typ != celAny && b.typ != celAny:
		return cel{}, errors.New("values of two types are never equal, such as a text and a number: put what is compared into quotes")
	}
	return cel{text: a.wrapped() + " " + n.text + " " + b.wrapped(), typ: celBool}, nil
}

func isNull(n *node) bool { return n.op == opName && n.text == "null" }

// phases are weft's words for where a stage that has ended stands.
var phases = map[string]string{
	"SUCCEEDED": "Succeeded", "FAILED_CONTINUE": "Continued", "TERMINAL": "Failed", "STOPPED": "Stopped",
	"SKIPPED": "Skipped", "CANCELED": "Cancelled",
}

func statusEquality(n *node, a, b cel) (cel, error) {
	status, word := a, n.args[1]
	if b.typ == celStatus {
		status, word = b, n.args[0]
	}
	phase, ok := phases[word.text]
	if word.op != opString || !ok {
		return cel{}, fmt.Errorf("where a stage stands is compared with what is not one of %s", strings.Join(sortedKeys(phases), ", "))
	}
	return cel{text: status.text + " " + n.text + " " + quoted(phase), typ: celBool}, nil
}

func (s *scope) ternary(n *node) (cel, error) {
	args, err := s.values(n.args)
	if err != nil {
		return cel{}, err
	}
	return either(args[0].truth(), args[1], args[2]), nil
}

// either is a where the condition holds, and otherwise b; CEL wants to be told
// where they are of two types.
func either(condition string, a, b cel) cel {
	if a.typ == b.typ || a.typ == celAny || b.typ == celAny {
		return cel{text: condition + " ? " + a.wrapped() + " : " + b.wrapped(), typ: min(a.typ, b.typ)}
	}
	return cel{text: condition + " ? dyn(" + a.text + ") : dyn(" + b.text + ")"}
}

// elvis takes the second value where the first is absent or an empty text.
func (s *scope) elvis(n *node) (cel, error) {
	args, err := s.values(n.args)
	if err != nil {
		return cel{}, err
	}
	a, b := args[0], args[1]
	there := a.wrapped() + ` != ""`
	if a.has != "" {
		there = a.has + " && " + there
	}
	return either(there, a, b), nil
}

func (s *scope) list(n *node) (cel, error) {
	items, err := s.values(n.args)
	if err != nil {
		return cel{}, err
	}
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = item.text
	}
	return atom("["+strings.Join(texts, ", ")+"]", celList), nil
}

// comprehension is x.?[condition] or x.![value]; in it names are those of the element.
func (s *scope) comprehension(n *node) (cel, error) {
	of, err := s.value(n.args[0])
	if err != nil {
		return cel{}, err
	}
	if s.element {
		return cel{}, errors.New("a selection within a selection")
	}
	within := *s
	within.element = true
	c, err := within.value(n.args[1])
	if err != nil {
		return cel{}, err
	}
	if n.op == opProject {
		return atom(of.wrapped()+".map(it, "+c.text+")", celList), nil
	}
	return atom(of.wrapped()+".filter(it, "+c.truth()+")", celList), nil
}
