package expr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// plain is a value as JSON has it: nil, bool, int64, uint64, float64, string,
// []any or map[string]any. A time is RFC 3339, a duration is such as 1h30m0s.
func plain(v ref.Val) (any, error) {
	if weight(v) > maxDeep {
		return nil, errDeep
	}
	return plainPart(v)
}

func plainPart(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return int64(v), nil
	case types.Uint:
		return uint64(v), nil
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, errors.New("a number is not finite")
		}
		return float64(v), nil
	case types.String:
		return string(v), nil
	case types.Timestamp:
		return v.Format(time.RFC3339Nano), nil
	case types.Duration:
		return v.String(), nil
	case traits.Mapper:
		return plainMap(v)
	case traits.Lister:
		return plainList(v)
	case types.Bytes:
		return nil, errors.New("bytes are no text: use string() or base64.encode()")
	}
	return nil, fmt.Errorf("a %s is no value", v.Type())
}

func plainMap(m traits.Mapper) (any, error) {
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("a key of a map is a %s: use string()", key.Type())
		}
		v, err := plainPart(m.Get(key))
		if err != nil {
			return nil, err
		}
		out[string(name)] = v
	}
	return out, nil
}

func plainList(l traits.Lister) (any, error) {
	out := []any{}
	for it := l.Iterator(); it.HasNext() == types.True; {
		v, err := plainPart(it.Next())
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// written is a plain value within text: lists and maps are JSON, a whole number has no point.
func written(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", errors.New("it gives null: choose what to write then, as in has(x.y) ? x.y : \"none\"")
	case string:
		return v, nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	}
	return encodeJSON(v)
}

// encodeJSON leaves <, > and & as they are: nothing of it goes into a page of HTML.
func encodeJSON(v any) (string, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}
