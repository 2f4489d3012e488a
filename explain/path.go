package explain

import "strings"

// normal is the path without its query as a proxy of the mesh reads it. ok is
// false if the proxy refuses it, because two readers would read it differently.
func normal(path string, guarded bool) (normal, query string, ok bool) {
	path, query, _ = strings.Cut(path, "?")
	lower := strings.ToLower(path)
	if guarded && (strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c")) || strings.Contains(lower, "%00") || strings.Contains(path, "#") {
		return "", "", false
	}
	path = strings.ReplaceAll(decodeUnreserved(path), `\`, "/")
	return removeDots(path, guarded), query, true
}

// decodeUnreserved replaces %XX where it stands for a character that needs none.
func decodeUnreserved(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			hi, lo := hexDigit(path[i+1]), hexDigit(path[i+2])
			if c := byte(hi<<4 | lo); hi >= 0 && lo >= 0 && unreserved(c) {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
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

// removeDots resolves . and .., and merges slashes where the proxy does.
func removeDots(path string, merge bool) string {
	var out []string
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, part := range parts {
		last := i == len(parts)-1
		switch {
		case part == ".." && len(out) > 0:
			out = out[:len(out)-1]
			fallthrough
		case part == ".." || part == ".":
			if last {
				out = append(out, "")
			}
		case part == "" && merge && !last:
		default:
			out = append(out, part)
		}
	}
	return "/" + strings.Join(out, "/")
}
