package jail

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

var errNoLandlock = errors.New("this kernel has no Landlock, which what is baked is confined with (Linux 5.13 or newer, with landlock among its lsm=); --bake-unconfined does without")

// self is the binary that runs, also where its file was replaced.
const self = "/proc/self/exe"

// confineThread confines the thread that it is called in, for good: it, and the
// process that it will start, may read the binary and what that is linked with, and
// neither write nor list anything.
func confineThread(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL} // that of the thread, which waits for it
	rules, err := newRuleset()
	if err != nil {
		return err
	}
	defer unix.Close(rules)
	for _, place := range linked() {
		if err := allow(rules, place); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("Landlock of %s: %w", place, err)
		}
	}
	if err := noNewPrivileges(); err != nil {
		return err
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(rules), 0, 0); errno != 0 {
		return fmt.Errorf("Landlock: %w", errno)
	}
	return nil
}

// newRuleset forbids all that this kernel can forbid.
func newRuleset() (int, error) {
	version, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, errNoLandlock
	}
	a := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_REFER - 1}
	for since, more := range map[uintptr]unix.LandlockRulesetAttr{
		2: {Handled_access_fs: unix.LANDLOCK_ACCESS_FS_REFER},
		3: {Handled_access_fs: unix.LANDLOCK_ACCESS_FS_TRUNCATE},
		4: {Handled_access_net: unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP},
		5: {Handled_access_fs: unix.LANDLOCK_ACCESS_FS_IOCTL_DEV},
		6: {Scoped: unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL},
	} {
		if version >= since {
			a.Handled_access_fs |= more.Handled_access_fs
			a.Handled_access_net |= more.Handled_access_net
			a.Scoped |= more.Scoped
		}
	}
	rules, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&a)), unsafe.Sizeof(a), 0)
	if errno != 0 {
		return 0, fmt.Errorf("Landlock: %w", errno)
	}
	return int(rules), nil
}

// linked are the binary that runs, and where its libraries may be, if it has any.
func linked() []string {
	binary, err := elf.Open(self)
	if err != nil {
		return []string{self}
	}
	defer binary.Close()
	if libraries, err := binary.ImportedLibraries(); err != nil || len(libraries) == 0 {
		return []string{self}
	}
	return []string{self, "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"}
}

// allow lets a file, or all files of a folder, be read and run.
func allow(rules int, place string) error {
	fd, err := unix.Open(place, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	a := unix.LandlockPathBeneathAttr{Allowed_access: unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE, Parent_fd: int32(fd)}
	_, _, errno := unix.RawSyscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(rules), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&a)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func noNewPrivileges() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }

// isLandlocked reports whether this process may not even list a folder.
func isLandlocked() bool {
	_, err := os.ReadDir("/")
	return errors.Is(err, unix.EACCES)
}

// confineSelf confines all of this process, once it has all that it needs.
func confineSelf() error {
	for what, limit := range map[int]uint64{
		unix.RLIMIT_CPU: uint64(maxTime.Seconds()), unix.RLIMIT_DATA: hardMemory,
		unix.RLIMIT_FSIZE: 0, unix.RLIMIT_CORE: 0, unix.RLIMIT_MEMLOCK: 0, unix.RLIMIT_MSGQUEUE: 0,
	} {
		if err := unix.Setrlimit(what, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
			return fmt.Errorf("rlimit %d: %w", what, err)
		}
	}
	if err := noNewPrivileges(); err != nil {
		return err
	}
	return filterCalls()
}

// resident is the memory of a process that is its own, in bytes.
func resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 3 {
		return 0, fmt.Errorf("statm says %q", text)
	}
	all, err := strconv.ParseInt(fields[1], 10, 64)
	shared, err2 := strconv.ParseInt(fields[2], 10, 64)
	return (all - shared) * int64(os.Getpagesize()), errors.Join(err, err2)
}
