package expr

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// CEL counts the work of an operation when it is done. One that goes deep, or
// makes much of little, could be too much before: it looks at what it has first.
const (
	maxItems   = 10_000    // of a list that + makes
	maxDeep    = 50_000    // units of a value that one operation goes through
	maxPattern = 256       // bytes of a regular expression
	maxMatch   = 1_000_000 // its instructions, times the bytes of the text
)

var errDeep = errors.New("a value is too large to go through")

func same(a, b ref.Val) ref.Val {
	if weight(a) > maxDeep || weight(b) > maxDeep {
		return types.WrapErr(errDeep)
	}
	return types.Equal(a, b)
}

func other(a, b ref.Val) ref.Val {
	v := same(a, b)
	if is, ok := v.(types.Bool); ok {
		return !is
	}
	return v
}

func contained(v, in ref.Val) ref.Val {
	if _, isList := in.(traits.Lister); isList && (weight(v) > maxDeep || weight(in) > maxDeep) {
		return types.WrapErr(errDeep)
	}
	container, ok := in.(traits.Container)
	if !ok {
		return types.NewErr("%s has nothing in it", in.Type())
	}
	return container.Contains(v)
}

// sum makes a new list of two: CEL's own refers to both, and one that is added to
// itself again and again has more items than can be counted.
func sum(a, b ref.Val) ref.Val {
	one, isList := a.(traits.Lister)
	two, both := b.(traits.Lister)
	if isList && both {
		return sumOfLists(one, two)
	}
	if bytesOf(a)+bytesOf(b) > maxText {
		return tooLong(bytesOf(a) + bytesOf(b))
	}
	return a.(traits.Adder).Add(b)
}

func sumOfLists(a, b traits.Lister) ref.Val {
	n := int(a.Size().(types.Int) + b.Size().(types.Int))
	if n > maxItems {
		return types.NewErr("a list would have %d items: at most %d are made", n, maxItems)
	}
	all := make([]ref.Val, 0, n)
	for _, l := range []traits.Lister{a, b} {
		for it := l.Iterator(); it.HasNext() == types.True; {
			all = append(all, it.Next())
		}
	}
	return types.DefaultTypeAdapter.NativeToValue(all)
}

// alike makes doubles of an int and a double.
func alike(a, b ref.Val) (ref.Val, ref.Val) {
	whole, isInt := a.(types.Int)
	if _, isDouble := b.(types.Double); isInt && isDouble {
		return types.Double(whole), b
	}
	whole, isInt = b.(types.Int)
	if _, isDouble := a.(types.Double); isInt && isDouble {
		return a, types.Double(whole)
	}
	return a, b
}

// matching is like CEL's matches, with a bound on the regular expression.
func matching(text, pattern ref.Val) ref.Val {
	t, p := string(text.(types.String)), string(pattern.(types.String))
	if work := matchWork(t, p); work > maxMatch {
		return types.NewErr("the regular expression %s is too much for %d bytes of text", quoted(p), len(t))
	}
	re, err := regexp.Compile(p)
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(re.MatchString(t))
}

// matchWork is how many instructions a match may take.
func matchWork(text, pattern string) int {
	if len(pattern) > maxPattern {
		return maxMatch + 1
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0 // it will not be compiled either
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst) * (len(text) + 1)
}

// limited is text that a function made.
func limited(s string) ref.Val {
	if len(s) > maxText {
		return tooLong(len(s))
	}
	return types.String(s)
}

func tooLong(n int) ref.Val {
	return types.NewErr("text would have %d bytes: at most %d are made", n, maxText)
}

func lower(s string) string { return shift(s, 'A', 'Z', 'a'-'A') }
func upper(s string) string { return shift(s, 'a', 'z', 'A'-'a') }

// shift moves the letters from first to last, and no other: the others have no one case.
func shift(s string, first, last, by rune) string {
	return strings.Map(func(r rune) rune {
		if r >= first && r <= last {
			return r + by
		}
		return r
	}, s)
}

func replace(s, old, by string) (string, error) {
	if n := len(s) + strings.Count(s, old)*(len(by)-len(old)); n > maxText {
		return "", fmt.Errorf("text would have %d bytes: at most %d are made", n, maxText)
	}
	return strings.ReplaceAll(s, old, by), nil
}

func split(text, at ref.Val) ref.Val {
	t, sep := string(text.(types.String)), string(at.(types.String))
	if n := strings.Count(t, sep); n > maxItems {
		return types.NewErr("a list would have %d items: at most %d are made", n, maxItems)
	}
	return types.DefaultTypeAdapter.NativeToValue(strings.Split(t, sep))
}

func join(list, separator ref.Val) ref.Val {
	var all strings.Builder
	for it := list.(traits.Lister).Iterator(); it.HasNext() == types.True; {
		s, ok := it.Next().(types.String)
		if !ok {
			return types.NewErr("join takes strings: use string() on what is none")
		}
		if all.Len() > 0 {
			all.WriteString(string(separator.(types.String)))
		}
		if all.WriteString(string(s)); all.Len() > maxText {
			return tooLong(all.Len())
		}
	}
	return types.String(all.String())
}

// substring counts characters, from 0; what is outside of the text is an error.
func substring(args ...ref.Val) ref.Val {
	t := []rune(string(args[0].(types.String)))
	from, to := args[1].(types.Int), types.Int(len(t))
	if len(args) == 3 {
		to = args[2].(types.Int)
	}
	if from < 0 || from > to || int(to) > len(t) {
		return types.NewErr("substring from %d to %d of text with %d characters", from, to, len(t))
	}
	return types.String(string(t[from:to]))
}

// indexOf counts characters; -1: it is not there.
func indexOf(text, what ref.Val) ref.Val {
	t := string(text.(types.String))
	i := strings.Index(t, string(what.(types.String)))
	if i < 0 {
		return types.Int(-1)
	}
	return types.Int(utf8.RuneCountInString(t[:i]))
}

func toJSON(v ref.Val) ref.Val {
	p, err := plain(v)
	if err != nil {
		return types.WrapErr(err)
	}
	out, err := encodeJSON(p)
	if err != nil {
		return types.WrapErr(err)
	}
	return limited(out)
}

func fromJSON(text ref.Val) ref.Val {
	var v any
	if err := json.Unmarshal([]byte(text.(types.String)), &v); err != nil {
		return types.NewErr("fromJson: %v", err)
	}
	return types.DefaultTypeAdapter.NativeToValue(v)
}

func encode(v ref.Val) ref.Val {
	raw, ok := v.(types.Bytes)
	if !ok {
		raw = types.Bytes(v.(types.String))
	}
	return limited(base64.StdEncoding.EncodeToString(raw))
}

func decode(text ref.Val) ref.Val {
	raw, err := base64.StdEncoding.DecodeString(string(text.(types.String)))
	if err != nil {
		return types.NewErr("base64.decode: %v", err)
	}
	return types.Bytes(raw)
}
