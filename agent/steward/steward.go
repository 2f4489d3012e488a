package steward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"weft.dev/identity"
	"weft.dev/model"
)

// Options of a steward.
type Options struct {
	Dir   string // its own: what was ordered, and the folders of instances
	Allow Allow
	// Agent is the weft-agent that runs instances, each with these flags, too.
	Agent string
	Flags []string
	// Running is the process of the weft run that uses a folder; 0: there is none.
	Running func(dir string) (pid int)
	// Ready says whether that process says that it is.
	Ready  func(dir string, pid int) bool
	Client *http.Client // that fetches artifacts
	Log    *slog.Logger
}

// Steward is all instances of a machine.
type Steward struct {
	Options
	artifacts *artifacts
	changed   chan struct{}
	running   sync.WaitGroup

	mu  sync.Mutex
	all map[string]*instance // by namespace/name
}

const (
	instancesDir = "instances"
	artifactsDir = "artifacts"
	instanceFile = "instance.json"
	outputFile   = "output.log"
	agentDir     = "agent"
)

// Open goes on with what was ordered before, until ctx ends. Processes outlive that.
func Open(ctx context.Context, o Options) (*Steward, error) {
	if err := o.Allow.Check(); err != nil {
		return nil, err
	}
	s := &Steward{
		Options: o, changed: make(chan struct{}, 1), all: map[string]*instance{},
		artifacts: &artifacts{dir: filepath.Join(o.Dir, artifactsDir), client: o.Client},
	}
	files, err := filepath.Glob(filepath.Join(o.Dir, instancesDir, "*", instanceFile))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		i, err := s.read(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; remove the folder to have the server order it again", file, err)
		}
		s.all[i.key()] = i
	}
	for _, i := range s.all {
		s.running.Go(func() { s.keep(ctx, i) })
	}
	return s, nil
}

// Wait returns once nobody acts any more: after ctx has ended.
func (s *Steward) Wait() { s.running.Wait() }

func (s *Steward) read(file string) (*instance, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	i := newInstance(filepath.Dir(file))
	if err := json.Unmarshal(text, &i.kept); err != nil {
		return nil, err
	}
	if i.kept.Ends {
		close(i.leave)
	}
	return i, nil
}

// Take has an order carried out, until ctx ends. It returns once the order is on disk.
func (s *Steward) Take(ctx context.Context, o model.HostOrder) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var failed error
	for _, ordered := range o.Instances {
		failed = errors.Join(failed, s.take(ctx, ordered))
	}
	return failed
}

// take takes one instance of an order. Called with mu held.
func (s *Steward) take(ctx context.Context, ordered model.HostInstance) error {
	if strings.ContainsAny(ordered.Namespace+ordered.Name, "/_") || ordered.Namespace == "" || ordered.Name == "" || ordered.Name[0] == '.' {
		return fmt.Errorf("instance %q/%q: that is no name", ordered.Namespace, ordered.Name)
	}
	i := s.all[ordered.Namespace+"/"+ordered.Name]
	switch {
	case i == nil && ordered.Ends:
		return nil
	case i == nil:
		i = newInstance(filepath.Join(s.Dir, instancesDir, ordered.Namespace+"_"+ordered.Name))
		i.kept.HostInstance = ordered
		if err := i.write(); err != nil {
			return err
		}
		s.all[i.key()] = i
		s.running.Go(func() { s.keep(ctx, i) })
	case ordered.Ends && !i.kept.Ends:
		i.kept.Ends = true
		if err := i.write(); err != nil {
			i.kept.Ends = false
			return err
		}
		close(i.leave)
	}
	return nil
}

// pickPort gives an instance that is to start the lowest port that no other has. It keeps it for as long as nobody else listens there.
func (s *Steward) pickPort(i *instance) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, to, err := s.Allow.ports()
	if err != nil || i.kept.AppPort != 0 && isFree(i.kept.AppPort) {
		return err
	}
	taken := map[uint32]bool{}
	for _, other := range s.all {
		taken[other.kept.AppPort] = true
	}
	for port := from; port <= to; port++ {
		if !taken[port] && isFree(port) {
			i.kept.AppPort = port
			return i.write()
		}
	}
	return fmt.Errorf("all ports from %d to %d are taken: give more with ports: in the file of weft host --allow", from, to)
}

// Report is how all instances are, by name.
func (s *Steward) Report() []model.HostState {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := []model.HostState{}
	for _, i := range s.all {
		states = append(states, i.state())
	}
	slices.SortFunc(states, func(a, b model.HostState) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return states
}

// Changed gets a value when Report may say something else.
func (s *Steward) Changed() <-chan struct{} { return s.changed }

func (s *Steward) tell() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// remove forgets an instance that has ended, and the artifacts that only it needed.
func (s *Steward) remove(i *instance) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tell()
	if err := os.RemoveAll(i.dir); err != nil {
		return err
	}
	delete(s.all, i.key())
	needed := map[string]bool{}
	for _, other := range s.all {
		_, digest, _ := artifact(other.kept.Image)
		needed[digest] = true
	}
	return s.artifacts.forget(needed)
}

// write keeps what was ordered.
func (i *instance) write() error {
	text, err := json.Marshal(i.kept)
	if err != nil {
		return err
	}
	return identity.Dir(i.dir).Write(instanceFile, text)
}

const (
	firstPause = time.Second // between two starts of what ends, and then twice as long
	maxPause   = time.Minute
	hopeless   = 2 // starts in a row that were never ready
	lookPause  = 200 * time.Millisecond
	stopGrace  = 30 * time.Second // for weft run to drain and to stop its application, before it is killed
)
