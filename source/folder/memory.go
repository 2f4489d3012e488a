package folder

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"weft.dev/source/mass"
)

// remembered is what the next process knows of the folder. It begins with what it
// finds, and would take an empty mount for an empty mesh.
type remembered struct {
	Dir     string `json:"dir"`
	Objects int    `json:"objects"`
}

const memoryFile = "folder.json"

// Memory keeps small files. Write has reached the disk when it returns.
type Memory interface {
	Read(name string) ([]byte, error)
	Write(name string, data []byte) error
}

// Remember has the source know, in its next process, how many objects there were:
// a folder that lost too many of them meanwhile is not served.
func (s *Source) Remember(in Memory) { s.memory = in }

// recall is how many objects there were; 0: nobody knows.
func (s *Source) recall() int {
	if s.memory == nil {
		return 0
	}
	text, err := s.memory.Read(memoryFile)
	var m remembered
	if err != nil || json.Unmarshal(text, &m) != nil || m.Dir != s.tree.dir {
		return 0 // the first start, or of another folder
	}
	return m.Objects
}

// keep writes how many objects are served.
func (s *Source) keep() {
	now := remembered{s.tree.dir, len(s.state.claims)}
	if s.memory == nil || s.kept == now {
		return
	}
	text, err := json.Marshal(now)
	if err == nil {
		err = s.memory.Write(memoryFile, text)
	}
	if err != nil {
		s.log.Warn("if the folder is empty at the next start, nobody will notice", "why", err)
		return
	}
	s.kept = now
}

// await waits while the folder lacks too much of what was served before, until all
// of it is back or somebody says that it is meant.
func (s *Source) await(ctx context.Context) error {
	before, token, said := s.recall(), tokenOf(time.Now()), -1
	if !mass.TooMuch(before-len(s.state.claims), before) {
		return nil
	}
	for len(s.state.claims) < before && !slices.Contains(s.tokens(), token) {
		if all := len(s.state.claims); said != all {
			s.log.Warn("nothing is served: agents and proxies go on with what they have", "why", fmt.Sprintf(
				"the folder %s has %d objects and had %d when it was served last; %s", s.tree.dir, all, before, s.state.held.remedy(token)))
			said = all
		}
		select {
		case <-time.After(holdInterval):
			s.compare(".")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
