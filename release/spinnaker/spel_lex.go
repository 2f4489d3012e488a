package spinnaker

import (
	"errors"
	"fmt"
	"strings"
)

// token is one word of an expression. Its kind is n(ame), s(tring), d (number),
// o(perator) or 0: the end.
type token struct {
	kind byte
	text string // of a string: what it says
	at   int
}

// operators, longest first.
var operators = []string{
	".?[", ".![", ".^[", ".$[", "?.", "?:", "==", "!=", "<=", ">=", "&&", "||",
	"(", ")", "[", "]", "{", "}", ".", ",", "?", ":", "<", ">", "+", "-", "*", "/", "%", "!", "#",
}

// words that are operators.
var words = map[string]string{"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "and": "&&", "or": "||", "not": "!", "div": "/", "mod": "%"}

func lex(source string) ([]token, error) {
	var out []token
	for i := 0; i < len(source); {
		if strings.IndexByte(" \t\r\n", source[i]) >= 0 {
			i++
			continue
		}
		t, n, err := lexOne(source[i:])
		if err != nil {
			return nil, fmt.Errorf("%w at byte %d", err, i)
		}
		t.at = i
		out, i = append(out, t), i+n
	}
	return append(out, token{at: len(source)}), nil
}

func lexOne(s string) (token, int, error) {
	switch c := s[0]; {
	case c == '\'' || c == '"':
		return lexString(s)
	case isDigit(c):
		return lexNumber(s)
	case isLetter(c):
		n := span(s, isWord)
		if op, ok := words[strings.ToLower(s[:n])]; ok {
			return token{kind: 'o', text: op}, n, nil
		}
		return token{kind: 'n', text: s[:n]}, n, nil
	}
	for _, op := range operators {
		if strings.HasPrefix(s, op) {
			return token{kind: 'o', text: op}, len(op), nil
		}
	}
	return token{}, 0, fmt.Errorf("%q is not in the part of SpEL that can be converted", s[:1])
}

// lexString reads a string; two quotes in it are one.
func lexString(s string) (token, int, error) {
	quote := s[:1]
	for i := 1; i < len(s); i++ {
		if s[i] != quote[0] {
			continue
		}
		if i+1 < len(s) && s[i+1] == quote[0] {
			i++
			continue
		}
		return token{kind: 's', text: strings.ReplaceAll(s[1:i], quote+quote, quote)}, i + 1, nil
	}
	return token{}, 0, errors.New("a string does not end")
}

func lexNumber(s string) (token, int, error) {
	n := span(s, isDigit)
	if n+1 < len(s) && s[n] == '.' && isDigit(s[n+1]) {
		n += 1 + span(s[n+1:], isDigit)
	}
	number := s[:n]
	if n < len(s) && (s[n] == 'L' || s[n] == 'l') {
		n++
	}
	if n < len(s) && isWord(s[n]) {
		return token{}, 0, fmt.Errorf("the number %s... is not in the part of SpEL that can be converted", s[:n+1])
	}
	return token{kind: 'd', text: number}, n, nil
}

func span(s string, in func(c byte) bool) int {
	for i := range len(s) {
		if !in(s[i]) {
			return i
		}
	}
	return len(s)
}

// part is a piece of a text: an expression, or what stands between them.
type part struct {
	text       string
	expression bool
}

// split finds the ${...} of a text.
func split(s string) ([]part, error) {
	var out []part
	for {
		before, rest, found := strings.Cut(s, "${")
		if before != "" {
			out = append(out, part{text: before})
		}
		if !found {
			return out, nil
		}
		end := closing(rest)
		if end < 0 {
			return nil, fmt.Errorf("${%s does not end", cut(rest, 40))
		}
		out = append(out, part{text: rest[:end], expression: true})
		s = rest[end+1:]
	}
}

func hasExpression(s string) bool { return strings.Contains(s, "${") }

// closing is where the brace is that ends an expression; -1: nowhere.
func closing(s string) int {
	depth, quote := 0, byte(0)
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '{':
			depth++
		case c == '}' && depth == 0:
			return i
		case c == '}':
			depth--
		}
	}
	return -1
}
