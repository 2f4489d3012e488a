package mass

import (
	"fmt"
	"slices"
	"strings"

	"weft.dev/flow"
	"weft.dev/model"
)

// ListKind is the kind of the object of a List's problem; its name is the List's origin.
const ListKind = "List"

// maxNamed is how many of the rows that are held are named.
const maxNamed = 3

// List is what an API server lists of one kind, as rows. A change that it tells is
// believed. Of a whole list that has too few rows, the lack is not: a server that was
// restored from an old copy, or a cache before one, gives such lists. What is held
// ends once as many rows are there as before: a rolling update replaces all of them.
// The methods are for stages of commits.
type List[R flow.Row[R]] struct {
	Rows     *flow.Source[R]
	Problems *flow.Source[model.Problem]
	Origin   string         // of the rows
	Place    func(R) string // what only one row has: a new one ends one that is held; nil: none

	held   map[string]struct{} // keys of rows that the server does not have
	places map[string]string   // that they had -> key
	was    int                 // rows that there were before
	here   int                 // rows that the server has; kept while some are held
	said   model.Problem       // zero: nothing is held
}

func (l *List[R]) holds() bool { return l.said != (model.Problem{}) }

// Replace takes a whole list.
func (l *List[R]) Replace(tx *flow.Tx, all []R) {
	missing, had := l.Rows.Missing(tx, l.Origin, all)
	l.here = len(all)
	if !l.holds() {
		l.was = had
	}
	if len(missing) > 0 && l.doubts() {
		l.hold(tx, missing)
	} else {
		l.letGo(tx)
		for _, key := range missing {
			l.Rows.Delete(tx, key)
		}
	}
	for _, row := range all {
		l.take(tx, row)
	}
	l.settle(tx)
}

// doubts says whether the list has too few rows. An empty one always has: whoever
// removes the last row says so, nearly always.
func (l *List[R]) doubts() bool {
	if l.holds() {
		return l.here < l.was
	}
	return l.here == 0 || TooMuch(l.was-l.here, l.was)
}

// Set takes a row that the server told of.
func (l *List[R]) Set(tx *flow.Tx, row R) {
	if l.holds() {
		_, held := l.held[row.Key()]
		if _, known := l.Rows.Staged(tx, row.Key()); held || !known {
			l.here++
		}
		delete(l.held, row.Key())
	}
	l.take(tx, row)
	l.settle(tx)
}

// Delete ends a row, as the server told. There may be none.
func (l *List[R]) Delete(tx *flow.Tx, key string) {
	_, held := l.held[key]
	if _, known := l.Rows.Staged(tx, key); known && !held {
		l.here--
	}
	delete(l.held, key)
	l.Rows.Delete(tx, key)
	l.settle(tx)
}

// take writes a row, which ends the one that is held in its place.
func (l *List[R]) take(tx *flow.Tx, row R) {
	l.Rows.SetFrom(tx, l.Origin, row)
	if len(l.places) == 0 {
		return
	}
	key, found := l.places[l.Place(row)]
	if _, held := l.held[key]; found && held {
		delete(l.held, key)
		l.Rows.Delete(tx, key)
	}
}

// hold keeps rows that a list lacks.
func (l *List[R]) hold(tx *flow.Tx, missing []string) {
	l.held, l.places = make(map[string]struct{}, len(missing)), map[string]string{}
	for _, key := range missing {
		l.held[key] = struct{}{}
		if row, ok := l.Rows.Staged(tx, key); ok && l.Place != nil {
			l.places[l.Place(row)] = key
		}
	}
	slices.Sort(missing)
	names := strings.Join(missing[:min(len(missing), maxNamed)], ", ")
	if len(missing) > maxNamed {
		names += " and others"
	}
	l.say(tx, model.Problem{Object: model.Key{Kind: ListKind, Name: l.Origin}, Code: model.ProblemHeld, Message: fmt.Sprintf(
		"the API server lists %d and had %d, and deleted none of %s: they stay in effect until it has %d again; if they are meant to be gone, restart all servers of weft",
		l.here, l.was, names, l.was)})
}

// settle ends the rows that are held once nothing is missed.
func (l *List[R]) settle(tx *flow.Tx) {
	if l.holds() && (len(l.held) == 0 || !l.doubts()) {
		for key := range l.held {
			l.Rows.Delete(tx, key)
		}
		l.letGo(tx)
	}
}

func (l *List[R]) letGo(tx *flow.Tx) {
	l.held, l.places = nil, nil
	l.say(tx, model.Problem{})
}

// say makes a problem the only one of the list; zero: none.
func (l *List[R]) say(tx *flow.Tx, p model.Problem) {
	if l.holds() {
		l.Problems.Delete(tx, l.said.Key())
	}
	if l.said = p; l.holds() {
		l.Problems.SetFrom(tx, l.Origin, p)
	}
}
