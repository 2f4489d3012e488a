// Package gitserver serves Git repositories over HTTP to tests: git's own server
// behind Go's, on loopback or where a test says.
//
// Input: what a test commits. Output: a URL that git fetches from, which can be
// away. It must not know what fetches.
package gitserver

import (
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// Server is one repository, and somebody's clone of it to commit in.
type Server struct {
	URL  string
	Away atomic.Bool // every request is answered with 503

	t      testing.TB
	origin string
	clone  string
}

// New starts a server of an empty repository, whose branch is main.
func New(t testing.TB) *Server { return On(t, "127.0.0.1:0") }

// On starts it at an address.
func On(t testing.TB, address string) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &Server{t: t, origin: filepath.Join(dir, "mesh.git"), clone: filepath.Join(dir, "clone")}
	s.run(dir, "init", "--quiet", "--bare", "--initial-branch=main", s.origin)
	s.run(dir, "init", "--quiet", "--initial-branch=main", s.clone)
	programs := strings.TrimSpace(s.run(dir, "--exec-path"))
	git := &cgi.Handler{
		Path: filepath.Join(programs, "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1"},
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Away.Load() {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		git.ServeHTTP(w, r)
	}))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	s.URL = server.URL + "/mesh.git"
	return s
}

// Write puts a file into the clone; it is in no commit yet.
func (s *Server) Write(name, text string) {
	s.t.Helper()
	file := filepath.Join(s.clone, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// Push commits what changed in the clone, and has main be where that is, whatever it was.
func (s *Server) Push() (commit string) {
	s.t.Helper()
	s.Git("add", "--all")
	if s.Git("status", "--porcelain") != "" {
		s.Git("commit", "--quiet", "--message", "a change")
	}
	s.Git("push", "--quiet", "--force", s.origin, "HEAD:refs/heads/main")
	return s.Git("rev-parse", "HEAD")
}

// Git runs git in the clone.
func (s *Server) Git(args ...string) string {
	s.t.Helper()
	return strings.TrimSpace(s.run(s.clone, args...))
}

// Link puts a symbolic link into the clone.
func (s *Server) Link(name, to string) {
	s.t.Helper()
	if err := os.Symlink(to, filepath.Join(s.clone, name)); err != nil {
		s.t.Fatal(err)
	}
}

// Origin runs git in the repository that is served.
func (s *Server) Origin(args ...string) string {
	s.t.Helper()
	return strings.TrimSpace(s.run(s.origin, args...))
}

func (s *Server) run(dir string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.com", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
