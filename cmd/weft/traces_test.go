package main

import (
	"os"
	"strings"
	"testing"
)

// The commands of the guide are there, with the flags that it gives them.
func TestTracesGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guides/traces.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(guide)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "$" {
			continue
		}
		found++
		c, rest, err := newRoot().Find(words[2:])
		if err == nil {
			err = c.ParseFlags(rest)
		}
		if err == nil {
			err = c.ValidateArgs(c.Flags().Args())
		}
		if err != nil || words[1] != "weft" {
			t.Errorf("%s: %v", strings.TrimSpace(line), err)
		}
	}
	if found < 4 {
		t.Errorf("%d commands in the guide", found)
	}
	for _, name := range []string{"traces-sample", "traces-b3", "traces-megabytes", "traces-age", "traces-to", "otlp"} {
		if f := newServe().Flags().Lookup(name); f == nil || !strings.Contains(string(guide), "--"+name) {
			t.Errorf("--%s: want it in the guide and among the flags", name)
		}
	}
	for _, flag := range []string{"--traces-b3 --traces-sample=0", "--traces-sample=101", "--traces-megabytes=0", "--traces-age=1s", "--traces-to=127.0.0.1:4317"} {
		c := newServe()
		c.SetArgs(append(strings.Fields(flag), "--data", t.TempDir()))
		c.SilenceErrors, c.SilenceUsage = true, true
		if err := c.Execute(); err == nil || !strings.Contains(err.Error(), strings.FieldsFunc(flag, func(r rune) bool { return r == '=' || r == ' ' })[0]) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
