// Package expr evaluates the expressions of pipelines: CEL, bare where a field
// is an expression, and as ${...} within text.
//
// An expression sees only the values that it is given, calls nothing outside and
// does not know the time, so the same one gives the same result. Who wrote it is
// not trusted: its text, its work and its result are bounded by counting, not by
// a clock, because a bound that depends on the machine would give another result
// after a crash. CEL bounds most work itself; operations.go has those it does not.
//
// It is the only place that evaluates what people wrote, and knows no pipeline.
package expr

import (
	"fmt"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// Limits. Units of work are CEL's: about one a step, and one for ten bytes.
const (
	maxSource = 4 << 10 // bytes of an expression
	maxWork   = 100_000 // units of an expression
	maxTotal  = 10 * maxWork
	maxText   = 256 << 10 // bytes of a text that an expression gives or makes on its way
	maxSum    = 1 << 20   // bytes of all text of one Expand
	maxNested = 100       // depth of an expression
	maxKept   = 1000      // compiled expressions
)

// wantBool is what Check takes for an expression that says yes or no.
const wantBool = "bool"

// Evaluator evaluates expressions. It may be used from several goroutines.
type Evaluator struct {
	env  *cel.Env
	mu   sync.Mutex
	kept map[string]*compiled // by source: compiling takes longer than evaluating
}

type compiled struct {
	program cel.Program
	gives   *cel.Type
}

// New makes an evaluator. It fails only by a mistake in this package.
func New() (*Evaluator, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("language of expressions: %w", err)
	}
	return &Evaluator{env: env, kept: map[string]*compiled{}}, nil
}

// Check says why an expression cannot be evaluated, whatever the values: it does
// not parse, names what is not there, or gives something else than want, which is
// bool or any.
func (e *Evaluator) Check(source, want string) error {
	c, err := e.compile(source)
	if err != nil {
		return err
	}
	if want == wantBool && !c.gives.IsExactType(cel.BoolType) && !c.gives.IsExactType(cel.DynType) {
		return fmt.Errorf("expression %s gives %s: it has to be true or false", quoted(source), c.gives)
	}
	return nil
}

// Bool evaluates an expression that says yes or no. Anything else is an error.
func (e *Evaluator) Bool(source string, env map[string]any) (bool, error) {
	v, _, err := e.eval(source, env)
	if err != nil {
		return false, err
	}
	b, ok := v.(types.Bool)
	if !ok {
		return false, fmt.Errorf("expression %s gives %s: it has to be true or false", quoted(source), v.Type())
	}
	return bool(b), nil
}

// eval also says how much work it was, in CEL's units.
func (e *Evaluator) eval(source string, env map[string]any) (ref.Val, uint64, error) {
	c, err := e.compile(source)
	if err != nil {
		return nil, 0, err
	}
	v, details, err := c.program.Eval(env)
	work := uint64(maxWork)
	if details != nil && details.ActualCost() != nil {
		work = *details.ActualCost()
	}
	if err != nil {
		return nil, work, fmt.Errorf("expression %s: %s", quoted(source), reason(err))
	}
	return v, work, nil
}

func (e *Evaluator) compile(source string) (*compiled, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("expression %s has %d bytes: at most %d are evaluated", quoted(source), len(source), maxSource)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c, ok := e.kept[source]; ok {
		return c, nil
	}
	c, err := e.build(source)
	if err != nil {
		return nil, fmt.Errorf("expression %s: %w", quoted(source), err)
	}
	if len(e.kept) >= maxKept {
		clear(e.kept)
	}
	e.kept[source] = c
	return c, nil
}

func (e *Evaluator) build(source string) (*compiled, error) {
	tree, issues := e.env.Parse(source)
	if err := first(issues); err != nil {
		return nil, err
	}
	root := ast.NavigateAST(tree.NativeRep())
	if len(ast.MatchDescendants(root, ast.KindMatcher(ast.StructKind))) > 0 {
		return nil, fmt.Errorf("there are no messages here: use a map, {\"key\": value}")
	}
	untypeMaps(tree.NativeRep())
	tree, issues = e.env.Check(tree)
	if err := first(issues); err != nil {
		return nil, err
	}
	program, err := e.env.Program(tree, cel.CostLimit(maxWork), cel.CostTracking(price{}))
	if err != nil {
		return nil, err
	}
	return &compiled{program: program, gives: tree.OutputType()}, nil
}

// untypeMaps makes dyn(...) of each map that an expression writes. The type of a
// map names two others: ten maps in each other, of which each is key and value of
// the next, have a type of a thousand names, and twenty take CEL minutes.
func untypeMaps(tree *ast.AST) {
	factory, id := ast.NewExprFactory(), ast.MaxID(tree)
	for _, m := range ast.MatchDescendants(ast.NavigateAST(tree), ast.KindMatcher(ast.MapKind)) {
		inner := factory.NewMap(id, m.AsMap().Entries())
		m.SetKindCase(factory.NewCall(m.ID(), "dyn", inner))
		id++
	}
}

// first is the first thing that is wrong with an expression.
func first(issues *cel.Issues) error {
	if issues.Err() == nil {
		return nil
	}
	one := issues.Errors()[0]
	return fmt.Errorf("column %d: %s", one.Location.Column()+1, plainWords.Replace(one.Message))
}

// plainWords takes out of CEL's messages what only its authors understand.
var plainWords = strings.NewReplacer(" (in container '')", "", "undeclared reference to", "there is no")

func reason(err error) string {
	text := err.Error()
	if strings.Contains(text, "actual cost limit exceeded") {
		return fmt.Sprintf("it takes more than %d steps", maxWork)
	}
	return text
}

// quoted is a source as errors show it.
func quoted(source string) string {
	if len(source) > 80 {
		source = strings.ToValidUTF8(source[:77], "") + "..."
	}
	return fmt.Sprintf("%q", source)
}
