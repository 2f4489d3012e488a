package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"weft.dev/agent/poll"
	"weft.dev/model"
)

const (
	statusFile     = "status.json"
	statusInterval = 2 * time.Second
	maxSocketDir   = 80 // a path of a unix socket has at most 107 bytes
)

// Status is how a workload is, as its agent last wrote it into its folder.
type Status struct {
	Workload     model.Registration `json:"workload"`
	Health       model.Health       `json:"health"`
	Connected    bool               `json:"connected"` // to the server
	EnvoyReady   bool               `json:"envoyReady"`
	Certificate  time.Time          `json:"certificateEnds,omitzero"`
	Published    *Published         `json:"published,omitempty"`     // nil: a server has the configuration
	FullStats    time.Time          `json:"fullStatsUntil,omitzero"` // until when Envoy keeps all that it counts
	AdminSocket  string             `json:"adminSocket"`
	AgentProcess int                `json:"agentProcess"`
}

// Published is what a workload without a server knows of its configuration.
type Published struct {
	poll.State
	InUse bool `json:"inUse"` // Envoy has accepted all of it
}

// ReadStatus reads the status of the agent that uses a folder.
func ReadStatus(dir string) (Status, error) {
	var s Status
	data, err := os.ReadFile(filepath.Join(dir, statusFile))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(data, &s)
}

// report writes the status down whenever it changes.
func (a *agent) report(ctx context.Context) {
	var last []byte
	tick := time.NewTicker(statusInterval)
	defer tick.Stop()
	for {
		status := Status{
			Workload: a.Registration, Health: a.health.Load().(model.Health), EnvoyReady: a.admin.Ready(ctx, nil), FullStats: a.full.ends(),
			AdminSocket: a.socket("admin.sock"), AgentProcess: os.Getpid(),
		}
		a.home.describe(&status)
		now, err := json.Marshal(status)
		if err == nil && string(now) != string(last) {
			last = now
			err = a.files.Write(statusFile, now)
		}
		if err != nil {
			a.Log.Warn("the status is not written down", "why", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// socketDir is where the sockets go: the workload's folder, or, where its path
// is too long for a socket, a private folder with a short one.
func socketDir(dir string) (string, error) {
	if len(dir) <= maxSocketDir {
		return dir, nil
	}
	sum := sha256.Sum256([]byte(dir))
	short := filepath.Join(os.TempDir(), "weft-"+hex.EncodeToString(sum[:8]))
	if err := os.Mkdir(short, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	info, err := os.Lstat(short)
	if err != nil {
		return "", err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || !ok || int(owner.Uid) != os.Getuid() {
		return "", fmt.Errorf("%s: not a folder of ours alone: remove it, or use a folder with a shorter path than %s", short, dir)
	}
	return short, nil
}
