package envoy

import (
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// Threads is how many threads an Envoy beside this process should have: the CPU
// quota of its control group, rounded up. Without a quota it is one: the cores
// of the host are for others, too. Root is the file system, "/".
func Threads(root fs.FS) int {
	quota := math.Inf(1)
	for _, dir := range cpuGroups(root) {
		// A group has no more than those around it. What a container cannot see of
		// its path is mounted as the root.
		for {
			quota = min(quota, quotaOf(root, dir))
			if dir == cgroups || dir == "." {
				break
			}
			dir = path.Dir(dir)
		}
	}
	if math.IsInf(quota, 1) {
		return 1
	}
	return max(1, int(math.Ceil(quota)))
}

const cgroups = "sys/fs/cgroup"

// cpuGroups are the folders of this process's groups that limit its CPU, in
// both versions of control groups: a line is "NUMBER:CONTROLLERS:PATH".
func cpuGroups(root fs.FS) []string {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	var dirs []string
	for line := range strings.Lines(string(text)) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(line, ":")
		if controllers == "" {
			dirs = append(dirs, path.Join(cgroups, group))
		}
		for controller := range strings.SplitSeq(controllers, ",") {
			if controller == "cpu" {
				dirs = append(dirs, path.Join(cgroups, controllers, group), path.Join(cgroups, "cpu", group))
			}
		}
	}
	return dirs
}

// quotaOf is how many CPUs a group may use, +Inf if nothing says so.
func quotaOf(root fs.FS, dir string) float64 {
	read := func(name string) string {
		text, err := fs.ReadFile(root, path.Join(dir, name))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(text))
	}
	quota, period, ok := strings.Cut(read("cpu.max"), " ")
	if !ok {
		quota, period = read("cpu.cfs_quota_us"), read("cpu.cfs_period_us")
	}
	q, err := strconv.ParseFloat(quota, 64)
	p, err2 := strconv.ParseFloat(period, 64)
	if err != nil || err2 != nil || q <= 0 || p <= 0 { // "max", or -1
		return math.Inf(1)
	}
	return q / p
}
