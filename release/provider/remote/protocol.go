// Package remote speaks to a provider of instances that is a program of its own, by
// the protocol weft.Provider: docs/guides/providers.md says it to those who write one.
//
// Input: the program's address, and instances.Actions. Output: calls of it. It must
// not know what the program runs, nor where.
package remote

import (
	"encoding/json"
	"fmt"

	"weft.dev/release/instances"
)

// Service and its calls, of gRPC, with messages that are JSON (content-subtype json).
const (
	Service  = "weft.Provider"
	describe = "/" + Service + "/Describe"
	observe  = "/" + Service + "/Observe"
	do       = "/" + Service + "/Do"
)

// Protocol is the version of the protocol that is spoken here.
const Protocol = 1

// maxMessage is the size above which a message is not taken, bytes: manifests are of 16 MiB at most.
const maxMessage = 32 << 20

// Description is what a provider says of itself: the answer of Describe, whose request is empty.
type Description struct {
	Protocol int    `json:"protocol"`
	Name     string `json:"name,omitempty"` // for people
}

// Question is the request of Observe.
type Question struct {
	Target instances.Target `json:"target"`
}

// Answer is that of Observe: by version.
type Answer struct {
	Versions map[string]instances.Seen `json:"versions"`
}

// The request of Do is an instances.Action, and its answer is empty.
type nothing struct{}

// codec carries the messages.
type codec struct{}

func (codec) Name() string                  { return "json" }
func (codec) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

func (codec) Unmarshal(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("its answer is not the JSON of %s: %w", Service, err)
	}
	return nil
}
