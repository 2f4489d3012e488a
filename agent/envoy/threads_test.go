package envoy

import (
	"testing"
	"testing/fstest"
)

func TestThreads(t *testing.T) {
	const v1 = "9:name=systemd:/\n3:cpuset:/\n2:cpu,cpuacct:/docker/1\n0::/\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  int
	}{
		"nothing":           {nil, 1},
		"no quota":          {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 1},
		"less than one":     {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "10000 100000\n"}, 1},
		"one and a half":    {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2},
		"three":             {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "300000 100000\n"}, 3},
		"the outer is less": {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "300000 100000\n", "sys/fs/cgroup/a/cpu.max": "200000 100000"}, 2},
		"version 1": {map[string]string{
			"proc/self/cgroup": v1, "sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us": "250000\n", "sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000\n"}, 3},
		"version 1, mounted as the root": {map[string]string{
			"proc/self/cgroup": v1, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 4},
		"version 1, no quota": {map[string]string{
			"proc/self/cgroup": v1, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 1},
		"garbage": {map[string]string{"proc/self/cgroup": "0\n::::\n0::/../../..\n", "sys/fs/cgroup/cpu.max": "a b\n"}, 1},
	} {
		files := fstest.MapFS{}
		for path, text := range c.files {
			files[path] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := Threads(files); got != c.want {
			t.Errorf("%s: %d threads, want %d", name, got, c.want)
		}
	}
}
