package spinnaker

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

const (
	maxPipelineName = 50 // a run's name is longer, and a label
	maxStageName    = 40
	maxIdentifier   = 63
)

// label is a name as a DNS label of at most limit bytes; empty: nothing of it can be in one.
func label(name string, limit int) string {
	return strings.Trim(cut(squeeze(strings.ToLower(name), '-', isLabel), limit), "-")
}

// identifier is a name as an expression can have it, of a parameter or variable.
func identifier(name string) string {
	out := squeeze(name, '_', isWord)
	if out == "" || (out[0] >= '0' && out[0] <= '9') {
		out = "_" + out
	}
	return cut(out, maxIdentifier)
}

// squeeze puts one filler where characters were that are not allowed.
func squeeze(name string, filler byte, allowed func(c byte) bool) string {
	var out []byte
	for i := range len(name) {
		switch {
		case allowed(name[i]):
			out = append(out, name[i])
		case len(out) > 0 && out[len(out)-1] != filler:
			out = append(out, filler)
		}
	}
	return string(out)
}

func isLabel(c byte) bool { return c >= 'a' && c <= 'z' || isDigit(c) }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isWord(c byte) bool  { return isLetter(c) || isDigit(c) }
func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

func cut(s string, limit int) string { return s[:min(len(s), limit)] }

// pipelineName is the same in each import: that of the application and of the
// pipeline, with a hash where that is not all of them.
func pipelineName(application, name, id string) string {
	app, own := label(application, maxPipelineName), label(name, len(name))
	full := own
	if app != "" && own != app && !strings.HasPrefix(own, app+"-") {
		full = strings.Trim(app+"-"+own, "-")
	}
	if full != "" && len(full) <= maxPipelineName && plain(name) {
		return full
	}
	return hashed(full, application+"/"+name+"/"+id)
}

// plain says whether a label tells all of a name: only case and runs of blanks and marks are lost.
func plain(name string) bool {
	return strings.IndexFunc(name, func(r rune) bool { return r > 127 }) < 0
}

func hashed(name, of string) string {
	sum := sha256.Sum256([]byte(of))
	head := strings.Trim(cut(name, maxPipelineName-7), "-")
	if head == "" {
		head = "pipeline"
	}
	return head + "-" + hex.EncodeToString(sum[:3])
}

// unused gives name, or name with the first free number behind it, and takes it.
func unused(taken map[string]bool, name, joint string, limit int) string {
	out := name
	for n := 2; taken[out]; n++ {
		suffix := joint + strconv.Itoa(n)
		out = strings.TrimRight(cut(name, limit-len(suffix)), joint) + suffix
	}
	taken[out] = true
	return out
}

// stageName is the label of a stage's title, or of its number where that has none.
func stageName(title, refID string, index int) string {
	if name := label(title, maxStageName); name != "" {
		return name
	}
	if ref := label(refID, maxStageName-6); ref != "" {
		return "stage-" + ref
	}
	return fmt.Sprintf("stage-%d", index+1)
}
