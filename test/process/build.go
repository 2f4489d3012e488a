package process

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build makes binaries from packages, which are named relative to the test's folder. They are linked once for all tests of a
// checkout, below its bin, and copied from there: a test may replace what it has.
func Build(sources map[string]string) error {
	module, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("go env GOMOD: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(module)))
	for binary, source := range sources {
		if err := build(root, binary, source); err != nil {
			return err
		}
	}
	return nil
}

func build(root, binary, source string) error {
	path, err := filepath.Abs(source)
	if err != nil {
		return err
	}
	name, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	place := filepath.Join(root, "bin", "test", strings.ReplaceAll(name, string(filepath.Separator), "-"))
	return locked(place, func() error {
		cmd := exec.Command("go", "build", "-tags", "kustomize_disable_go_plugin_support", "-ldflags", "-s -w", "-o", place, source)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w\n%s", source, err, out)
		}
		return duplicate(place, binary)
	})
}

func duplicate(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
