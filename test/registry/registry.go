// Package registry runs a real registry of images for tests: Debian's package
// docker-registry, on a free port of loopback, for one user with a password.
//
// Input: the package, which apt-get downloads the first time on a machine, and which
// need not be installed. Output: a host, and images in it. It must not know who reads them.
package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"weft.dev/test/process"
)

const (
	fetchTimeout = 5 * time.Minute
	startTime    = time.Minute // on a busy machine

	// Username and Password of who is let in.
	Username = "weft"
	Password = "of the registry"
	hashed   = "$2a$04$49gJ29CyeMtInwUTRvMlaOvsIRPPnnT/L2E2R2.6p0o5EAHedxfh6" // Password, by bcrypt
)

// Server is a registry that is empty at first.
type Server struct {
	Host string // 127.0.0.1:PORT
	t    testing.TB
}

// Start runs one until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	program, err := found()
	if err != nil {
		t.Fatalf("no registry: %v", err)
	}
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Host: process.Loopback(port), t: t}
	var said bytes.Buffer
	cmd := exec.Command(program, "serve", s.config())
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the registry said:\n%s", said.Bytes())
		}
	})
	if err := process.Until(startTime, func() error { _, err := s.ask(http.MethodGet, "/v2/", "", nil, http.StatusOK); return err }); err != nil {
		t.Fatalf("the registry does not serve within %v: %v", startTime, err)
	}
	return s
}

// config writes the registry's files.
func (s *Server) config() string {
	dir := s.t.TempDir()
	people, file := filepath.Join(dir, "people"), filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: warn}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q}\nauth: {htpasswd: {realm: test, path: %s}}\n",
		filepath.Join(dir, "data"), s.Host, people)
	for name, content := range map[string]string{people: Username + ":" + hashed + "\n", file: text} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return file
}

// Push puts an image into a repository, which nobody could run, and gives its digest.
func (s *Server) Push(repository, tag string) (digest string) {
	s.t.Helper()
	config := fmt.Appendf(nil, `{"architecture":"none","os":"none","config":{"Labels":{"tag":%q}}}`, tag)
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":%d,"digest":%q},"layers":[]}`,
		manifestType, len(config), digestOf(config))
	answer, err := s.ask(http.MethodPost, "/v2/"+repository+"/blobs/uploads/", "", nil, http.StatusAccepted)
	if err != nil {
		s.t.Fatal(err)
	}
	place := answer.Request.URL.ResolveReference(must(answer.Location())).RequestURI()
	if _, err := s.ask(http.MethodPut, place+"&digest="+digestOf(config), "application/octet-stream", config, http.StatusCreated); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.ask(http.MethodPut, "/v2/"+repository+"/manifests/"+tag, manifestType, manifest, http.StatusCreated); err != nil {
		s.t.Fatal(err)
	}
	return digestOf(manifest)
}

const manifestType = "application/vnd.docker.distribution.manifest.v2+json"

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// ask has to be answered by a status.
func (s *Server) ask(method, path, kind string, body []byte, want int) (*http.Response, error) {
	request, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.Host+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(Username, Password)
	request.Header.Set("Content-Type", kind)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != want {
		said, _ := io.ReadAll(answer.Body)
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, said)
	}
	return answer, nil
}

// found is the program: the machine's, or that of the package.
var found = sync.OnceValues(func() (string, error) {
	if program, err := exec.LookPath("docker-registry"); err == nil {
		return program, nil
	}
	dir, err := process.Fetched("docker-registry", fetch)
	return filepath.Join(dir, "usr", "bin", "docker-registry"), err
})

// fetch unpacks the package into a folder.
func fetch(into string) error {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "weft-registry-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	download := exec.CommandContext(ctx, "apt-get", "download", "docker-registry")
	download.Dir = dir
	if out, err := download.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get download docker-registry: %w\n%s", err, out)
	}
	packages, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(packages) != 1 {
		return fmt.Errorf("apt-get downloaded %q: %w", packages, err)
	}
	if out, err := exec.CommandContext(ctx, "dpkg", "-x", packages[0], into).CombinedOutput(); err != nil {
		return fmt.Errorf("dpkg -x: %w\n%s", err, out)
	}
	return nil
}
