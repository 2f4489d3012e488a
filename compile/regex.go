package compile

import (
	"fmt"
	"regexp/syntax"
)

// What a proxy accepts: Envoy refuses a whole route table for one pattern whose
// RE2 program is larger.
const (
	maxRegexLength  = 1024
	maxRegexProgram = 100
	// wideRuneCost is about what RE2 needs for a class of characters beyond
	// ASCII, which it compiles to bytes of UTF-8.
	wideRuneCost = 11
)

// checkRegex says why Envoy would refuse the pattern. Go and RE2 share the
// syntax; the size is an estimate on the safe side.
func checkRegex(pattern string) error {
	if len(pattern) > maxRegexLength {
		return fmt.Errorf("regex of %d characters; at most %d are allowed", len(pattern), maxRegexLength)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return fmt.Errorf("regex %q: %w", pattern, err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return fmt.Errorf("regex %q: %w", pattern, err)
	}
	if size := programSize(program); size > maxRegexProgram {
		return fmt.Errorf("regex %q: its program has a size of about %d, at most %d is allowed; use prefixes or several matches",
			pattern, size, maxRegexProgram)
	}
	return nil
}

func programSize(p *syntax.Prog) int {
	size := 0
	for _, inst := range p.Inst {
		size++
		switch inst.Op {
		case syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			size += wideRuneCost
		case syntax.InstRune:
			if last := len(inst.Rune) - 1; last > 0 && inst.Rune[last] > 0x7f {
				size += wideRuneCost
			}
			size += len(inst.Rune)/2 - 1
		}
	}
	return size
}
