package spinnaker

import (
	"fmt"
	"slices"
	"strings"
)

// Code is what became of one thing.
type Code string

const (
	Exact   Code = "Exact"   // it does here what it did there
	Changed Code = "Changed" // it is here, and differs as Text says
	Kept    Code = "Kept"    // untouched for the export; it does nothing here, and a stage fails
	Ignored Code = "Ignored" // it means nothing here; kept for the export, too
	Missing Code = "Missing" // it names something that is not there
)

// Item is one thing that the import found.
type Item struct {
	File     string `json:"file"`
	Pipeline string `json:"pipeline,omitempty"` // as Spinnaker names it
	Stage    string `json:"stage,omitempty"`    // as Spinnaker names it
	Type     string `json:"type,omitempty"`     // of the stage
	Path     string `json:"path,omitempty"`     // of the field, from the stage or the pipeline; empty: the whole
	Code     Code   `json:"code"`
	Text     string `json:"text"`
}

// Report is what became of everything, in the order of the files.
type Report struct {
	Items []Item `json:"items"`
}

// Coverage counts stages by what became of them.
type Coverage struct {
	Stages  int      `json:"stages"`
	Exact   int      `json:"exact"`
	Changed int      `json:"changed"`
	Kept    int      `json:"kept"`
	Types   []string `json:"types,omitempty"` // those of the stages kept, with counts: "deployManifest 3"
}

// Coverage sums the report up.
func (r Report) Coverage() Coverage {
	var c Coverage
	kept := map[string]int{}
	for _, item := range r.Items {
		if item.Type == "" || item.Path != "" {
			continue
		}
		c.Stages++
		switch item.Code {
		case Exact:
			c.Exact++
		case Changed:
			c.Changed++
		default:
			c.Kept++
			kept[item.Type]++
		}
	}
	for name, count := range kept {
		c.Types = append(c.Types, fmt.Sprintf("%s %d", name, count))
	}
	slices.Sort(c.Types)
	return c
}

// String is the sentence that people read.
func (c Coverage) String() string {
	text := fmt.Sprintf("%d stages: %d exact, %d changed, %d kept", c.Stages, c.Exact, c.Changed, c.Kept)
	if len(c.Types) > 0 {
		text += " (" + strings.Join(c.Types, ", ") + ")"
	}
	return text
}
