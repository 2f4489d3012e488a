package spinnaker

import (
	"fmt"
	"regexp"
	"strings"
)

// function converts #name(args).
func (s *scope) function(n *node) (cel, error) {
	switch n.text {
	case "stage", "stageByRefId", "judgment", "currentStage":
		return s.path(n)
	case "fromUrl", "jsonFromUrl", "propertiesFromUrl":
		return cel{}, fmt.Errorf("#%s: expressions read no addresses, ever: use a webhook stage", n.text)
	}
	form, ok := functions[n.text]
	if !ok || len(n.args) != 1 {
		return cel{}, fmt.Errorf("#%s with %d arguments has no equal", n.text, len(n.args))
	}
	args, err := s.values(n.args)
	return form.fill(args...), err
}

// form is a call in CEL: $0, $1 and $2 are its arguments.
type form struct {
	cel string
	typ celType
}

func (f form) fill(args ...cel) cel {
	var pairs []string
	for i, arg := range args {
		pairs = append(pairs, fmt.Sprintf("$%d", i), arg.wrapped())
	}
	return atom(strings.NewReplacer(pairs...).Replace(f.cel), f.typ)
}

var functions = map[string]form{
	"toInt":      {"int($0)", celNumber},
	"toFloat":    {"double($0)", celNumber},
	"toBoolean":  {`(string($0).lowerAscii() == "true")`, celBool},
	"toJson":     {"toJson($0)", celString},
	"readJson":   {"fromJson($0)", celAny},
	"fromBase64": {"string(base64.decode($0))", celString},
}

// methods by name and number of arguments; $0 is what they are called on.
var methods = map[string]form{
	"toString/0":         {"string($0)", celString},
	"toLowerCase/0":      {"$0.lowerAscii()", celString},
	"toUpperCase/0":      {"$0.upperAscii()", celString},
	"trim/0":             {"$0.trim()", celString},
	"length/0":           {"size($0)", celNumber},
	"size/0":             {"size($0)", celNumber},
	"isEmpty/0":          {"(size($0) == 0)", celBool},
	"equalsIgnoreCase/1": {"($0.lowerAscii() == $1.lowerAscii())", celBool},
	"startsWith/1":       {"$0.startsWith($1)", celBool},
	"endsWith/1":         {"$0.endsWith($1)", celBool},
	"indexOf/1":          {"$0.indexOf($1)", celNumber},
	"substring/1":        {"$0.substring($1)", celString},
	"substring/2":        {"$0.substring($1, $2)", celString},
	"replace/2":          {"$0.replace($1, $2)", celString},
	"containsKey/1":      {"($1 in $0)", celBool},
}

// call converts x.name(args).
func (s *scope) call(n *node) (cel, error) {
	if n.text == "equals" && len(n.args) == 2 {
		c, err := s.equality(&node{text: "==", args: n.args})
		return atom("("+c.text+")", celBool), err
	}
	on, err := s.emit(n.args[0])
	if err != nil || (on.typ == celStatus && n.text == "toString") {
		return on, err
	}
	if on.typ == celStatus {
		return cel{}, errStatus
	}
	args, err := s.values(n.args[1:])
	switch {
	case err != nil:
		return cel{}, err
	case n.text == "contains" && len(args) == 1:
		return contains(on, args[0]), nil
	case (n.text == "matches" || n.text == "split") && len(args) == 1:
		return pattern(n, on.wrapped())
	}
	form, ok := methods[fmt.Sprintf("%s/%d", n.text, len(args))]
	if !ok {
		return cel{}, fmt.Errorf(".%s() with %d arguments has no equal", n.text, len(args))
	}
	return form.fill(append([]cel{on}, args...)...), nil
}

// contains is that of a text or of a list; of some values only a run knows which they are.
func contains(on, arg cel) cel {
	if on.typ == celString {
		return form{"$0.contains($1)", celBool}.fill(on, arg)
	}
	if on.typ == celList {
		return form{"($1 in $0)", celBool}.fill(on, arg)
	}
	return form{"(type($0) == string ? $0.contains($1) : $1 in $0)", celBool}.fill(on, arg)
}

// pattern converts the methods that take a regular expression of Java's: one that
// means the same in both. Java's matches() wants the whole text.
func pattern(n *node, on string) (cel, error) {
	arg := n.args[1]
	if arg.op != opString {
		return cel{}, fmt.Errorf(".%s() of a pattern that is not written out has no equal", n.text)
	}
	if n.text == "split" {
		if regexp.QuoteMeta(arg.text) != arg.text || arg.text == "" {
			return cel{}, fmt.Errorf(".split(%q) takes a regular expression, and here is none for it", arg.text)
		}
		return atom(on+".split("+quoted(arg.text)+")", celList), nil
	}
	whole := "^(?:" + arg.text + ")$"
	if _, err := regexp.Compile(whole); err != nil {
		return cel{}, fmt.Errorf("the pattern %q is Java's alone: RE2 has no lookaround, back references or possessive repeats", arg.text)
	}
	return atom(on+".matches("+quoted(whole)+")", celBool), nil
}
