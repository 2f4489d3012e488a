package redirect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// cgroup is a cgroup of version 2.
type cgroup struct {
	path  string // in the file system
	below string // path from the root
	level int    // how far that is
	id    uint64
}

const cgroupFS = "/sys/fs/cgroup" // where nft looks for them

// makeCgroup makes one below that of this process, or takes one that is there.
func makeCgroup(name string) (cgroup, error) {
	of, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return cgroup{}, fmt.Errorf("redirection: %w", err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return cgroup{}, fmt.Errorf("redirection: %w", err)
	}
	parent, err := findCgroup(string(of), string(mounts))
	if err != nil {
		return cgroup{}, err
	}
	own := cgroup{path: path.Join(parent.path, name), below: path.Join(parent.below, name), level: parent.level + 1}
	if err := os.Mkdir(own.path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return cgroup{}, fmt.Errorf("redirection: a cgroup for the application: %w: run as root, or in a systemd unit with Delegate=yes and ProtectControlGroups=no", err)
	}
	info, err := os.Stat(own.path)
	if err != nil {
		return cgroup{}, fmt.Errorf("redirection: %w", err)
	}
	own.id = info.Sys().(*syscall.Stat_t).Ino
	return own, nil
}

// findCgroup reads /proc/PID/cgroup and mountinfo: in which cgroup the process is.
func findCgroup(of, mounts string) (cgroup, error) {
	for line := range strings.Lines(of) {
		below, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		if !ok || strings.HasPrefix(below, "/..") { // of which this process sees a part only
			continue
		}
		for mount := range strings.Lines(mounts) {
			fields := strings.Fields(mount) // ID PARENT DEVICE ROOT WHERE OPTIONS ... - TYPE ...
			_, kind, _ := strings.Cut(mount, " - ")
			if len(fields) < 5 || !strings.HasPrefix(kind, "cgroup2 ") {
				continue
			}
			if rest, ok := strings.CutPrefix(below+"/", strings.TrimSuffix(fields[3], "/")+"/"); ok {
				return cgroup{path: path.Join(fields[4], rest), below: strings.Trim(below, "/"), level: depth(below)}, nil
			}
		}
	}
	return cgroup{}, errors.New("redirection: this process is in no cgroup of version 2 that is mounted here: mount them with `mount -t cgroup2 none /sys/fs/cgroup`, or run without --redirect")
}

func depth(below string) int {
	if below = strings.Trim(below, "/"); below == "" {
		return 0
	}
	return strings.Count(below, "/") + 1
}
