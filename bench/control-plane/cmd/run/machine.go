package main

import (
	"bufio"
	"debug/buildinfo"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"weft.dev/bench/control-plane/load"
)

// Machine is where and with what it was measured.
type Machine struct {
	Time       time.Time         `json:"time"`
	CPU        string            `json:"cpu"`
	Cores      int               `json:"cores"`
	Memory     string            `json:"memory"`
	Kernel     string            `json:"kernel"`
	LoadBefore string            `json:"load_before"`
	Versions   map[string]string `json:"versions"`
}

func machine() Machine {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return Machine{
		Time: time.Now(), CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), Memory: field("/proc/meminfo", "MemTotal"),
		Kernel: strings.TrimSpace(string(kernel)), LoadBefore: load.Loadavg(), Versions: map[string]string{},
	}
}

// field is the first value of a name in a file of "name: value" lines.
func field(file, name string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if k, v, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// commit is the source that weft was built from.
func commit(root string) string {
	out, err := exec.Command("git", "-C", root, "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// modules are the versions of some modules in a binary.
func modules(binary string, paths ...string) string {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "unknown"
	}
	all := []string{info.GoVersion}
	for _, m := range info.Deps {
		for _, path := range paths {
			if m.Path == path {
				all = append(all, path[strings.LastIndexByte(path, '/')+1:]+" "+m.Version)
			}
		}
	}
	return strings.Join(all, ", ")
}
