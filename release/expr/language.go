package expr

import (
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/stdlib"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// environment is CEL's standard library, with the operators and functions of operations.go.
func environment() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.StdLib(),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserRecursionLimit(maxNested),
		cel.ParserExpressionSizeLimit(maxSource),
		cel.Variable("params", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("trigger", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("run", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("stages", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("vars", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("status", cel.IntType),
		cel.Variable("body", cel.DynType),
		cel.Variable("application", cel.StringType),
		cel.Variable("space", cel.StringType),
		cel.Variable("version", cel.StringType),
		cel.Variable("old", cel.StringType),
	}
	options = append(options, ownOperators()...)
	return cel.NewCustomEnv(append(options, ownFunctions()...)...)
}

// ownOperators replace those of CEL whose work it counts only when it is done, and
// arithmetic. A macro is what a call is replaced by while it is parsed, and operators are calls.
func ownOperators() []cel.EnvOption {
	a, b := cel.TypeParamType("A"), cel.TypeParamType("B")
	return []cel.EnvOption{
		cel.Macros(
			renamed(operators.Equals, "=="), renamed(operators.NotEquals, "!="),
			renamed(operators.In, "is in"), renamed(operators.Add, "+"), renamed(operators.Subtract, "-"),
			renamed(operators.Multiply, "*"), renamed(operators.Divide, "/"),
			renamed("matches", "matching"),
			cel.ReceiverMacro("matches", 1, func(f cel.MacroExprFactory, on ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
				return f.NewCall("matching", on, args[0]), nil
			}),
		),
		cel.Function("==", cel.Overload("same", []*cel.Type{a, a}, cel.BoolType, cel.BinaryBinding(same))),
		cel.Function("!=", cel.Overload("other", []*cel.Type{a, a}, cel.BoolType, cel.BinaryBinding(other))),
		cel.Function("is in",
			cel.Overload("in_some_list", []*cel.Type{a, cel.ListType(a)}, cel.BoolType, cel.BinaryBinding(contained)),
			cel.Overload("in_some_map", []*cel.Type{a, cel.MapType(a, b)}, cel.BoolType, cel.BinaryBinding(contained))),
		arithmetic(operators.Add, "+", traits.AdderType, sum),
		arithmetic(operators.Subtract, "-", traits.SubtractorType, func(a, b ref.Val) ref.Val { return a.(traits.Subtractor).Subtract(b) }),
		arithmetic(operators.Multiply, "*", traits.MultiplierType, func(a, b ref.Val) ref.Val { return a.(traits.Multiplier).Multiply(b) }),
		arithmetic(operators.Divide, "/", traits.DividerType, func(a, b ref.Val) ref.Val { return a.(traits.Divider).Divide(b) }),
		cel.Function("matching", cel.Overload("text_matching", texts(2), cel.BoolType, cel.BinaryBinding(matching))),
	}
}

func renamed(operator, function string) cel.Macro {
	return cel.GlobalMacro(operator, 2, func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
		return f.NewCall(function, args...), nil
	})
}

// arithmetic is an operator of CEL by a function of ours, which takes an int with a
// double, too: numbers that come from JSON are doubles, and those that people write are ints.
func arithmetic(operator, name string, trait int, f func(a, b ref.Val) ref.Val) cel.EnvOption {
	options := []cel.FunctionOpt{
		cel.SingletonBinaryBinding(func(a, b ref.Val) ref.Val { return f(alike(a, b)) }, trait),
		cel.Overload(name+" int double", []*cel.Type{cel.IntType, cel.DoubleType}, cel.DoubleType),
		cel.Overload(name+" double int", []*cel.Type{cel.DoubleType, cel.IntType}, cel.DoubleType),
	}
	for _, known := range stdlib.Functions() {
		if known.Name() != operator {
			continue
		}
		for _, o := range known.OverloadDecls() {
			options = append(options, cel.Overload(name+" "+o.ID(), o.ArgTypes(), o.ResultType()))
		}
	}
	return cel.Function(name, options...)
}

// texts are the types of a function's n strings.
func texts(n int) []*cel.Type {
	all := make([]*cel.Type, n)
	for i := range all {
		all[i] = cel.StringType
	}
	return all
}

// ownFunctions are for text and JSON.
func ownFunctions() []cel.EnvOption {
	return []cel.EnvOption{
		text("lowerAscii", 0, func(t []string) (string, error) { return lower(t[0]), nil }),
		text("upperAscii", 0, func(t []string) (string, error) { return upper(t[0]), nil }),
		text("trim", 0, func(t []string) (string, error) { return strings.TrimSpace(t[0]), nil }),
		text("replace", 2, func(t []string) (string, error) { return replace(t[0], t[1], t[2]) }),
		cel.Function("split", cel.MemberOverload("text_split", texts(2), cel.ListType(cel.StringType), cel.BinaryBinding(split))),
		cel.Function("join", cel.MemberOverload("list_text_join", []*cel.Type{cel.ListType(cel.StringType), cel.StringType}, cel.StringType, cel.BinaryBinding(join))),
		cel.Function("substring",
			cel.MemberOverload("text_from", []*cel.Type{cel.StringType, cel.IntType}, cel.StringType, cel.FunctionBinding(substring)),
			cel.MemberOverload("text_from_to", []*cel.Type{cel.StringType, cel.IntType, cel.IntType}, cel.StringType, cel.FunctionBinding(substring))),
		cel.Function("indexOf", cel.MemberOverload("text_index", texts(2), cel.IntType, cel.BinaryBinding(indexOf))),
		cel.Function("toJson", cel.Overload("json_of", []*cel.Type{cel.DynType}, cel.StringType, cel.UnaryBinding(toJSON))),
		cel.Function("fromJson", cel.Overload("json_read", texts(1), cel.DynType, cel.UnaryBinding(fromJSON))),
		cel.Function("base64.encode",
			cel.Overload("base64_text", texts(1), cel.StringType, cel.UnaryBinding(encode)),
			cel.Overload("base64_bytes", []*cel.Type{cel.BytesType}, cel.StringType, cel.UnaryBinding(encode))),
		cel.Function("base64.decode", cel.Overload("base64_read", texts(1), cel.BytesType, cel.UnaryBinding(decode))),
	}
}

// text is a method of strings, with n further strings, that gives one.
func text(name string, n int, f func([]string) (string, error)) cel.EnvOption {
	return cel.Function(name, cel.MemberOverload("text_"+name, texts(n+1), cel.StringType, cel.FunctionBinding(
		func(args ...ref.Val) ref.Val {
			all := make([]string, len(args))
			for i, a := range args {
				all[i] = string(a.(types.String))
			}
			s, err := f(all)
			if err != nil {
				return types.WrapErr(err)
			}
			return limited(s)
		})))
}
