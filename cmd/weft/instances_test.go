package main

import (
	"errors"
	"strings"
	"testing"
)

func TestDialProviders(t *testing.T) {
	named, err := dialProviders(map[string]string{"ours": "unix:/run/ours.sock", "theirs": "127.0.0.1:7500"})
	if err != nil || len(named) != 2 {
		t.Errorf("%v %v", named, err)
	}
	_, err = dialProviders(map[string]string{"far": "10.0.0.1:7500"})
	if code := new(exitCode); !errors.As(err, code) || code.code != exitUsage || !strings.Contains(err.Error(), "provider far") {
		t.Errorf("%v", err)
	}
}
