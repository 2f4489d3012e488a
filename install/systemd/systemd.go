// Package systemd has the units that run weft on a host: the control plane, and a
// template for workloads. Input: where the binaries are. It starts nothing.
package systemd

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed *.service
var units embed.FS

// Write puts the units into a folder, in place of those of another version, and
// returns their paths.
func Write(dir, bin string) ([]string, error) {
	all, err := template.ParseFS(units, "*.service")
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, unit := range all.Templates() {
		path := filepath.Join(dir, unit.Name())
		if err := write(path, unit, bin); err != nil {
			return paths, fmt.Errorf("unit %s: %w", path, err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func write(path string, unit *template.Template, bin string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unit.Execute(file, struct{ Bin string }{bin}); err != nil {
		return err
	}
	return file.Close()
}
