package series

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"

	"weft.dev/metrics"
)

// Options of a store. Every field but Remote is set.
type Options struct {
	Dir       string        // that it has for itself; another process must not use it
	Interval  time.Duration // between two samples of a figure
	Retention time.Duration // what is older goes
	Size      int64         // of the folder, bytes: the oldest goes first
	Series    int           // that may be in memory: the budget. New ones beyond it are refused
	Sources   []func(metrics.Emit)
	Families  []*metrics.Family
	Remote    *Remote // nil: samples are written nowhere else
	Now       func() time.Time
	Log       *slog.Logger
}

// Store is a time-series store that fills itself. Safe for concurrent use.
type Store struct {
	options Options
	engine  *promql.Engine
	running chan struct{} // has a value for each query that runs
	began   time.Time     // when counters did

	mu     sync.RWMutex
	db     *tsdb.DB        // nil: not open
	opened []io.Closer     // what is closed with it, in this order
	closed error           // why
	ctx    context.Context // of Run, while it is open
	filled *filler         // of db; one goroutine uses it
}

// ErrStarting is why there is no store until Run has opened it for the first time.
var ErrStarting = errors.New("the store of metrics is starting: try again in a second")

// New makes a store that Run opens.
func New(options Options) *Store {
	s := &Store{options: options, began: options.Now(), closed: ErrStarting}
	s.engine, s.running = newEngine(options.Log), make(chan struct{}, maxQueries)
	return s
}

const (
	// reopening is how long after it could not be opened the store is tried again.
	reopening  = time.Minute
	lockSuffix = ".lock"
	// Of a store that is small beside what Prometheus expects.
	stripes     = 1 << 10
	writeBuffer = 64 << 10
	walSegment  = 16 << 20
)

// Run opens the store and fills it until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	for !s.open(ctx) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(reopening):
		}
	}
	defer s.close()
	tick := time.NewTicker(s.options.Interval)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			err := s.Sample(ctx)
			if err != nil && !failed {
				s.options.Log.Warn("metrics of this interval are lost; so are the next ones until this is said to be over", "why", err)
			} else if err == nil && failed {
				s.options.Log.Warn("metrics are kept again")
			}
			failed = err != nil
		}
	}
}

// open reports whether there is a store now.
func (s *Store) open(ctx context.Context) bool {
	db, opened, err := openAll(s.options)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.closed = fmt.Errorf("store of metrics %s: %w", s.options.Dir, err)
		s.options.Log.Warn("there are no metrics; the mesh needs none", "why", s.closed, "next try in", reopening)
		return false
	}
	s.db, s.opened, s.ctx, s.filled = db, opened, ctx, newFiller(s.options, s.began)
	return true
}

func (s *Store) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := closeAll(s.opened); err != nil {
		s.options.Log.Warn("the store of metrics did not close well", "why", err)
	}
	s.db, s.closed = nil, errors.New("the server stops")
}

// Sample stores what every figure stands at now. One goroutine calls it.
func (s *Store) Sample(ctx context.Context) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return s.closed
	}
	return s.filled.fill(ctx, s.db, s.options.Now())
}

// openAll opens a folder for this process alone.
func openAll(options Options) (db *tsdb.DB, opened []io.Closer, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(opened))
		}
	}()
	lock, err := lockDir(options.Dir)
	if err != nil {
		return nil, nil, err
	}
	opened = []io.Closer{lock}
	if db, err = openDir(options); err != nil {
		return nil, opened, err
	}
	opened = []io.Closer{db, lock}
	if options.Remote == nil {
		return db, opened, nil
	}
	remote, err := options.Remote.start(options, db)
	if err != nil {
		return nil, opened, err
	}
	return db, []io.Closer{remote, db, lock}, nil
}

func closeAll(opened []io.Closer) (err error) {
	for _, one := range opened {
		err = errors.Join(err, one.Close())
	}
	return err
}

func lockDir(dir string) (io.Closer, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(dir+lockSuffix, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w: another server uses it; give this one a --data of its own", lock.Name(), err), lock.Close())
	}
	return lock, nil
}

func openDB(options Options) (*tsdb.DB, error) {
	o := tsdb.DefaultOptions()
	o.MaxBlockDuration = options.Retention.Milliseconds() / 10 // what goes away goes in whole blocks
	o.RetentionDuration = options.Retention.Milliseconds()
	o.MaxBytes = options.Size
	o.WALSegmentSize = walSegment
	o.WALCompression = compression.Snappy
	o.StripeSize = stripes
	o.HeadChunksWriteBufferSize = writeBuffer
	o.WALReplayConcurrency = 1
	o.NoLockfile = true // lockDir has locked it, and says nothing of a crash before
	return tsdb.Open(options.Dir, options.Log, nil, o, nil)
}
