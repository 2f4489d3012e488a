package compile

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode"
)

// What a proxy accepts: Envoy refuses a whole route table for one pattern whose
// RE2 program is larger.
const (
	maxRegexLength  = 1024
	maxRegexProgram = 100
	maxByte         = 0xff
	// programFrame is what RE2 puts around a program beside what Go does, and some more.
	programFrame = 14
)

// checkRegex says why Envoy would refuse the pattern. Go and RE2 share the
// syntax, and Envoy reads patterns as bytes; the size is an estimate on the safe side.
func checkRegex(pattern string) error {
	if len(pattern) > maxRegexLength {
		return fmt.Errorf("regex of %d characters; at most %d are allowed", len(pattern), maxRegexLength)
	}
	parsed, err := syntax.Parse(Bytes(pattern), syntax.Perl)
	if err != nil {
		return fmt.Errorf("regex %q: %w", pattern, err)
	}
	if foreign := foreignClass(pattern); foreign != "" {
		return fmt.Errorf("regex %q: proxies know no %s; write out which characters are meant", pattern, foreign)
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

// checkSubstitution says what a proxy would leave out, or not do at all, of what is put in place of a match.
func checkSubstitution(pattern, with string) error {
	parsed, err := syntax.Parse(Bytes(pattern), syntax.Perl)
	if err != nil {
		return err
	}
	for i := 0; i < len(with); i++ {
		if with[i] != '\\' {
			continue
		}
		i++
		switch {
		case i == len(with) || with[i] != '\\' && (with[i] < '0' || with[i] > '9'):
			return fmt.Errorf(`substitution "%s": after a \ comes a digit, for a group, or another \`, with)
		case with[i] != '\\' && int(with[i]-'0') > parsed.MaxCap():
			return fmt.Errorf(`substitution "%s": regex "%s" has no group %c`, with, pattern, with[i])
		}
	}
	return nil
}

// Bytes has a character for each byte of s: what a pattern of Envoy and the text
// that it matches are made of.
func Bytes(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// classes are the ways to write a character that Go knows more of than RE2: by
// a number above a byte, or by a name.
var classes = regexp.MustCompile(`\\x\{0*[0-9A-Fa-f]{3,}\}|\\[pP]\{\^?([^}]*)\}`)

func foreignClass(pattern string) string {
	for _, m := range classes.FindAllStringSubmatch(pattern, -1) {
		known := unicode.Categories[m[1]] != nil || unicode.Scripts[m[1]] != nil || m[1] == "Any"
		if !known || m[1] == "Cn" || m[1] == "LC" {
			return m[0]
		}
	}
	return ""
}

func programSize(p *syntax.Prog) int {
	size := programFrame
	for _, inst := range p.Inst {
		size++
		switch inst.Op {
		case syntax.InstRuneAnyNotNL:
			size++
		case syntax.InstRune:
			for low := 2; low < len(inst.Rune) && inst.Rune[low] <= maxByte; low += 2 {
				size++
			}
		}
	}
	return size
}
