package spinnaker

import (
	"errors"
	"fmt"
	"slices"
)

const (
	maxSource = 4 << 10 // bytes of an expression: what weft takes, too
	maxDepth  = 50
)

// op is what a node does with its arguments.
type op byte

const (
	opString   op = iota // text
	opNumber             // text, as it is written
	opName               // text: an identifier, true, false, null
	opSelect             // args[0].text
	opIndex              // args[0][args[1]]
	opCall               // args[0].text(args[1:])
	opFunction           // #text(args)
	opThis               // #this
	opPrefix             // text args[0]
	opInfix              // args[0] text args[1]
	opTernary            // args[0] ? args[1] : args[2]
	opElvis              // args[0] ?: args[1]
	opList               // {args}
	opFilter             // args[0].?[args[1]]
	opFirst              // args[0].^[args[1]]
	opProject            // args[0].![args[1]]
)

// node is an expression in SpEL.
type node struct {
	op   op
	text string
	args []*node
}

type parser struct {
	tokens []token
	depth  int
}

// parseSpEL reads the part of SpEL that Spinnaker's pipelines are written in. It
// has no types, constructors, beans or assignments: those are refused by name.
func parseSpEL(source string) (*node, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("an expression of %d bytes: at most %d", len(source), maxSource)
	}
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	n, err := p.expression()
	if err == nil && p.tokens[0].kind != 0 {
		err = p.unexpected()
	}
	return n, err
}

func (p *parser) unexpected() error {
	t := p.tokens[0]
	if t.kind == 0 {
		return errors.New("the expression ends too early")
	}
	return fmt.Errorf("%q at byte %d is not in the part of SpEL that can be converted", t.text, t.at)
}

// accept takes the next token where it is one of the operators.
func (p *parser) accept(ops ...string) (string, bool) {
	t := p.tokens[0]
	if t.kind != 'o' || !slices.Contains(ops, t.text) {
		return "", false
	}
	p.tokens = p.tokens[1:]
	return t.text, true
}

func (p *parser) expect(op string) error {
	if _, ok := p.accept(op); !ok {
		return p.unexpected()
	}
	return nil
}

func (p *parser) name() (string, error) {
	t := p.tokens[0]
	if t.kind != 'n' {
		return "", p.unexpected()
	}
	p.tokens = p.tokens[1:]
	return t.text, nil
}

// expression is a ternary, an elvis, or what is below them.
func (p *parser) expression() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	left, err := p.infix(0)
	if err != nil {
		return nil, err
	}
	switch op, _ := p.accept("?", "?:"); op {
	case "?:":
		return p.with(opElvis, "", left, p.expression)
	case "?":
		then, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		other, err := p.expression()
		return &node{op: opTernary, args: []*node{left, then, other}}, err
	}
	return left, nil
}

// with is a node of left and of what next reads.
func (p *parser) with(op op, text string, left *node, next func() (*node, error)) (*node, error) {
	right, err := next()
	return &node{op: op, text: text, args: []*node{left, right}}, err
}

// levels of the operators between two sides, from the weakest.
var levels = [][]string{{"||"}, {"&&"}, {"==", "!=", "<", "<=", ">", ">="}, {"+", "-"}, {"*", "/", "%"}}

func (p *parser) infix(level int) (*node, error) {
	if level == len(levels) {
		return p.prefix()
	}
	next := func() (*node, error) { return p.infix(level + 1) }
	left, err := next()
	for err == nil {
		op, ok := p.accept(levels[level]...)
		if !ok {
			break
		}
		left, err = p.with(opInfix, op, left, next)
	}
	return left, err
}

func (p *parser) prefix() (*node, error) {
	op, ok := p.accept("!", "-")
	if !ok {
		return p.postfix()
	}
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	n, err := p.prefix()
	return &node{op: opPrefix, text: op, args: []*node{n}}, err
}

func (p *parser) postfix() (*node, error) {
	n, err := p.primary()
	for steps := 0; err == nil; steps++ {
		if steps > maxDepth {
			return nil, fmt.Errorf("it has more than %d steps in one path", maxDepth)
		}
		op, ok := p.accept(".", "[", ".?[", ".![", ".^[")
		if !ok {
			return n, nil
		}
		switch op {
		case ".":
			n, err = p.member(n)
		case "[":
			n, err = p.bracketed(opIndex, n)
		case ".?[":
			n, err = p.bracketed(opFilter, n)
		case ".![":
			n, err = p.bracketed(opProject, n)
		case ".^[":
			n, err = p.bracketed(opFirst, n)
		}
	}
	return nil, err
}

func (p *parser) bracketed(op op, left *node) (*node, error) {
	n, err := p.with(op, "", left, p.expression)
	if err != nil {
		return nil, err
	}
	return n, p.expect("]")
}

func (p *parser) member(of *node) (*node, error) {
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	if _, ok := p.accept("("); !ok {
		return &node{op: opSelect, text: name, args: []*node{of}}, nil
	}
	args, err := p.list(")")
	return &node{op: opCall, text: name, args: append([]*node{of}, args...)}, err
}

// list reads expressions up to what closes them.
func (p *parser) list(end string) ([]*node, error) {
	if _, ok := p.accept(end); ok {
		return nil, nil
	}
	var out []*node
	for {
		n, err := p.expression()
		if err != nil {
			return nil, err
		}
		out = append(out, n)
		if op, ok := p.accept(",", end); !ok {
			return nil, p.unexpected()
		} else if op == end {
			return out, nil
		}
	}
}

func (p *parser) primary() (*node, error) {
	t := p.tokens[0]
	if op, ok := p.accept("(", "{", "#"); ok {
		return p.opened(op)
	}
	switch t.kind {
	case 's':
		p.tokens = p.tokens[1:]
		return &node{op: opString, text: t.text}, nil
	case 'd':
		p.tokens = p.tokens[1:]
		return &node{op: opNumber, text: t.text}, nil
	}
	name, err := p.name()
	switch {
	case err != nil:
		return nil, err
	case name == "T" || name == "new":
		return nil, fmt.Errorf("%s: types of Java are not converted, ever", name)
	}
	return &node{op: opName, text: name}, nil
}

func (p *parser) opened(op string) (*node, error) {
	switch op {
	case "(":
		n, err := p.expression()
		if err != nil {
			return nil, err
		}
		return n, p.expect(")")
	case "{":
		items, err := p.list("}")
		return &node{op: opList, args: items}, err
	}
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	if name == "this" {
		return &node{op: opThis}, nil
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	args, err := p.list(")")
	return &node{op: opFunction, text: name, args: args}, err
}
