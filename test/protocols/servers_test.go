package protocols

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"weft.dev/test/debian"
	"weft.dev/test/process"
)

// program runs a server in a folder of its own, as nobody where we are root, until the test ends, and
// waits until it answers. arguments get its folder and its port.
func program(t *testing.T, binary string, arguments func(dir string, port int) []string) (port int) {
	t.Helper()
	dir := unprivileged(t)
	port, err := process.FreePort()
	check(t, err)
	cmd := as(t, dir, binary, arguments(dir, port)...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	check(t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // PostgreSQL waits for nobody then
		_ = cmd.Wait()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("%s said:\n%s", binary, said)
		}
	})
	until(t, func() error {
		conn, err := net.DialTimeout("tcp", process.Loopback(port), time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	})
	return port
}

// unprivileged is a folder of nobody's, where we are root.
func unprivileged(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weft-protocols-server-") // that of the test is root's up to the top
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	if who := nobody(t); who != nil {
		check(t, os.Chown(dir, int(who.Uid), int(who.Gid)))
	}
	return dir
}

// as is a command of nobody.
func as(t *testing.T, dir, binary string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: nobody(t)}
	return cmd
}

func nobody(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	who, err := user.Lookup("nobody")
	check(t, err)
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	check(t, err)
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	check(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func postgres(t *testing.T) (port int) {
	t.Helper()
	_, err := debian.Program("pg_ctlcluster", "postgresql") // of the same package as the server, which is not in $PATH
	check(t, err)
	all, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(all) == 0 {
		t.Fatalf("no postgres: %v", err)
	}
	binary := all[len(all)-1]
	return program(t, binary, func(dir string, port int) []string {
		data := filepath.Join(dir, "data")
		out, err := as(t, dir, filepath.Join(filepath.Dir(binary), "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-N", "--no-instructions").CombinedOutput()
		if err != nil {
			t.Fatalf("initdb: %v: %s", err, out)
		}
		return []string{"-D", data, "-F", "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-c", "unix_socket_directories="}
	})
}

func redisServer(t *testing.T) (port int) {
	t.Helper()
	binary, err := debian.Program("redis-server", "redis-server")
	check(t, err)
	return program(t, binary, func(_ string, port int) []string {
		return []string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"}
	})
}

func mailServer(t *testing.T) (port int) {
	t.Helper()
	binary, err := debian.Program("aiosmtpd", "python3-aiosmtpd")
	check(t, err)
	return program(t, binary, func(dir string, port int) []string {
		return []string{"-n", "-l", process.Loopback(port), "-c", "aiosmtpd.handlers.Mailbox", filepath.Join(dir, "mails")}
	})
}
