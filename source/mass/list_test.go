package mass

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weft.dev/flow"
	"weft.dev/model"
)

// row is "name@place".
type row string

func (r row) Key() string      { return strings.Split(string(r), "@")[0] }
func (r row) Equal(o row) bool { return r == o }

func (r row) place() string { return strings.Split(string(r), "@")[1] }

// rows are those named prefix and a number, from first to before end.
func rows(prefix string, first, end int) (all []row) {
	for i := first; i < end; i++ {
		all = append(all, row(fmt.Sprintf("%s%d@%s%d", prefix, i, prefix, i)))
	}
	return all
}

// server plays an API server to a list.
type server struct {
	t    *testing.T
	g    *flow.Graph
	list *List[row]
}

func newServer(t *testing.T) *server {
	g := flow.New(flow.Options{})
	return &server{t, g, &List[row]{
		Rows: flow.NewSource[row](g, "rows"), Problems: flow.NewSource[model.Problem](g, "held"), Origin: "pods", Place: row.place,
	}}
}

func (s *server) lists(all ...[]row) {
	s.g.Commit(func(tx *flow.Tx) { s.list.Replace(tx, slices.Concat(all...)) })
}

func (s *server) sets(all ...row) {
	s.g.Commit(func(tx *flow.Tx) {
		for _, r := range all {
			s.list.Set(tx, r)
		}
	})
}

func (s *server) deletes(keys ...string) {
	s.g.Commit(func(tx *flow.Tx) {
		for _, key := range keys {
			s.list.Delete(tx, key)
		}
	})
}

// has checks the rows, and what the problem says; empty: there is none.
func (s *server) has(when, problem string, want ...[]row) {
	s.t.Helper()
	all := slices.Concat(want...)
	slices.Sort(all)
	if got := s.list.Rows.All(); !slices.Equal(got, all) {
		s.t.Errorf("%s: rows %v, want %v", when, got, all)
	}
	found := s.list.Problems.All()
	if problem == "" && len(found) == 0 || len(found) == 1 && problem != "" && strings.Contains(found[0].Message, problem) {
		return
	}
	s.t.Errorf("%s: problems %v, want %q", when, found, problem)
}

// What an API server deletes is gone, however much it is; what its list only lacks is not.
func TestListOfAServer(t *testing.T) {
	for name, test := range map[string]func(*server){
		"deleted": func(s *server) {
			s.deletes("a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9")
			s.has("all of them", "")
		},
		"empty, and all again": func(s *server) {
			s.lists()
			s.has("the empty list", "lists 0 and had 10, and deleted none of a0, a1, a2 and others", rows("a", 0, 10))
			s.lists()
			s.has("once more", "lists 0 and had 10", rows("a", 0, 10))
			s.lists(rows("a", 0, 8))
			s.has("most of them", "lists 8 and had 10, and deleted none of a8, a9:", rows("a", 0, 10))
			s.lists(rows("a", 0, 10))
			s.has("all of them", "", rows("a", 0, 10))
			s.lists(rows("a", 0, 8))
			s.has("two are missing", "", rows("a", 0, 8))
		},
		"one by one again": func(s *server) {
			s.lists(rows("a", 0, 2))
			s.sets(rows("a", 1, 9)...)
			s.has("all but one", "lists 2", rows("a", 0, 10))
			s.sets("a9@a9")
			s.has("the last one", "", rows("a", 0, 10))
		},
		"replaced": func(s *server) {
			s.lists(rows("b", 0, 10))
			s.has("a rolling update", "", rows("b", 0, 10))
		},
		"replaced while held": func(s *server) {
			s.lists(rows("b", 0, 2))
			s.has("eight too few", "lists 2 and had 10", rows("a", 0, 10), rows("b", 0, 2))
			s.sets(rows("b", 0, 9)...)
			s.deletes("b0")
			s.sets("b9@b9")
			s.has("nine are there", "lists 2", rows("a", 0, 10), rows("b", 1, 10))
			s.sets("c0@c0")
			s.has("ten are there", "", rows("b", 1, 10), rows("c", 0, 1))
		},
		"the place is another's": func(s *server) {
			s.lists([]row{"b0@a0", "b1@b1"})
			s.has("in the list", "lists 2", rows("a", 1, 10), []row{"b0@a0", "b1@b1"})
			s.sets("b1@a1")
			s.has("later", "lists 2", rows("a", 2, 10), []row{"b0@a0", "b1@a1"})
		},
		"deleted while held": func(s *server) {
			s.lists(rows("a", 0, 1))
			s.deletes("a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8")
			s.has("all but one", "lists 1", rows("a", 9, 10))
			s.deletes("a9")
			s.has("all", "")
		},
		"the last one": func(s *server) {
			s.lists(rows("a", 0, 10), rows("b", 0, 1))
			s.deletes("a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9")
			s.lists()
			s.has("of one", "lists 0 and had 1", rows("b", 0, 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.lists(rows("a", 0, 10))
			s.has("at first", "", rows("a", 0, 10))
			test(s)
		})
	}
}

// What there never was is not missed.
func TestListIsEmptyAtFirst(t *testing.T) {
	s := newServer(t)
	s.lists()
	s.has("at first", "")
	s.lists(rows("a", 0, 3))
	s.has("three", "", rows("a", 0, 3))
}
