package expr

import (
	"errors"
	"fmt"
	"strings"
)

// part of a text: literal, or the source of an expression.
type part struct {
	text   string
	isExpr bool
}

// parts finds the ${...} of a text. $${ stands for ${.
func parts(text string) ([]part, error) {
	var found []part
	literal := strings.Builder{}
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			literal.WriteString(text)
			return appendLiteral(found, literal.String()), nil
		}
		if i > 0 && text[i-1] == '$' {
			literal.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		literal.WriteString(text[:i])
		n := closing(text[i+2:])
		if n < 0 {
			return nil, fmt.Errorf("%s has no end: close it by }, or write $${ for the two characters", quoted(text[i:]))
		}
		found = append(appendLiteral(found, literal.String()), part{strings.TrimSpace(text[i+2 : i+2+n]), true})
		literal.Reset()
		text = text[i+2+n+1:]
	}
}

func appendLiteral(found []part, text string) []part {
	if text == "" {
		return found
	}
	return append(found, part{text: text})
}

// closing is where the } of an expression is; -1: nowhere. Braces of maps, and those in strings, are its own.
func closing(s string) int {
	open := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			open++
		case '}':
			if open == 0 {
				return i
			}
			open--
		case '"', '\'':
			n := quotedLength(s[i:], i > 0 && (s[i-1] == 'r' || s[i-1] == 'R'))
			if n < 0 {
				return -1
			}
			i += n - 1
		}
	}
	return -1
}

// quotedLength is how long the string is that s begins with; -1: it has no end. raw: \ is a character.
func quotedLength(s string, raw bool) int {
	quote := s[:1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s, triple) {
		quote = triple
	}
	for i := len(quote); i < len(s); i++ {
		if s[i] == '\\' && !raw {
			i++
		} else if strings.HasPrefix(s[i:], quote) {
			return i + len(quote)
		}
	}
	return -1
}

// budget is what is left of an Expand.
type budget struct{ work, bytes int }

// value is what a text gives: where all of it is one expression, the plain value of that, else text.
func (e *Evaluator) value(text string, env map[string]any, left *budget) (any, error) {
	found, err := parts(text)
	if err != nil {
		return nil, err
	}
	if len(found) == 1 && found[0].isExpr {
		return e.plainOf(found[0].text, env, left)
	}
	var out strings.Builder
	for _, p := range found {
		if p.isExpr {
			if p.text, err = e.writtenOf(p.text, env, left); err != nil {
				return nil, err
			}
		}
		out.WriteString(p.text)
	}
	return out.String(), nil
}

// text is value where text has to be.
func (e *Evaluator) text(text string, env map[string]any, left *budget) (string, error) {
	v, err := e.value(text, env, left)
	if err != nil {
		return "", err
	}
	out, err := written(v)
	if err != nil {
		return "", fmt.Errorf("%s: %w", quoted(text), err)
	}
	return out, left.take(0, len(out))
}

func (e *Evaluator) writtenOf(source string, env map[string]any, left *budget) (string, error) {
	v, err := e.plainOf(source, env, left)
	if err != nil {
		return "", err
	}
	out, err := written(v)
	if err != nil {
		return "", fmt.Errorf("expression %s: %w", quoted(source), err)
	}
	return out, left.take(0, len(out))
}

func (e *Evaluator) plainOf(source string, env map[string]any, left *budget) (any, error) {
	v, work, err := e.eval(source, env)
	if err != nil {
		return nil, err
	}
	out, err := plain(v)
	if err != nil {
		return nil, fmt.Errorf("expression %s: %w", quoted(source), err)
	}
	return out, left.take(int(work), bytesOf(v))
}

func (b *budget) take(work, bytes int) error {
	b.work -= work
	b.bytes -= bytes
	switch {
	case b.work < 0:
		return fmt.Errorf("the expressions together take more than %d steps", maxTotal)
	case b.bytes < 0:
		return fmt.Errorf("the expressions together give more than %d bytes", maxSum)
	}
	return nil
}

// checkText says why the expressions of a text cannot be evaluated.
func (e *Evaluator) checkText(text string) error {
	found, err := parts(text)
	errs := []error{err}
	for _, p := range found {
		if p.isExpr {
			_, err := e.compile(p.text)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
