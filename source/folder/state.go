package folder

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"weft.dev/api"
	"weft.dev/model"
)

// state is what is known of the folder, without the objects themselves: those
// are rows. It is told what was read and says what that changes.
type state struct {
	files   map[string]*file
	bytes   int64
	claims  map[string][]string      // key of an object -> paths that have it, sorted
	owners  map[string]string        // key of an object -> the path that its row is from
	leaving map[claim]time.Time      // objects that are gone from their files, and since when
	folders map[string]model.Problem // of folders that cannot be read
	shown   map[string][]string      // key of an object -> keys of the problems that its claims have with each other
	held    held

	// Since the last time that it was settled:
	dirty map[string]struct{} // keys of objects that are to be decided anew
	fresh map[claim]api.Object
	again map[string]struct{} // paths that are to be read once more: an object of theirs takes over
	out   delta
}

// claim is an object in a file.
type claim struct{ path, key string }

// file is the last that was good of a file, and what is wrong with it now.
type file struct {
	stamp    stamp
	sum      uint64
	places   map[string]spot // key of an object -> what was good of it
	problems []model.Problem
	imports  map[string]uint64 // what a program imported when it was read: sums by path
}

// spot is where an object stands, and how many endpoints it has there.
type spot struct {
	where     string
	endpoints int
}

// delta is what changes.
type delta struct {
	set    []api.Object
	gone   []string
	found  []model.Problem
	solved []string
}

func newState(remedy func(token string) string) state {
	return state{
		files: map[string]*file{}, claims: map[string][]string{}, leaving: map[claim]time.Time{},
		folders: map[string]model.Problem{}, shown: map[string][]string{}, dirty: map[string]struct{}{},
		owners: map[string]string{}, fresh: map[claim]api.Object{}, again: map[string]struct{}{},
		held: held{remedy: remedy, shrunk: map[string]string{}},
	}
}

func (s *state) sum(path string) uint64 {
	if f := s.files[path]; f != nil {
		return f.sum
	}
	return 0
}

// importers are the programs that were made with another content of these files.
func (s *state) importers(paths []string) (all []string) {
	for path, f := range s.files {
		if slices.ContainsFunc(paths, func(imported string) bool {
			sum, imports := f.imports[imported]
			return imports && sum != s.sum(imported)
		}) {
			all = append(all, path)
		}
	}
	slices.Sort(all)
	return all
}

// changed are the files below a path that are not as they were, sorted.
func (s *state) changed(below string, f *found) []string {
	var paths []string
	for path, is := range f.files {
		if was := s.files[path]; was == nil || was.stamp != is {
			paths = append(paths, path)
		}
	}
	for path := range s.files {
		if _, found := f.files[path]; !found && isBelow(path, below) && f.covers(path) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// admit leaves out new files that would be too many.
func (s *state) admit(paths []string) (admitted []string, refused int) {
	room := MaxFiles - len(s.files)
	for _, path := range paths {
		if s.files[path] == nil {
			if room--; room < 0 {
				refused++
				continue
			}
		}
		admitted = append(admitted, path)
	}
	return admitted, refused
}

// look takes in what is wrong with the folders below a path.
func (s *state) look(below string, faults map[string]error) {
	for dir, p := range s.folders {
		if isBelow(dir, below) {
			s.solve(p)
			delete(s.folders, dir)
		}
	}
	for dir, err := range faults {
		s.folders[dir] = model.Problem{
			Object: model.Key{Kind: fileKind, Name: dir}, Code: model.ProblemInvalid,
			Message: err.Error() + "; what was read before stays in effect until this is corrected",
		}
		s.out.found = append(s.out.found, s.folders[dir])
	}
}

// take takes in what was read of a file.
func (s *state) take(r reading, now time.Time) {
	f := s.files[r.path]
	if f == nil {
		if r.missing {
			return
		}
		f = &file{places: map[string]spot{}}
		s.files[r.path] = f
	}
	s.bytes -= f.stamp.size
	if s.bytes+r.stamp.size > MaxBytes {
		r.fail(fmt.Sprintf("%s: the files of the folder have more than %d bytes; remove some", r.path, MaxBytes))
		r.same, r.stamp, r.sum = false, stamp{}, 0 // every slow look tries it again
	}
	s.bytes += r.stamp.size
	f.stamp, f.sum = r.stamp, r.sum
	if r.same {
		return
	}
	s.doubt(&r, f, now)
	s.solve(f.problems...)
	f.problems, f.imports = r.problems, r.imports
	s.out.found = append(s.out.found, f.problems...)
	if !r.broken {
		s.replace(r, f, now)
	}
}

// replace makes what was read the objects of a file; those that are not in it any more begin to leave.
func (s *state) replace(r reading, f *file, now time.Time) {
	stays := map[string]bool{}
	for i, o := range r.objects {
		key := o.Key()
		stays[key] = true
		if _, had := f.places[key]; !had {
			s.claim(key, r.path)
		}
		f.places[key] = spot{r.places[i], o.Endpoints()}
		s.fresh[claim{r.path, key}] = o
		s.dirty[key] = struct{}{}
	}
	for _, key := range r.unsound {
		stays[key] = true // as it was, if it ever was good
	}
	for key := range f.places {
		c := claim{r.path, key}
		_, leaves := s.leaving[c]
		switch {
		case stays[key] && leaves:
			delete(s.leaving, c)
			s.dirty[key] = struct{}{}
		case !stays[key] && !leaves:
			s.leaving[c] = now
			s.dirty[key] = struct{}{}
		}
	}
	if r.missing && len(f.places) == 0 {
		delete(s.files, r.path)
	}
}

func (s *state) claim(key, path string) {
	paths := s.claims[key]
	i, _ := slices.BinarySearch(paths, path)
	s.claims[key] = slices.Insert(paths, i, path)
}

// nextRemoval is how long nothing is to be removed. What leaves together is
// decided together: a large folder takes a while to vanish.
func (s *state) nextRemoval(now time.Time) time.Duration {
	if s.held.any() {
		return holdInterval
	}
	var first, last time.Time
	for _, since := range s.leaving {
		if first.IsZero() || since.Before(first) {
			first = since
		}
		if since.After(last) {
			last = since
		}
	}
	if first.IsZero() {
		return rescanInterval
	}
	return max(0, min(last.Add(removalGrace).Sub(now), first.Add(maxRemovalGrace).Sub(now)))
}

// remove ends the claims of what has left for good: it was gone at a time.
func (s *state) remove(by time.Time) {
	for c, since := range s.leaving {
		if since.After(by) {
			continue
		}
		delete(s.leaving, c)
		s.dirty[c.key] = struct{}{}
		f := s.files[c.path]
		delete(f.places, c.key)
		if len(f.places) == 0 && f.stamp == (stamp{}) {
			delete(s.files, c.path)
		}
		s.claims[c.key] = slices.DeleteFunc(s.claims[c.key], func(path string) bool { return path == c.path })
		if len(s.claims[c.key]) == 0 {
			delete(s.claims, c.key)
		}
	}
}

// settle decides which file has each object, and returns all that changed and
// which files are to be read once more.
func (s *state) settle() (delta, []string) {
	for _, key := range slices.Sorted(maps.Keys(s.dirty)) {
		s.decide(key)
	}
	again := model.SortedKeys(s.again)
	out := s.out
	s.out, s.dirty, s.fresh, s.again = delta{}, map[string]struct{}{}, map[claim]api.Object{}, map[string]struct{}{}
	return out, again
}

// decide gives an object to the first path that has it. One that is about to
// leave keeps its row until it has left, or another path has it.
func (s *state) decide(key string) {
	s.out.solved = append(s.out.solved, s.shown[key]...)
	delete(s.shown, key)
	winner := ""
	for _, path := range s.claims[key] {
		if _, leaves := s.leaving[claim{path, key}]; leaves {
			continue
		}
		if winner == "" {
			winner = path
			continue
		}
		p := conflict(key, s.files[path].places[key].where, s.files[winner].places[key].where)
		s.out.found = append(s.out.found, p)
		s.shown[key] = append(s.shown[key], p.Key())
	}
	o, read := s.fresh[claim{winner, key}]
	switch {
	case read:
		s.out.set = append(s.out.set, o)
		s.owners[key] = winner
	case winner != "" && s.owners[key] != winner:
		s.files[winner].sum = 0
		s.again[winner] = struct{}{}
	case len(s.claims[key]) == 0:
		s.out.gone = append(s.out.gone, key)
		delete(s.owners, key)
	}
}

func conflict(key, loser, winner string) model.Problem {
	kind, rest, _ := strings.Cut(key, "/")
	namespace, name, _ := strings.Cut(rest, "/")
	return model.Problem{
		Object: model.Key{Kind: kind, Namespace: namespace, Name: name}, Code: model.ProblemConflict,
		Message: loser + ": the same object is written at " + winner + ", which wins because its path comes first; remove one of them",
	}
}

func (s *state) solve(problems ...model.Problem) {
	for _, p := range problems {
		s.out.solved = append(s.out.solved, p.Key())
	}
}
