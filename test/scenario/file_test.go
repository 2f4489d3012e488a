package scenario

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// buildPlugin compiles the example of a plugin for proxies.
func buildPlugin(to string) error {
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags", "-s -w", "-o", to, "../../examples/plugin")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("examples/plugin: %w\n%s", err, out)
	}
	return nil
}

// fileServer serves one file.
type fileServer struct {
	*httptest.Server
	mu   sync.Mutex
	body []byte // nil: it is down
}

// file serves plugin.wasm or a file of the script at $VAR from now on, or is down.
func (s *script) file(args []string) {
	f := s.files[args[0]]
	if f == nil {
		f = &fileServer{}
		f.Server = httptest.NewServer(f)
		s.files[args[0]] = f
		s.ts.Defer(f.Close)
		s.serves(args[0], f.URL)
	}
	var body []byte
	switch args[1] {
	case "down":
	case "plugin.wasm":
		var err error
		body, err = os.ReadFile(filepath.Join(shared.dir, "plugin.wasm"))
		s.ts.Check(err)
	default:
		body = []byte(s.ts.ReadFile(args[1]))
	}
	f.mu.Lock()
	f.body = body
	f.mu.Unlock()
}

func (f *fileServer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	body := f.body
	f.mu.Unlock()
	if body == nil {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write(body)
}
