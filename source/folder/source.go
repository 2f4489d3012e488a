package folder

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
)

// Source is the collection of all objects of a folder. Key and content of a row
// are those that source/store would give.
type Source struct {
	*flow.Source[api.Object]
	// Problems are those of files and objects that have no effect, or not the one
	// that is written now. Where one object has none, the row's Object is the file.
	Problems *flow.Source[model.Problem]

	graph  *flow.Graph
	log    *slog.Logger
	tree   tree
	reader reader
	state  state
	synced chan struct{}

	memory Memory // nil: nothing is remembered
	kept   remembered
}

// New makes the source; it is empty until Run or Show has read everything once.
func New(dir string, graph *flow.Graph, log *slog.Logger) *Source {
	dir = filepath.Clean(dir)
	return &Source{
		Source:   flow.NewSource[api.Object](graph, "objects"),
		Problems: flow.NewSource[model.Problem](graph, "problems of files"),
		graph:    graph, log: log,
		tree:   tree{dir: dir, watched: map[string]identity{}},
		reader: reader{dir: dir, called: dir, schemas: newSchemas(), seed: maphash.MakeSeed()},
		state:  newState(writeToken(filepath.Join(dir, allowFile))),
		synced: make(chan struct{}),
	}
}

// Synced is closed once every object that there was is committed.
func (s *Source) Synced() <-chan struct{} { return s.synced }

// Run follows the folder until ctx ends. A folder that is not there at first is
// an error; one that goes away later leaves the rows as they are.
func (s *Source) Run(ctx context.Context) error {
	if info, err := os.Stat(s.tree.dir); err != nil || !info.IsDir() {
		return fmt.Errorf("configuration folder %s: %w; name a folder that exists", s.tree.dir, errors.Join(err, errNoFolder))
	}
	watcher, err := fsnotify.NewBufferedWatcher(maxEvents)
	if err != nil {
		return fmt.Errorf("configuration folder %s: %w; raise fs.inotify.max_user_instances", s.tree.dir, err)
	}
	defer watcher.Close()
	s.tree.watcher = watcher
	s.load()
	if err := s.await(ctx); err != nil {
		return err
	}
	close(s.synced)
	return s.follow(ctx, watcher)
}

var errNoFolder = errors.New("it is no folder")

// Show has the rows be those of a folder that nothing changes any more, instead of
// the one shown before: what differs is one commit, removals too. Its files are called
// as if the folder stood at a path. Show is instead of Run, and is not called twice at a time.
func (s *Source) Show(dir, called string) {
	s.tree.dir, s.reader.dir, s.reader.called = dir, dir, called
	s.state.held.reviewed, s.state.held.remedy = true, func(string) string { return "nothing would be left, so keep one of them" }
	select {
	case <-s.synced:
		paths, _ := s.changed(".")
		s.read(paths)
		if now := time.Now(); !s.state.guard(now) {
			s.state.remove(now)
		}
		s.commit()
	default:
		s.load()
		close(s.synced)
	}
}

func (s *Source) follow(ctx context.Context, watcher *fsnotify.Watcher) error {
	slow := time.NewTicker(rescanInterval)
	defer slow.Stop()
	removal := time.NewTimer(time.Hour)
	defer removal.Stop()
	for {
		s.keep()
		removal.Reset(s.state.nextRemoval(time.Now()))
		select {
		case event := <-watcher.Events:
			s.react(event, watcher.Events)
		case err := <-watcher.Errors:
			s.log.Warn("changes of the configuration folder may have been missed: everything is compared", "why", err)
			s.compare(".")
		case <-slow.C:
			s.compare(".")
		case <-removal.C:
			s.remove(time.Now())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// react looks at what an event names, and at what came with it: what came while
// the last commit ran is one commit.
func (s *Source) react(event fsnotify.Event, more <-chan fsnotify.Event) {
	var files, below []string
	for {
		file, dir := s.tree.look(event)
		if file != "" && !slices.Contains(files, file) {
			files = append(files, file)
		}
		if dir != "" && !slices.Contains(below, dir) {
			below = append(below, dir)
		}
		select {
		case event = <-more:
			if len(files)+len(below) < maxEvents {
				continue
			}
			s.compare(".")
			return
		default:
		}
		break
	}
	for _, dir := range below {
		s.compare(dir)
	}
	files, _ = s.state.admit(files) // who is too many is told of by the next slow look
	s.take(files)
}

// load reads everything for the first time, in commits that nobody is served
// from: rows of a whole folder, not yet translated, would leave the heap in holes.
func (s *Source) load() {
	var part []string
	var bytes int64
	paths, found := s.changed(".")
	for _, path := range paths {
		part, bytes = append(part, path), bytes+found.files[path].size
		if bytes >= loadBytes {
			s.take(part)
			part, bytes = nil, 0
		}
	}
	s.take(part)
}

// compare looks at everything below a path, and reads what is not as it was.
func (s *Source) compare(below string) {
	paths, _ := s.changed(below)
	s.take(paths)
}

// changed are the files below a path that are not as they were.
func (s *Source) changed(below string) ([]string, found) {
	f := s.tree.walk(below)
	paths, refused := s.state.admit(s.state.changed(below, &f))
	if refused > 0 {
		f.faults[below] = fmt.Errorf("%s: has more than %d files, and %d are not read; merge some", s.tree.dir, MaxFiles, refused)
	}
	s.state.look(below, f.faults)
	return paths, f
}

// readAll reads files, many at a time.
func (s *Source) readAll(paths []string) []reading {
	all := make([]reading, len(paths))
	sums := make([]uint64, len(paths))
	for i, path := range paths {
		sums[i] = s.state.sum(path)
	}
	var workers sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), len(paths)) {
		workers.Go(func() {
			for i := range next {
				all[i] = s.reader.read(paths[i], sums[i])
			}
		})
	}
	for i := range paths {
		next <- i
	}
	close(next)
	workers.Wait()
	return all
}

// take reads files and commits what that changes.
func (s *Source) take(paths []string) {
	s.read(paths)
	s.commit()
}

// read takes in files, and what imports them.
func (s *Source) read(paths []string) {
	for _, r := range s.readAll(paths) {
		s.state.take(r, time.Now())
	}
	importers := s.state.importers(paths)
	for _, path := range importers {
		s.state.files[path].sum = 0 // its own text is the same
	}
	for _, r := range s.readAll(importers) {
		s.state.take(r, time.Now())
	}
}

// commit makes rows of what was read. What has to be read once more for that is
// read once more: a file that changes all the while raises events.
func (s *Source) commit() {
	first, again := s.state.settle()
	var second delta
	if len(again) > 0 {
		s.read(again)
		second, _ = s.state.settle()
	}
	s.graph.Commit(func(tx *flow.Tx) {
		s.apply(tx, first)
		s.apply(tx, second)
	})
}

func (s *Source) apply(tx *flow.Tx, d delta) {
	for _, key := range d.gone {
		s.Delete(tx, key)
	}
	for _, o := range d.set {
		s.Set(tx, o)
	}
	for _, key := range d.solved {
		s.Problems.Delete(tx, key)
	}
	for _, p := range d.found {
		s.Problems.Set(tx, p)
	}
}
