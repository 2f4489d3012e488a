package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Fault is one thing that is wrong with a chain.
type Fault struct {
	Line int    `json:"line"` // over all files, from 1 on
	Seq  int64  `json:"seq"`  // of the entry
	What string `json:"what"` // Changed, Missing, Reordered or Unreadable
	Text string `json:"text"` // one sentence
}

const (
	Changed    = "Changed"
	Missing    = "Missing"
	Reordered  = "Reordered"
	Unreadable = "Unreadable"
)

// Read reads a chain, and says what is wrong with it. The error is of reading. An unfinished last line
// is no entry and no fault: the server died as it wrote it, and what it tells was not let through.
//
// That a chain does not begin with its first entry is none where it tells that those before were deleted, as a Log does.
func Read(r io.Reader) ([]Entry, []Fault, error) {
	entries, faults, err := read(r)
	return entries, begins(entries, faults), err
}

func read(r io.Reader) (entries []Entry, faults []Fault, err error) {
	in := bufio.NewReader(r)
	last := Entry{}
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return entries, faults, nil
		}
		if err != nil {
			return entries, faults, err
		}
		e, readable := parse(text)
		if !readable {
			faults = append(faults, Fault{line, last.Seq + 1, Unreadable, fmt.Sprintf("line %d, after entry %d, is no entry", line, last.Seq)})
			continue
		}
		if f := follows(last, e); f.What != "" {
			f.Line, f.Seq = line, e.Seq
			faults = append(faults, f)
		}
		entries, last = append(entries, e), e
	}
}

// parse reads a line. Fields that an entry has not would be in no hash.
func parse(text []byte) (e Entry, ok bool) {
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	return e, in.Decode(&e) == nil && e.Seq > 0 && !in.More()
}

// follows says what is wrong with an entry after another one; the zero Fault: nothing.
func follows(last, e Entry) Fault {
	switch {
	case e.Hash != e.sum():
		return Fault{What: Changed, Text: fmt.Sprintf("entry %d was changed: it has another hash than it says", e.Seq)}
	case e.Seq <= last.Seq:
		return Fault{What: Reordered, Text: fmt.Sprintf("entry %d comes after entry %d", e.Seq, last.Seq)}
	case e.Seq > last.Seq+1:
		return Fault{What: Missing, Text: fmt.Sprintf("entries %d to %d are missing", last.Seq+1, e.Seq-1)}
	case e.Previous != last.Hash:
		return Fault{What: Changed, Text: fmt.Sprintf("entry %d was changed, with its hash: entry %d knows another one", last.Seq, e.Seq)}
	}
	return Fault{}
}
