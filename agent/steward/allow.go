package steward

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Allow is what an operator lets weft start on the machine.
type Allow struct {
	// Labels by which an Application chooses hosts.
	Labels map[string]string `json:"labels,omitempty"`
	// Ports, FROM-TO, that applications get. Default: 21000-21999.
	Ports        string    `json:"ports,omitempty"`
	Applications []Allowed `json:"applications"`
}

// Allowed is what weft may start for an application.
type Allowed struct {
	Name string `json:"name"` // NAMESPACE/NAME, or NAMESPACE/*
	// User as whom it runs. Default: the user of weft host; another one needs root.
	User string `json:"user,omitempty"`
	// Programs are folders; a program in one of them may be started, with any arguments.
	Programs []string `json:"programs,omitempty"`
	// Artifacts are https:// or file:// addresses; what is below one of them may be fetched and started.
	Artifacts []string `json:"artifacts,omitempty"`
}

const defaultPorts = "21000-21999"

// errRefused is wrapped by errors that time alone does not mend.
var errRefused = errors.New("refused")

// Check says what is wrong with an operator's words.
func (a Allow) Check() error {
	if _, _, err := a.ports(); err != nil {
		return err
	}
	for n, one := range a.Applications {
		namespace, name, _ := strings.Cut(one.Name, "/")
		if namespace == "" || name == "" || namespace == "*" {
			return fmt.Errorf("applications[%d]: name %q: use NAMESPACE/NAME or NAMESPACE/*", n, one.Name)
		}
		if len(one.Programs)+len(one.Artifacts) == 0 {
			return fmt.Errorf("applications[%d]: %s: nothing of it may be started: give it programs or artifacts", n, one.Name)
		}
		for _, folder := range one.Programs {
			if !filepath.IsAbs(folder) {
				return fmt.Errorf("applications[%d]: programs: %q: use the whole path of a folder", n, folder)
			}
		}
		for _, prefix := range one.Artifacts {
			if _, err := address(prefix); err != nil {
				return fmt.Errorf("applications[%d]: artifacts: %w", n, err)
			}
		}
	}
	return nil
}

// Names are the applications that may be started.
func (a Allow) Names() []string {
	names := []string{}
	for _, one := range a.Applications {
		names = append(names, one.Name)
	}
	return names
}

func (a Allow) ports() (from, to uint32, err error) {
	text := a.Ports
	if text == "" {
		text = defaultPorts
	}
	first, last, _ := strings.Cut(text, "-")
	low, err := strconv.ParseUint(first, 10, 16)
	high, err2 := strconv.ParseUint(last, 10, 16)
	if err != nil || err2 != nil || low == 0 || low > high {
		return 0, 0, fmt.Errorf("ports %q: use FROM-TO, such as %s", a.Ports, defaultPorts)
	}
	return uint32(low), uint32(high), nil
}

// of is what the operator says of an instance's application: of its name before all of its namespace's.
func (a Allow) of(namespace, app string) (Allowed, error) {
	for _, name := range []string{namespace + "/" + app, namespace + "/*"} {
		if n := slices.IndexFunc(a.Applications, func(one Allowed) bool { return one.Name == name }); n >= 0 {
			return a.Applications[n], nil
		}
	}
	return Allowed{}, fmt.Errorf("%w: this machine's operator does not let weft start %s/%s: weft host --allow says what it may", errRefused, namespace, app)
}

// starts says whether a program may be started, wherever links lead. Dir is the folder of the
// artifact; empty: there is none.
func (a Allowed) starts(path, dir string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%w: command %q: give the whole path of a program, or one in ${dir}", errRefused, path)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("%w: command %q: %w", errRefused, path, err)
	}
	folders := a.Programs
	if dir != "" {
		folders = append([]string{dir}, folders...)
	}
	for _, folder := range folders {
		if folder, err := filepath.EvalSymlinks(folder); err == nil && strings.HasPrefix(real, filepath.Clean(folder)+"/") {
			return nil
		}
	}
	return fmt.Errorf("%w: command %q: this machine's operator lets weft start programs of %q for %s only", errRefused, path, a.Programs, a.Name)
}

// fetches says whether an artifact may be fetched.
func (a Allowed) fetches(from *url.URL) error {
	for _, prefix := range a.Artifacts {
		base, err := address(prefix)
		if err == nil && base.Scheme == from.Scheme && base.Host == from.Host && strings.HasPrefix(from.Path, strings.TrimSuffix(base.Path, "/")+"/") {
			return nil
		}
	}
	return fmt.Errorf("%w: artifact %s: this machine's operator lets weft fetch from %q for %s only", errRefused, from, a.Artifacts, a.Name)
}

// address is where an artifact is, in one spelling only.
func address(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q: %w", text, err)
	case u.Scheme != "https" && u.Scheme != "file", u.Scheme == "https" && u.Host == "", u.Scheme == "file" && u.Host != "":
		return nil, fmt.Errorf("%q: use https://HOST/PATH or file:///PATH", text)
	case u.RawPath != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Path != "" && filepath.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") && u.Path != "/":
		return nil, fmt.Errorf("%q: use a path without escapes, '..', query and user", text)
	}
	return u, nil
}
