// Package redact takes secrets out of what is shown to strangers: objects, and
// text such as logs.
//
// What must stay true: where it is not clear whether something is a secret, it
// goes. Output keeps the shape of the input, so that a reader sees that there
// was something.
package redact

import (
	"regexp"
	"strings"
)

// Redacted stands in for what was taken out.
const Redacted = "REDACTED"

// emptied are fields whose content, however deep, is a secret or may be one: only its shape stays.
var emptied = map[string]bool{
	"data": true, "stringData": true, "binaryData": true, "headers": true, "withoutHeaders": true, "queryParams": true,
	"requestHeaderModifier": true, "responseHeaderModifier": true, "env": true, "envFrom": true, "args": true, "command": true, "parameters": true,
	"body": true, "payload": true, "directResponse": true, "annotations": true, "managedFields": true, "variables": true, "context": true,
}

// named are what stays in what is emptied: it says which header, and is none.
var named = map[string]bool{"name": true, "type": true}

// sensitive is a field by whose name its value is a secret.
var sensitive = regexp.MustCompile(`(?i)pass|token|cookie|authorization|credential|private|secret|apikey|api_key|api-key|webhook|signature`)

// Object is a copy of JSON without what is or may be a secret.
func Object(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, inner := range v {
			if emptied[key] || sensitive.MatchString(key) {
				out[key] = empty(inner)
			} else {
				out[key] = Object(inner)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = Object(inner)
		}
		return out
	case string:
		return Text(v)
	}
	return value
}

// empty keeps the shape alone.
func empty(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, inner := range v {
			if text, ok := inner.(string); ok && named[key] {
				out[key] = Text(text)
			} else {
				out[key] = empty(inner)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = empty(inner)
		}
		return out
	case nil, bool:
		return value
	}
	return Redacted
}

// forms are secrets that are known by how they look, or by what stands before them.
var forms = []struct {
	form *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`-----BEGIN [^-]+-----[\s\S]*?(-----END [^-]+-----|$)`), Redacted},
	{regexp.MustCompile(`eyJ[\w-]{5,}\.[\w-]+\.[\w-]*`), Redacted},
	{regexp.MustCompile(`weft_[0-9a-f]{8,}[.\w-]*`), Redacted},
	{regexp.MustCompile(`(?i)\b(bearer|basic|token)\s+[\w.~+/=-]{6,}`), "$1 " + Redacted},
	{regexp.MustCompile(`(?i)((?:pass\w*|pwd|secret\w*|token|api[_-]?key|access[_-]?key\w*|authorization|set-cookie|cookie|credentials?|signature)["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\n]+?(?:[,}\n]|$)|[^\s,}]+)`), "${1}" + Redacted},
	{regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s]+@`), "${1}" + Redacted + "@"},
	{regexp.MustCompile(`((?:https?://|\s/|"/|=/)[^\s?"']*)\?[^\s"']+`), "${1}?" + Redacted},
	{regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_\w{20,}\b|\bxox[abpr]-[\w-]{10,}\b|hooks\.slack\.com/services/\S+`), Redacted},
}

// Text is a text without what looks like a secret.
func Text(text string) string {
	for _, f := range forms {
		text = f.form.ReplaceAllString(text, f.with)
	}
	return strings.ToValidUTF8(text, "")
}
