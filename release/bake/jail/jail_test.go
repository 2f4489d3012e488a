package jail_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/tools/txtar"

	"weft.dev/release/bake"
	"weft.dev/release/bake/jail"
)

// TestMain is the child, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "jailed":
			os.Exit(jail.Child(os.Stdin, os.Stdout))
		case "flood":
			for _, err := os.Stdout.Write(make([]byte, 1<<20)); err == nil; _, err = os.Stdout.Write(make([]byte, 1<<20)) {
			}
		case "probe":
			probe(os.Args[2], os.Args[3:])
		}
	}
	os.Exit(m.Run())
}

var here = jail.Jail{Args: []string{"jailed"}}

func tree(archive string) bake.Tree {
	t := bake.Tree{Files: map[string][]byte{}, Links: map[string]string{}}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		t.Files[f.Name] = f.Data
	}
	return t
}

const (
	chart   = "\n-- Chart.yaml --\napiVersion: v2\nname: c\nversion: 1.0.0\n-- values.yaml --\nn: 1\n-- values.schema.json --\n{\"type\": \"object\"}\n-- templates/a.yaml --\n"
	program = "\n-- main.jsonnet --\n"
	object  = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"
)

// TestBakes: what people bake is baked in the jail as outside of it.
func TestBakes(t *testing.T) {
	for _, c := range []struct {
		kind  bake.Kind
		files string
	}{
		{bake.Helm, chart + object + "data:\n  x: {{ randAlpha 4 | len | quote }}\n  n: {{ now | date \"2006\" | len | quote }}\n"},
		{bake.Kustomize, "\n-- kustomization.yaml --\nresources: [a.yaml]\nnamePrefix: x-\n-- a.yaml --\n" + object},
		{bake.Jsonnet, program + "{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }"},
	} {
		want, err := bake.Render(tree(c.files), bake.Request{Kind: c.kind})
		if err != nil {
			t.Fatal(err)
		}
		got, err := here.Render(t.Context(), tree(c.files), bake.Request{Kind: c.kind})
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %v\n%s\nwant\n%s", c.kind, err, got, want)
		}
	}
}

// TestRefusal: an error is that of the tree, as it is outside of the jail.
func TestRefusal(t *testing.T) {
	_, err := here.Render(t.Context(), tree(program+"import '/etc/passwd'"), bake.Request{Kind: bake.Jsonnet})
	if err == nil || errors.Is(err, jail.ErrOurs) || !strings.Contains(err.Error(), "leads out of what may be read") {
		t.Errorf("got %v", err)
	}
}

// TestBombs: what would take a machine down ends with a reason, and nothing else ends.
func TestBombs(t *testing.T) {
	for name, c := range map[string]struct {
		kind  bake.Kind
		files bake.Tree
		want  string
	}{
		"10 GB of text":   {bake.Jsonnet, tree(program + "{ a: std.length(std.repeat('0123456789', 1000000000)) }"), "512 MB"},
		"endless values":  {bake.Jsonnet, tree(program + "local f(x) = [x] + f(x + 1); f(0)"), "max stack frames"},
		"endless calls":   {bake.Jsonnet, tree(program + "local f(x) = if x < 0 then 0 else f(x + 1) tailstrict; f(0)"), "without an end"},
		"10 GB in a list": {bake.Jsonnet, tree(program + "std.makeArray(1000000000, function(i) { a: i })"), "512 MB"},
		"10 GB of chart":  {bake.Helm, tree(chart + "{{ range $i := until 1000000000 }}x{{ end }}"), "512 MB"},
		"tar bomb":        {bake.Helm, withArchive(t, 128<<20), "maximum size"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := here.Render(t.Context(), c.files, bake.Request{Kind: c.kind})
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, jail.ErrOurs) {
				t.Errorf("want %q, got %v, %d bytes", c.want, err, len(got))
			}
		})
	}
}

// withArchive is a chart with a packed chart of so many zeros.
func withArchive(t *testing.T, size int64) bake.Tree {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	zeros := make([]byte, 1<<20)
	err := w.WriteHeader(&tar.Header{Name: "d/zeros", Mode: 0o600, Size: size})
	for n := int64(0); err == nil && n < size; n += int64(len(zeros)) {
		_, err = w.Write(zeros)
	}
	if err := errors.Join(err, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	all := tree(chart + object)
	all.Files["charts/d-1.0.0.tgz"] = out.Bytes()
	return all
}

// TestEnd: a child that goes on for ever ends with whoever waits for it.
func TestEnd(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	endless := chart + "{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}"
	_, err := here.Render(ctx, tree(endless), bake.Request{Kind: bake.Helm})
	if err == nil || !strings.Contains(err.Error(), "takes longer") {
		t.Errorf("got %v", err)
	}
}

// TestFlood: what gives too much is not kept.
func TestFlood(t *testing.T) {
	_, err := jail.Jail{Args: []string{"flood"}}.Render(t.Context(), tree(program), bake.Request{Kind: bake.Jsonnet})
	if err == nil || !strings.Contains(err.Error(), "more than 100 MB") {
		t.Errorf("got %v", err)
	}
}

// TestOwnFault: a child that is none is not the tree's fault.
func TestOwnFault(t *testing.T) {
	_, err := jail.Jail{Args: []string{"probe", "exit"}}.Render(t.Context(), tree(program), bake.Request{Kind: bake.Jsonnet})
	if !errors.Is(err, jail.ErrOurs) {
		t.Errorf("got %v", err)
	}
}

// probe tries what no bake may do, after the walls that are named are up, and says
// what went well.
func probe(walls string, args []string) {
	if strings.Contains(walls, "exit") {
		fmt.Fprintln(os.Stderr, "there is nothing")
		os.Exit(3)
	}
	file, address := args[0], args[1]
	if strings.Contains(walls, "calls") {
		if err := jail.ConfineSelf(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	try := func(what string, f func() error) {
		if err := f(); err == nil {
			fmt.Println(what)
		}
	}
	try("read", func() error { _, err := os.ReadFile(file); return err })
	try("list", func() error { _, err := os.ReadDir("/"); return err })
	try("write", func() error { return os.WriteFile(file+".new", nil, 0o600) })
	try("change", func() error { return os.Truncate(file, 0) })
	try("remove", func() error { return os.Remove(file + ".old") })
	try("tcp", func() error { return dial("tcp", address) })
	try("udp", func() error { return dial("udp", address) })
	try("run", func() error {
		p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
		if err == nil {
			_, err = p.Wait()
		}
		return err
	})
	try("signal", func() error { return unix.Kill(os.Getppid(), 0) })
	try("memory", func() error { _, err := unix.MemfdCreate("x", 0); return err })
	fmt.Println("environment", len(os.Environ()))
	os.Exit(0)
}
