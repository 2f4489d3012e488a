package folder

import (
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"weft.dev/model"
	"weft.dev/source/mass"
)

// A folder may be a mount that is gone, or written by a program that lost its own
// source. What is missing then is held: its rows stay, and a problem says so, until
// it is back or somebody says that it is meant.

const (
	// allowFile in the folder has the tokens of what is let through.
	allowFile = ".weft-allow-removals"
	// maxAllowBytes is how much of it is read.
	maxAllowBytes = 64 << 10
	// holdInterval is how often it is read while something is held.
	holdInterval = time.Second
	// maxNamed is how many of the objects that are held are named.
	maxNamed = 3
)

// held is what is held back. A token is of one removal, and of no other: what
// was let through once does not let through the next accident.
type held struct {
	missing  model.Problem // of objects that are gone; zero: none
	since    time.Time
	shrunk   map[string]string // files with objects that lost their endpoints -> token
	remedy   func(token string) string
	reviewed bool // whatever is read was meant, unless nothing is left
}

func (h *held) any() bool { return h.missing != (model.Problem{}) || len(h.shrunk) > 0 }

// writeToken is the remedy in a folder that people can write to.
func writeToken(file string) func(string) string {
	return func(token string) string { return "if that is meant, write " + token + " into " + file }
}

func tokenOf(since time.Time, what ...string) string {
	sum := fnv.New32a()
	fmt.Fprint(sum, since.UnixNano(), what)
	return fmt.Sprintf("%08x", sum.Sum32())
}

// remove ends what has left, unless it is held.
func (s *Source) remove(now time.Time) {
	var tokens []string
	if s.state.held.any() {
		tokens = s.tokens()
	}
	s.read(s.state.forget(tokens))
	switch by := now.Add(-removalGrace); {
	case slices.Contains(tokens, s.state.token()):
		s.state.remove(by)
		s.state.guard(now)
	case !s.state.guard(now):
		s.state.remove(by)
	}
	s.commit()
}

// tokens are those that somebody wrote.
func (s *Source) tokens() []string {
	file, err := os.Open(s.tree.name(allowFile))
	if err != nil {
		return nil
	}
	defer file.Close()
	text, _ := io.ReadAll(io.LimitReader(file, maxAllowBytes)) // what cannot be read allows nothing
	return strings.Fields(string(text))
}

// forget has files be read once more, as if nothing in them had shrunk.
func (s *state) forget(tokens []string) (again []string) {
	for path, token := range s.held.shrunk {
		if !slices.Contains(tokens, token) {
			continue
		}
		f := s.files[path]
		f.sum = 0
		for key, at := range f.places {
			f.places[key] = spot{at.where, 0}
		}
		again = append(again, path)
	}
	return again
}

// token lets through what is missing; empty: nothing is held.
func (s *state) token() string {
	if s.held.missing == (model.Problem{}) {
		return ""
	}
	return tokenOf(s.held.since, s.gone()...)
}

// guard holds what has left if it is too much, and until all of it is back.
func (s *state) guard(now time.Time) (holds bool) {
	h := &s.held
	held := h.missing != (model.Problem{})
	gone, all := s.gone(), len(s.claims)
	holds = len(gone) > 0 && (held || mass.TooMuch(len(gone), all))
	if h.reviewed {
		holds = len(gone) > 0 && len(gone) == all
	}
	var p model.Problem
	if holds {
		if !held {
			h.since = now
		}
		p = model.Problem{Object: model.Key{Kind: fileKind, Name: "."}, Code: model.ProblemHeld, Message: fmt.Sprintf(
			"%d of %d objects are gone at once, %s: they stay in effect; %s", len(gone), all, named(gone), h.remedy(tokenOf(h.since, gone...)))}
	}
	if held && p != h.missing {
		s.solve(h.missing)
	}
	if holds && p != h.missing {
		s.out.found = append(s.out.found, p)
	}
	h.missing = p
	return holds
}

// gone are the keys of objects that no file has any more, sorted.
func (s *state) gone() []string {
	keys := map[string]struct{}{}
	for c := range s.leaving {
		if !slices.ContainsFunc(s.claims[c.key], func(path string) bool {
			_, leaves := s.leaving[claim{path, c.key}]
			return !leaves
		}) {
			keys[c.key] = struct{}{}
		}
	}
	return model.SortedKeys(keys)
}

func named(keys []string) string {
	text := strings.Join(keys[:min(len(keys), maxNamed)], ", ")
	if len(keys) > maxNamed {
		text += " and others"
	}
	return text
}

// doubt leaves objects as they were that lost all or too many of their endpoints.
func (s *state) doubt(r *reading, f *file, now time.Time) {
	delete(s.held.shrunk, r.path)
	if s.held.reviewed {
		return
	}
	sound := 0
	for i, o := range r.objects {
		was, is := f.places[o.Key()].endpoints, o.Endpoints()
		if was == 0 || is > 0 && !mass.TooMuch(was-is, was) {
			r.objects[sound], r.places[sound] = o, r.places[i]
			sound++
			continue
		}
		token := tokenOf(now, r.path)
		s.held.shrunk[r.path] = token
		r.unsound = append(r.unsound, o.Key())
		r.problems = append(r.problems, model.Problem{
			Object: model.Key{Kind: string(o.Kind), Namespace: o.Namespace, Name: o.Name}, Code: model.ProblemHeld,
			Message: fmt.Sprintf("%s: has %d endpoints and had %d: it stays in effect as it was; %s", r.places[i], is, was, s.held.remedy(token)),
		})
	}
	r.objects, r.places = r.objects[:sound], r.places[:sound]
}
