package jail

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// calls are all that a Go program needs that computes, reads its input and writes
// its output. There is no way to open, connect, run, change or signal anything.
var calls = []uint32{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_CLOSE, unix.SYS_FSTAT, unix.SYS_FCNTL,
	unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MPROTECT, unix.SYS_MREMAP, unix.SYS_MADVISE, unix.SYS_BRK,
	unix.SYS_FUTEX, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ,
	unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_RESTART_SYSCALL,
	unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2, unix.SYS_PIPE2,
	unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETRANDOM, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
}

// architectures are what the kernel calls those that weft is built for.
var architectures = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// Where the kernel puts what a filter looks at (struct seccomp_data).
const (
	atCall         = 0
	atArchitecture = 4
	atArgument     = 16 // low half of the first one
)

const (
	allowed = unix.SECCOMP_RET_ALLOW
	refused = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	unknown = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

// filterCalls has the kernel refuse all other calls of all threads of this process, for good.
func filterCalls() error {
	architecture, known := architectures[runtime.GOARCH]
	if !known {
		return fmt.Errorf("no filter of system calls for %s", runtime.GOARCH)
	}
	program := callFilter(architecture, uint32(os.Getpid()))
	p := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	thread, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&p)))
	if errno != 0 || thread != 0 {
		return fmt.Errorf("filter of system calls: %w, thread %d", errno, thread)
	}
	return nil
}

func callFilter(architecture, pid uint32) []unix.SockFilter {
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	end := func(how uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: how} }
	// unless skips the next instructions where the comparison is false.
	unless := func(compare uint16, with uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | compare, Jf: skip, K: with}
	}
	all := []unix.SockFilter{
		load(atArchitecture), {Code: unix.BPF_JMP | unix.BPF_K | unix.BPF_JEQ, Jt: 1, K: architecture}, end(refused), load(atCall),
		unless(unix.BPF_JEQ, unix.SYS_CLONE, 4), load(atArgument), unless(unix.BPF_JSET, unix.CLONE_THREAD, 1), end(allowed), end(refused),
		unless(unix.BPF_JEQ, unix.SYS_TGKILL, 4), load(atArgument), unless(unix.BPF_JEQ, pid, 1), end(allowed), end(refused),
		unless(unix.BPF_JEQ, unix.SYS_CLONE3, 1), end(unknown), // its flags cannot be seen; a libc falls back to clone
	}
	for _, call := range calls {
		all = append(all, unless(unix.BPF_JEQ, call, 1), end(allowed))
	}
	return append(all, end(refused))
}
