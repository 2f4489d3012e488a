package compile

import (
	"regexp"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"weft.dev/model"
)

// headers are header changes in Envoy's form. host is set when the change
// renames the host: Envoy has another field for it and refuses it here.
type headers struct {
	add    []*corev3.HeaderValueOption
	remove []string
	host   string
}

func headerChange(c model.HeaderChange) headers {
	var out headers
	for _, h := range c.Set {
		if isHost(h.Name) {
			out.host = h.Value
			continue
		}
		out.put(h, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)
	}
	for _, h := range c.Add {
		out.put(h, corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD)
	}
	for _, name := range c.Remove {
		if validHeaderName(name) && !isHost(name) {
			out.remove = append(out.remove, strings.ToLower(name))
		}
	}
	return out
}

func (h *headers) put(header model.Header, how corev3.HeaderValueOption_HeaderAppendAction) {
	if !validHeaderName(header.Name) || isHost(header.Name) || !validHeaderValue(header.Value) {
		return
	}
	h.add = append(h.add, &corev3.HeaderValueOption{
		Header:         &corev3.HeaderValue{Key: header.Name, Value: header.Value},
		AppendAction:   how,
		KeepEmptyValue: true,
	})
}

// refusedHeaders are those of a change that no proxy would accept.
func refusedHeaders(c model.HeaderChange) []string {
	var bad []string
	for _, h := range append(append([]model.Header(nil), c.Set...), c.Add...) {
		if !isHost(h.Name) && !validHeaderName(h.Name) || !validHeaderValue(h.Value) {
			bad = append(bad, h.Name)
		}
	}
	for _, name := range c.Remove {
		if isHost(name) || !validHeaderName(name) {
			bad = append(bad, name)
		}
	}
	return bad
}

func isHost(name string) bool {
	return strings.EqualFold(name, "host") || name == ":authority"
}

func validHeaderName(name string) bool {
	const special = "!#$%&'*+-.^_`|~"
	for i := range len(name) {
		c := name[i] | 0x20
		if !(c >= 'a' && c <= 'z') && !(name[i] >= '0' && name[i] <= '9') && strings.IndexByte(special, name[i]) < 0 {
			return false
		}
	}
	return name != ""
}

// validHeaderValue says whether Envoy takes the value, which is in its format
// language: one unknown command, and it refuses the whole table.
func validHeaderValue(value string) bool {
	if strings.ContainsAny(value, "\r\n\x00") {
		return false
	}
	rest := commands.ReplaceAllString(strings.ReplaceAll(value, "%%", ""), "")
	return !strings.Contains(rest, "%")
}

// commands are those of Envoy's format language that a header value may use.
var commands = regexp.MustCompile(`%(?:(?:REQ|RESP)\([A-Za-z0-9:_.?-]+\)(?::\d{1,4})?|` +
	`(?:START_TIME|PROTOCOL|HOSTNAME|STREAM_ID|TRACE_ID|ROUTE_NAME|RESPONSE_CODE|RESPONSE_FLAGS|REQUESTED_SERVER_NAME|UPSTREAM_HOST|UPSTREAM_CLUSTER|` +
	`DOWNSTREAM_(?:REMOTE|DIRECT_REMOTE|LOCAL)_ADDRESS(?:_WITHOUT_PORT)?|DOWNSTREAM_LOCAL_PORT|` +
	`DOWNSTREAM_(?:PEER|LOCAL)_(?:URI_SAN|SUBJECT)|DOWNSTREAM_TLS_(?:VERSION|CIPHER)))%`)
