package git

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"weft.dev/flow"
	"weft.dev/identity"
	"weft.dev/model"
	"weft.dev/source/folder"
)

// Options say what is followed.
type Options struct {
	URL      string        // of the repository, as git takes it; a password in it is shown to nobody
	Ref      string        // branch, tag, or refs/...
	Dir      string        // folder of the repository, with slashes; empty: all of it
	Interval time.Duration // between two looks, at least MinInterval
	Data     string        // a folder of its own, for what is fetched
}

// MinInterval is how often a server may be asked at most.
const MinInterval = time.Second

// Source is the collection of all objects of a commit. Key and content of a row
// are those that source/store would give.
type Source struct {
	*folder.Source
	repo     *repository
	dir      string
	interval time.Duration
	data     string
	graph    *flow.Graph
	log      *slog.Logger
	served   served
	seen     time.Time // when the ref was read last
	told     model.Problem
	shown    atomic.Value // of served, for others: string
}

// served is the commit whose rows are there. The file of its name in the data
// folder has it in JSON, so that another process serves the same at once.
type served struct {
	Commit string    `json:"commit"`
	From   string    `json:"from"` // what was followed: a commit of something else is not served
	At     time.Time `json:"at"`
}

const servedFile = "served.json"

// New makes the source; it is empty until Run has read a commit. The error is
// about the options, and for people who wrote them.
func New(o Options, graph *flow.Graph, log *slog.Logger) (*Source, error) {
	where, err := parseAddress(o.URL)
	if err == nil {
		err = checkRef(o.Ref)
	}
	dir, dirErr := cleanDir(o.Dir)
	if err = errors.Join(err, dirErr); err == nil && o.Interval < MinInterval {
		err = fmt.Errorf("interval %v: less than %v", o.Interval, MinInterval)
	}
	if err != nil {
		return nil, err
	}
	return &Source{
		Source:   folder.New("", graph, log),
		repo:     &repository{cache: filepath.Join(o.Data, "cache"), address: where, ref: o.Ref, depth: history},
		dir:      dir,
		interval: o.Interval,
		data:     o.Data,
		graph:    graph,
		log:      log,
	}, nil
}

// String is what is followed, as people may see it.
func (s *Source) String() string {
	text := s.repo.address.shown + " " + s.repo.ref
	if s.dir != "." {
		text += " " + s.dir
	}
	return text
}

// Commit is the one that is served; empty: none yet.
func (s *Source) Commit() string {
	commit, _ := s.shown.Load().(string)
	return commit
}

// Run follows the ref until ctx ends. It begins with the commit that was served
// last, whoever answers. Whatever goes wrong later leaves the rows as they are.
func (s *Source) Run(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(s.data, "commits"), 0o700); err != nil {
		return fmt.Errorf("commits of %s: %w", s, err)
	}
	s.resume()
	timer := time.NewTicker(s.interval)
	defer timer.Stop()
	for {
		err := s.look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.tell(err)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// resume serves what was served last, if it is of the same place.
func (s *Source) resume() {
	text, err := identity.Dir(s.data).Read(servedFile)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var last served
	if err == nil {
		err = json.Unmarshal(text, &last)
	}
	if err == nil && last.From != s.String() {
		return
	}
	if err == nil {
		_, err = os.Stat(s.place(last.Commit))
	}
	if err != nil {
		s.log.Warn("the commit that was served last cannot be read: nothing is served before the repository answers", "why", err)
		return
	}
	s.seen = last.At
	s.show(last)
}

// look serves the commit that the ref names now.
func (s *Source) look(ctx context.Context) error {
	commit, err := s.repo.fetch(ctx)
	if err != nil {
		return err
	}
	if commit != s.served.Commit {
		if err := s.take(ctx, commit); err != nil {
			return fmt.Errorf("commit %s: %w", brief(commit), err)
		}
	}
	s.seen = time.Now()
	return nil
}

// take serves a commit. It is what another process would begin with before anybody has it.
func (s *Source) take(ctx context.Context, commit string) error {
	if err := s.checkout(ctx, commit); err != nil {
		return err
	}
	was, now := s.served.Commit, served{commit, s.String(), time.Now().UTC().Truncate(time.Second)}
	text, err := json.Marshal(now)
	if err == nil {
		err = identity.Dir(s.data).Write(servedFile, text)
	}
	if err != nil {
		return err
	}
	if was != "" && !s.repo.follows(ctx, commit, was) {
		s.log.Warn("the ref was forced to a commit that does not come after the one that was served: it is served, because the ref says so",
			"repository", s, "commit", brief(commit), "instead of", brief(was))
	} else {
		s.log.Info("a commit is served", "repository", s, "commit", brief(commit))
	}
	s.show(now)
	return nil
}

func (s *Source) show(now served) {
	s.Show(s.place(now.Commit), s.dir)
	s.served = now
	s.shown.Store(now.Commit)
	s.sweep()
}

// sweep removes the commits that are not served.
func (s *Source) sweep() {
	entries, err := os.ReadDir(s.place(""))
	for _, entry := range entries {
		if entry.Name() != s.served.Commit {
			err = errors.Join(err, os.RemoveAll(s.place(entry.Name())))
		}
	}
	if err != nil {
		s.log.Warn("commits that are not served any more take space", "why", err)
	}
}

// repositoryKind is the kind of a problem's object where the problem is the repository's.
const repositoryKind = "Repository"

// tell keeps the repository's problem true.
func (s *Source) tell(err error) {
	var p model.Problem
	if err != nil {
		p = model.Problem{Object: model.Key{Kind: repositoryKind, Name: s.String()}, Code: model.ProblemStale, Message: err.Error() + "; " + s.rest()}
	}
	if p == s.told {
		return
	}
	if s.served.Commit == "" {
		s.log.Warn("nothing is served yet", "repository", s, "why", p.Message) // nobody reads problems before there is a mesh
	}
	s.graph.Commit(func(tx *flow.Tx) {
		if s.told != (model.Problem{}) {
			s.Problems.Delete(tx, s.told.Key())
		}
		if err != nil {
			s.Problems.Set(tx, p)
		}
	})
	s.told = p
}

// rest says what is in effect while the ref cannot be read.
func (s *Source) rest() string {
	if s.served.Commit == "" {
		return "it is asked again until it has a commit to serve"
	}
	return fmt.Sprintf("commit %s stays in effect, and what was merged after %s is not", brief(s.served.Commit), s.seen.UTC().Format(time.RFC3339))
}

// brief is a commit's name as people write it.
func brief(commit string) string { return commit[:min(len(commit), 12)] }
