package folder_test

import (
	"os"
	"path/filepath"
	"testing"
)

const (
	library = `{ route(name, weight): {
  apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name: name },
  spec: { hosts: [name], http: [{ route: [{ destination: { host: name }, weight: weight }] }] },
} }`
	programText = `local lib = import '../lib/w.libsonnet';
[[lib.route('web', 7)], { apiVersion: 'v1', kind: 'List', items: [lib.route('api', 1)] }]`
)

// A program is as many objects as it gives, and follows what it imports; what
// goes wrong in a library keeps what was good.
func TestJsonnet(t *testing.T) {
	w := newWorld(t)
	w.write("lib/w.libsonnet", library)
	w.write("apps/all.jsonnet", programText)
	w.start()
	both := w.has("VirtualService/default/api", "VirtualService/default/web")
	if !both() || w.weight() != 7 || !w.says()() {
		t.Fatalf("objects %v, weight %d, problems %v", w.keys(), w.weight(), w.messages())
	}
	w.write("lib/w.libsonnet", "{\n  route(name, weight): error 'out of order' }")
	w.until("the line of the error is told", w.says("File apps/all.jsonnet Invalid  lib/w.libsonnet:2: out of order"))
	if w.weight() != 7 {
		t.Errorf("weight %d: the last good one is gone", w.weight())
	}
	w.must(os.Remove(w.path("lib/w.libsonnet")))
	w.until("a library that is gone is told", w.says("there is no such file"))
	w.write("lib/w.libsonnet", `local old = `+library+`; { route(name, weight): old.route(name, weight + 1) }`)
	w.until("a library that is back is used", func() bool { return w.weight() == 8 && both() && w.says()() })
}

func TestJsonnetRefused(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "x.libsonnet")
	for name, one := range map[string]struct{ text, want string }{
		"syntax":   {"{\n  a: }", "x.jsonnet:2:"},
		"absolute": {"import '" + outside + "'", "leads out of the folder"},
		"above":    {"import '../x.libsonnet'", "leads out of the folder"},
		"link":     {"import 'link.libsonnet'", "escapes"},
		"kind":     {"importstr 'x.txt'", "only *.libsonnet files are imported"},
		"hidden":   {"import '.h/x.libsonnet'", "only *.libsonnet files are imported"},
		"depth":    {"local f(n) = 1 + f(n + 1); f(1)", "max stack frames exceeded"},
		"value":    {"[1]", "x.jsonnet:1: gives"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.must(os.WriteFile(outside, []byte("{}"), 0o644))
			w.must(os.Symlink(outside, w.path("link.libsonnet")))
			w.write("x.jsonnet", one.text)
			w.start()
			if !w.says(one.want)() {
				t.Errorf("want one problem that says %q, got %v", one.want, w.messages())
			}
		})
	}
}
