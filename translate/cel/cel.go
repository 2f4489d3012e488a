// Package cel says whether a proxy takes an expression about a request as somebody wrote it.
//
// Envoy refuses a whole listener for one expression that it cannot read, or of which it lacks a function. Input: the
// text. Output: why it would. It evaluates nothing.
package cel

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/parser"
)

// attributes are what an expression may begin with: what Envoy knows of a request.
var attributes = []string{"request", "response", "connection", "source", "destination", "upstream", "metadata", "filter_state", "xds"}

// functions that Envoy has, with how many arguments they take; those of an object count it, too.
var functions = map[string]int{
	"_&&_": 2, "_||_": 2, "!_": 1, "-_": 1, "_?_:_": 3, "_==_": 2, "_!=_": 2, "_<_": 2, "_<=_": 2, "_>_": 2, "_>=_": 2,
	"_+_": 2, "_-_": 2, "_*_": 2, "_/_": 2, "_%_": 2, "_[_]": 2, "@in": 2,
	"contains": 2, "startsWith": 2, "endsWith": 2, "matches": 2, "size": 1,
	"int": 1, "uint": 1, "double": 1, "timestamp": 1, "duration": 1,
}

// ofObject are the ones that are written behind what they are about, and only there.
var ofObject = []string{"contains", "startsWith", "endsWith", "matches"}

const maxText = 1024

// Check says why a proxy would not take the expression; "": it does.
func Check(text string) (why string) {
	if len(text) > maxText {
		return fmt.Sprintf("has %d bytes, more than %d", len(text), maxText)
	}
	p, err := parser.NewParser(parser.Macros(parser.HasMacro), parser.MaxRecursionDepth(32), parser.ErrorReportingLimit(1))
	if err != nil {
		return err.Error()
	}
	tree, errs := p.Parse(common.NewTextSource(text))
	if all := errs.GetErrors(); len(all) > 0 {
		return all[0].Message
	}
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if why == "" {
			why = refused(e)
		}
	}))
	return why
}

func refused(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		if !slices.Contains(attributes, e.AsIdent()) {
			return fmt.Sprintf("%.60q is nothing that a proxy knows of a request; begin with one of %s", e.AsIdent(), strings.Join(attributes, ", "))
		}
	case ast.CallKind:
		return refusedCall(e.AsCall())
	case ast.ComprehensionKind, ast.StructKind:
		return "has a kind of expression that proxies do not take"
	}
	return ""
}

func refusedCall(c ast.CallExpr) string {
	args := c.Args()
	if c.IsMemberFunction() {
		args = append([]ast.Expr{c.Target()}, args...)
	}
	name := c.FunctionName()
	if n, known := functions[name]; !known || n != len(args) || slices.Contains(ofObject, name) != c.IsMemberFunction() && name != "size" {
		return fmt.Sprintf("proxies have no function %.60s like this; there are x.contains(y), x.startsWith(y), x.endsWith(y), x.matches(y), size(x), int(x), uint(x), double(x), timestamp(x), duration(x)", name)
	}
	if name == "matches" {
		pattern, ok := args[1], args[1].Kind() == ast.LiteralKind
		if !ok {
			return "matches takes a pattern in quotes"
		}
		text, ok := pattern.AsLiteral().(types.String)
		if !ok {
			return "matches takes a pattern in quotes"
		}
		return refusedPattern(string(text))
	}
	return ""
}

// maxPattern is what a proxy's program of a pattern may have; wideCost is that of a character beyond ASCII, which is several bytes.
const (
	maxPattern = 80
	wideCost   = 12
)

func refusedPattern(text string) string {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return fmt.Sprintf("the pattern %.60q is no RE2", text)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return fmt.Sprintf("the pattern %.60q is no RE2", text)
	}
	cost := 0
	for _, inst := range program.Inst {
		cost++
		switch inst.Op {
		case syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			cost += wideCost
		case syntax.InstRune, syntax.InstRune1:
			cost += len(inst.Rune) / 2
			for _, r := range inst.Rune {
				if r >= 0x80 {
					cost += wideCost
				}
			}
		}
	}
	if cost > maxPattern {
		return fmt.Sprintf("the pattern %.60q is too large; use contains, startsWith or endsWith", text)
	}
	return ""
}
