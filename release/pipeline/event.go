package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"weft.dev/api/v1alpha1"
)

// What is in an event's data, by its kind. That of StageNote is the stage's memory as it is.
type (
	runEnded struct {
		Phase v1alpha1.RunPhase `json:"phase"`
	}
	stageEnding struct {
		As StagePhase `json:"as"`
	}
	stageEnded struct {
		Phase   StagePhase                 `json:"phase"`
		Outputs map[string]json.RawMessage `json:"outputs,omitempty"`
	}
	// decided is in Judged and RunCancelled.
	decided struct {
		Decision string `json:"decision,omitempty"`
		Verb     string `json:"verb,omitempty"`
		By       string `json:"by,omitempty"`
		Choice   string `json:"choice,omitempty"`
	}
	actionIntended struct {
		Kind string `json:"kind"`
		Safe bool   `json:"safe,omitempty"`
	}
	actionDone struct {
		OK   bool            `json:"ok"`
		Data json.RawMessage `json:"data,omitempty"`
	}
)

// data is an event's; v is one of the above.
func data(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("pipeline: %+v: %v", v, err)) // raw JSON was parsed before, all else is plain
	}
	return raw
}

// OutputsOf are those of the stage that ended, by the data of that event.
func OutputsOf(data json.RawMessage) (map[string]json.RawMessage, error) {
	var ended stageEnded
	err := json.Unmarshal(data, &ended)
	return ended.Outputs, err
}

// cut shortens text to what an event may have, and says so.
func cut(text string) string {
	const more = "..."
	if len(text) <= MaxText {
		return text
	}
	end := MaxText - len(more)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}

// moment is as fine as what is stored, so that the fold of stored events is the same.
func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Later is the later one.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// tidy writes an object as it comes back from storage, so that the same one compares equal.
func tidy(raw json.RawMessage) (json.RawMessage, error) {
	in := json.NewDecoder(bytes.NewReader(raw))
	in.UseNumber() // a count stays what it is
	var o map[string]any
	if err := in.Decode(&o); err != nil || o == nil {
		return nil, fmt.Errorf("%s is no JSON object", cut(string(raw)))
	}
	return json.Marshal(o)
}
