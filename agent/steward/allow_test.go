package steward

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for want, allow := range map[string]Allow{
		"":                       {Applications: []Allowed{{Name: "shop/*", Programs: []string{"/srv"}, Artifacts: []string{"https://a.example.com/shop/", "file:///srv"}}}},
		"ports":                  {Ports: "2000"},
		"NAMESPACE/NAME":         {Applications: []Allowed{{Name: "*/*", Programs: []string{"/srv"}}}},
		"nothing of it":          {Applications: []Allowed{{Name: "shop/reviews"}}},
		"whole path of a folder": {Applications: []Allowed{{Name: "shop/reviews", Programs: []string{"bin"}}}},
		"use https://":           {Applications: []Allowed{{Name: "shop/reviews", Artifacts: []string{"http://a.example.com"}}}},
		"without escapes":        {Applications: []Allowed{{Name: "shop/reviews", Artifacts: []string{"file:///srv/../etc"}}}},
	} {
		if err := allow.Check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", allow, err, want)
		}
	}
}

// TestStarts: a program is where its links lead.
func TestStarts(t *testing.T) {
	dir := t.TempDir()
	inside, outside := filepath.Join(dir, "srv"), filepath.Join(dir, "server")
	for _, folder := range []string{inside, outside} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "app"), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outside, "app"), filepath.Join(inside, "link")); err != nil {
		t.Fatal(err)
	}
	a := Allowed{Name: "shop/reviews", Programs: []string{inside}}
	for path, want := range map[string]string{
		inside + "/app": "", outside + "/app": "starts programs of", inside + "/link": "starts programs of", inside + "/../server/app": "starts programs of",
		"app": "whole path", inside + "/none": "no such file", inside: "starts programs of",
	} {
		want = strings.Replace(want, "starts", "start", 1)
		if err := a.starts(path, ""); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if err := a.starts(outside+"/app", outside); err != nil {
		t.Errorf("in the artifact: %v", err)
	}
}

// TestFetches: below an address, and not beside it.
func TestFetches(t *testing.T) {
	a := Allowed{Artifacts: []string{"https://a.example.com/shop", "file:///srv/artifacts/"}}
	for text, want := range map[string]bool{
		"https://a.example.com/shop/reviews.tar.gz": true, "file:///srv/artifacts/x": true, "https://a.example.com/shopping/x": false,
		"https://b.example.com/shop/x": false, "file:///etc/passwd": false, "https://a.example.com:444/shop/x": false,
	} {
		u, err := address(text)
		if err != nil || (a.fetches(u) == nil) != want {
			t.Errorf("%s: %v %v", text, a.fetches(u), err)
		}
	}
}
