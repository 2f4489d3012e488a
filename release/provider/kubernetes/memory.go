package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"

	"weft.dev/release/instances"
)

// memory is what weft knows of a workload, in its annotation.
type memory struct {
	instances.Fence
	// Going is the release that goes on; nil: all is as the team wants it.
	Going *going `json:"going,omitempty"`
	// Images of versions that have no instance now, and can be started again.
	Images map[string]string `json:"images,omitempty"`
	// Objects of a version's own manifests, as apiVersion/kind/name.
	Objects []string `json:"objects,omitempty"`
}

// going is two versions of one workload.
type going struct {
	Old   build `json:"old"`
	New   build `json:"new"`
	IsOld int   `json:"isOld"` // instances that the old version was told to have
	IsNew int   `json:"isNew"`
	// Team is the fields of spec that weft holds meanwhile, as the team had them.
	Team map[string]any `json:"team"`
}

// build is a version of a template.
type build struct {
	Version   string `json:"version,omitempty"`
	Labelled  bool   `json:"labelled,omitempty"` // the label that weft sets was there
	Container string `json:"container"`
	Image     string `json:"image"`
}

// remembered is what weft noted about an object.
func remembered(annotations map[string]string) (m memory, err error) {
	text, ok := annotations[MemoryAnnotation]
	if !ok {
		return m, nil
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, fmt.Errorf("%w: its annotation %s is not weft's: %w; remove it", instances.ErrRefused, MemoryAnnotation, err)
	}
	return m, nil
}

func (m memory) String() string {
	text, err := json.Marshal(m)
	if err != nil {
		panic("kubernetes: a memory that is no JSON: " + err.Error()) // it was made of JSON
	}
	return string(text)
}

// done is the memory after an action.
func (m memory) done(a instances.Action) memory {
	m.Fence = instances.Fence{Seq: a.Seq, ID: a.ID}
	m.Images = maps.Clone(m.Images)
	return m
}

// idle is the memory with a version that can be started again.
func (m memory) idle(b build) memory {
	if m.Images == nil {
		m.Images = map[string]string{}
	}
	m.Images[b.Version] = b.Image
	return m
}
