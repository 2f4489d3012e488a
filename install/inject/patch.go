package inject

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Operation is one of a JSON patch (RFC 6902).
type Operation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value,omitempty"`
}

// patch is what is changed, in order.
type patch struct {
	operations []Operation
	err        error
}

func (p *patch) do(op, path string, value any) {
	text, err := json.Marshal(value)
	if err != nil && p.err == nil {
		p.err = err
	}
	p.operations = append(p.operations, Operation{op, path, text})
}

func (p *patch) remove(path string) {
	p.operations = append(p.operations, Operation{Op: "remove", Path: path})
}

// insert puts values before all others of a list, which there may be none of yet.
func (p *patch) insert(path string, none bool, values ...any) {
	if none {
		p.do("add", path, values)
		return
	}
	for i, value := range values {
		p.do("add", path+"/"+strconv.Itoa(i), value)
	}
}

// entry sets a value of a map, which there may be none of yet.
func (p *patch) entry(path string, none bool, key, value string) {
	if none {
		p.do("add", path, map[string]string{key: value})
		return
	}
	p.do("add", path+"/"+pointer(key), value)
}

// pointer is a key as a part of a path (RFC 6901).
func pointer(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}
