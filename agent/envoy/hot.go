package envoy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	serveWait = time.Minute // for a new Envoy to take connections
	servePoll = 50 * time.Millisecond

	baseIDFile   = "envoy.id"
	hotSocket    = "h" // of a short name, like the paths of all unix sockets
	sharedMemory = "/dev/shm/envoy_shared_memory_"
)

// Hot lets an Envoy be replaced by a new one while it serves: the new one gets its
// listening sockets, and the old one ends what it has begun.
type Hot struct {
	Dir     string        // for sockets and the id of this family of Envoys
	Drain   time.Duration // in which the old one closes its connections; what is open half as long after is cut
	Admin   *Admin
	Upgrade <-chan struct{} // asks for a replacement; it has room for one
	// Find is the binary to start now.
	Find func(context.Context) (string, error)
	// Serve gives configuration to the Envoy of this generation, and to no other,
	// and says where its bootstrap is. Neighbours have different ones.
	Serve func(generation int) (bootstrap string, err error)
}

// family is an Envoy and the one that it replaces.
type family struct {
	Process
	epoch        int
	current, old *started // old is nil, or closes its connections
	cut          *time.Timer
}

// replaceable runs Envoy, and replaces it when asked to, until ctx or the newest ends.
func (p Process) replaceable(ctx context.Context) error {
	f := &family{Process: p}
	f.clean() // after an agent that was killed
	defer f.clean()
	bootstrap, err := p.Hot.Serve(0)
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.baseID(), nil, ownerOnly); err != nil { // Envoy would let everybody read it
		return err
	}
	if f.current, err = f.start(p.Binary, bootstrap, f.flags("--use-dynamic-base-id", "--base-id-path", f.baseID())...); err != nil {
		return err
	}
	defer f.end()
	for {
		var old, upgrade = (<-chan struct{})(nil), p.Hot.Upgrade
		if f.old != nil {
			old, upgrade = f.old.ended, nil // a third one would cut what the first still serves
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.current.ended:
			f.spare(ctx)
			return f.current.err
		case <-old:
			f.cut.Stop()
			f.old = nil
			p.Log.Info("the Envoy before has ended")
		case <-upgrade:
			if err := f.replace(ctx); err != nil {
				p.Log.Error("Envoy is not replaced; the one before goes on", "why", err)
			}
		}
	}
}

func (f *family) baseID() string { return filepath.Join(f.Hot.Dir, baseIDFile) }

// flags are those of every Envoy of a family. The default socket would be open to
// everybody on the machine. By default a connection from before a filter was there, which asks who
// may pass, would be asked to end at some time within the drain time: it is, with its next answer.
func (f *family) flags(more ...string) []string {
	seconds := max(1, int(f.Hot.Drain/time.Second))
	return append(more, "--socket-path", filepath.Join(f.Hot.Dir, hotSocket), "--socket-mode", "600",
		"--drain-strategy", "immediate", "--drain-time-s", strconv.Itoa(seconds), "--parent-shutdown-time-s", strconv.Itoa(max(seconds+1, seconds*3/2)))
}

// replace starts a new Envoy. Until that takes connections, the old one does, and
// it goes on if the new one ends before.
func (f *family) replace(ctx context.Context) error {
	binary, err := f.Hot.Find(ctx)
	if err != nil {
		return err
	}
	bootstrap, err := f.Hot.Serve(f.epoch + 1)
	if err != nil {
		return f.back(err)
	}
	if out, err := exec.CommandContext(ctx, binary, "--mode", "validate", "-c", bootstrap, "--disable-hot-restart").CombinedOutput(); err != nil {
		return f.back(fmt.Errorf("%s refuses its bootstrap: %w: %s", binary, err, lastLine(out)))
	}
	id, err := os.ReadFile(f.baseID())
	if err != nil {
		return f.back(err)
	}
	next, err := f.start(binary, bootstrap, f.flags("--base-id", strings.TrimSpace(string(id)), "--restart-epoch", strconv.Itoa(f.epoch+1))...)
	if err != nil {
		return f.back(err)
	}
	if err := f.awaitServing(ctx, next); err != nil {
		next.stop()
		return f.back(err)
	}
	f.epoch++
	f.old, f.current = f.current, next
	f.cut = time.AfterFunc(2*f.Hot.Drain, f.old.stop) // if the new one did not live to end it
	f.Log.Info("a new Envoy has taken over", "pid", next.process.Pid, "binary", binary)
	return nil
}

// back gives configuration to the old Envoy again.
func (f *family) back(why error) error {
	_, err := f.Hot.Serve(f.epoch)
	return errors.Join(why, err)
}

func (f *family) awaitServing(ctx context.Context, next *started) error {
	ctx, cancel := context.WithTimeout(ctx, serveWait)
	defer cancel()
	for !f.Hot.Admin.Serves(ctx, f.epoch+1) {
		select {
		case <-next.ended:
			return fmt.Errorf("the new one ended: %w; see %s", next.err, f.LogFile)
		case <-f.current.ended:
			return errors.New("the old one ended before the new one took over")
		case <-ctx.Done():
			return fmt.Errorf("the new one did not take connections within %v", serveWait)
		case <-time.After(servePoll):
		}
	}
	return nil
}

// spare lets the old one end what it has begun, beside the one that is started in the
// place of the new one. It cannot take connections again: Envoy has no way back.
func (f *family) spare(ctx context.Context) {
	if f.old != nil {
		context.AfterFunc(ctx, f.old.stop)
		f.old = nil
	}
}

// end stops both, the one that takes connections first.
func (f *family) end() {
	f.current.stop()
	if f.old != nil {
		f.cut.Stop()
		f.old.stop()
	}
}

// clean removes what Envoys leave behind.
func (f *family) clean() {
	if id, err := os.ReadFile(f.baseID()); err == nil && len(id) > 0 {
		_ = os.Remove(sharedMemory + strings.TrimSpace(string(id)) + "0") // Envoy counts its epochs in the last digit
	}
	left, _ := filepath.Glob(filepath.Join(f.Hot.Dir, hotSocket+"_*"))
	for _, path := range append(left, f.baseID()) {
		_ = os.Remove(path) // most often there is none
	}
}
