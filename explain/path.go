package explain

import (
	"fmt"
	"strings"
)

// normal is the path as a proxy of the mesh reads it, and its query with the question mark. ok is
// false if the proxy refuses it, because two readers would read it differently.
func normal(path string, guarded bool) (normal, query string, ok bool) {
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path, query = path[:i], path[i:]
	}
	lower := strings.ToLower(path)
	if guarded && (strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c")) || strings.Contains(lower, "%00") || strings.Contains(path, "#") {
		return "", "", false
	}
	path = removeDots(plain(bareDots(path)))
	if guarded {
		path = mergeSlashes(path)
	}
	return path, query, true
}

// bareDots has "." and ".." where parameters follow them: only as they stand there, and not if a dot is escaped.
func bareDots(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if dots, _, ok := strings.Cut(part, ";"); ok && (dots == "." || dots == "..") {
			parts[i] = dots
		}
	}
	return strings.Join(parts, "/")
}

// odd are the characters that are escaped.
const odd = "\"<>^`{|}"

// plain has each character in the one form that it needs: %XX stands only for what must be escaped.
func plain(path string) string {
	var out []byte
	stray := -1 // where in out the last % is that begins no escape
	for i := 0; i < len(path); i++ {
		c := path[i]
		escaped, whole := escape(path[i:])
		switch {
		case c == '\\':
			out = append(out, '/')
		case strings.IndexByte(odd, c) >= 0:
			out = fmt.Appendf(out, "%%%02X", c)
		case c != '%':
			out = append(out, c)
		case !whole:
			stray = len(out)
			out = append(out, '%')
		case !unreserved(escaped):
			out = append(out, path[i:i+3]...)
			i += 2
		default:
			out = append(out, escaped)
			i += 2
			if stray >= 0 && escaped != '.' {
				out = unnested(out, stray, path[i+1:])
			}
		}
	}
	return string(out)
}

// unnested escapes a % that would begin an escape now that what follows it was read.
func unnested(out []byte, stray int, rest string) []byte {
	after := string(out[stray:])
	if len(after) == 2 && rest != "" {
		after += rest[:1]
	}
	if _, whole := escape(after); !whole || len(after) != 3 {
		return out
	}
	return append(append(out[:stray:stray], "%25"...), out[stray+1:]...)
}

// escape is what the %XX stands for with which the text begins.
func escape(text string) (c byte, ok bool) {
	if len(text) < 3 || text[0] != '%' {
		return 0, false
	}
	hi, lo := hexDigit(text[1]), hexDigit(text[2])
	return byte(hi<<4 | lo), hi >= 0 && lo >= 0
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

func unreserved(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// removeDots resolves . and .. .
func removeDots(path string) string {
	var out []string
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, part := range parts {
		switch {
		case part == ".." && len(out) > 0:
			out = out[:len(out)-1]
			fallthrough
		case part == ".." || part == ".":
			if i == len(parts)-1 {
				out = append(out, "")
			}
		default:
			out = append(out, part)
		}
	}
	return "/" + strings.Join(out, "/")
}

// mergeSlashes leaves one of several, and both of a path that has nothing else.
func mergeSlashes(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	end := ""
	if strings.HasSuffix(path, "/") {
		end = "/"
	}
	return "/" + strings.Join(strings.FieldsFunc(path, func(c rune) bool { return c == '/' }), "/") + end
}
