package load

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Proc is a process's figures from /proc.
type Proc struct {
	CPU    float64 `json:"cpu_s"`
	RSSMiB float64 `json:"vmrss_mib"`
	HWMMiB float64 `json:"vmhwm_mib"`
}

// ProcStat reads them; of no process (0), and of one that has ended, they are 0.
func ProcStat(pid int) (p Proc) {
	if pid == 0 {
		return
	}
	p.CPU = cpuSeconds(pid)
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for l := range strings.Lines(string(b)) {
		f := strings.Fields(l)
		if len(f) < 2 {
			continue
		}
		x, _ := strconv.ParseFloat(f[1], 64)
		switch f[0] {
		case "VmRSS:":
			p.RSSMiB = x / 1024
		case "VmHWM:":
			p.HWMMiB = x / 1024
		}
	}
	return
}

// cpuSeconds sums the threads' schedstat, which counts nanoseconds where /proc/PID/stat
// counts hundredths of a second: a small change costs less than one of those. A Go process
// does not end its threads, so none is lost.
func cpuSeconds(pid int) float64 {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	total := 0.0
	for _, file := range threads {
		b, _ := os.ReadFile(file) // a thread that just ended
		if f := strings.Fields(string(b)); len(f) > 0 {
			ns, _ := strconv.ParseFloat(f[0], 64)
			total += ns / 1e9
		}
	}
	return total
}
