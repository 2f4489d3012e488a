package memory_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/scope"
	"weft.dev/scope/memory"
	"weft.dev/store"
	"weft.dev/test/apiserver"
)

const deadline = 30 * time.Second // of anything that a test waits for

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scope.json")
	conformance(t, func(t *testing.T) scope.Memory { return openFile(t, path) })
	left, err := filepath.Glob(path + ".*")
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scope.json")
	if err := os.WriteFile(path, []byte(`[{"host":`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := memory.OpenFile(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("opened: %v", err)
	}
}

// A file that cannot be written keeps what it has, and says so.
func TestFileThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f := openFile(t, filepath.Join(dir, "scope.json"))
	if err := f.Change(t.Context(), []scope.Account{web}, to(row("a"))); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := f.Change(t.Context(), []scope.Account{web}, to(row("b"))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("changed without a folder: %v", err)
	}
	if all, _ := f.List(t.Context()); hosts(all) != "a" {
		t.Errorf("keeps %v", all)
	}
}

func openFile(t *testing.T, path string) *memory.File {
	t.Helper()
	f, err := memory.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestStore(t *testing.T) {
	client := apiserver.Start(t, "shop")
	conformance(t, func(*testing.T) scope.Memory { return memory.NewStore(client) })
	peopleAndServers(t, client)
}

// peopleAndServers write one object: nobody's part is lost.
func peopleAndServers(t *testing.T, client *store.Client) {
	scopes := store.For[v1alpha1.Scope](client, api.Scope)
	mine := &v1alpha1.Scope{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "mine"}}
	mine.Spec.Services, mine.Spec.Mode = []string{"ratings"}, v1alpha1.ScopeLearn
	if _, err := scopes.Create(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	a := scope.Account{Namespace: "shop", Name: "mine"}
	servers := []scope.Memory{memory.NewStore(client), memory.NewStore(client), memory.NewStore(client)}
	var writers sync.WaitGroup
	for i, server := range servers {
		writers.Go(func() {
			for j := range 3 {
				err := server.Change(t.Context(), []scope.Account{a}, func(a scope.Account, kept []model.Learned) []model.Learned {
					l := row(fmt.Sprintf("h%d%d", i, j))
					l.Account = a.Name
					return append(kept, l)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	got, err := scopes.Get(t.Context(), "shop", "mine")
	if err != nil || len(got.Status.Learned) != 9 || len(got.Spec.Services) != 1 || got.Generation != 1 {
		t.Errorf("the object is %+v, %v", got, err)
	}
	missing := scope.Account{Namespace: "nowhere", Name: "x"}
	err = servers[0].Change(t.Context(), []scope.Account{missing, web}, to(row("after")))
	if err == nil || !strings.Contains(err.Error(), "nowhere/x") {
		t.Errorf("written where there is no namespace: %v", err)
	}
	if all, _ := servers[1].List(t.Context()); !strings.Contains(hosts(all), "after") {
		t.Error("one failure stopped the others")
	}
}

var web = scope.Account{Namespace: "shop", Name: "web"}
var batch = scope.Account{Namespace: "shop", Name: "batch"}

func row(host string) model.Learned {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return model.Learned{Namespace: "shop", Account: "web", Host: host, How: model.OnDemand, First: at, Last: at.Add(time.Hour)}
}

// to is a change that knows what is right.
func to(all ...model.Learned) func(scope.Account, []model.Learned) []model.Learned {
	return func(a scope.Account, _ []model.Learned) []model.Learned {
		rows := slices.Clone(all)
		for i := range rows {
			rows[i].Namespace, rows[i].Account = a.Namespace, a.Name
		}
		return rows
	}
}

func hosts(all []model.Learned) string {
	var names []string
	for _, l := range all {
		names = append(names, l.Host)
	}
	return strings.Join(names, " ")
}

// conformance is what a Recorder relies on. Whoever opens a memory a second
// time finds what the first one was told.
func conformance(t *testing.T, open func(*testing.T) scope.Memory) {
	m := open(t)
	if all, err := m.List(t.Context()); err != nil || len(all) > 0 {
		t.Fatalf("a new memory has %v, %v", all, err)
	}
	if err := m.Change(t.Context(), []scope.Account{web, batch}, to(row("a"), row("b"))); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	told, ended := make(chan string, 100), make(chan error, 1)
	go func() {
		ended <- m.Watch(ctx, func(a scope.Account, kept []model.Learned) { told <- a.String() + ": " + hosts(kept) })
	}()
	expect(t, told, "shop/web: a b", "shop/batch: a b")

	if err := m.Change(t.Context(), []scope.Account{web}, to(row("b"), row("c"))); err != nil {
		t.Fatal(err)
	}
	expect(t, told, "shop/web: b c")
	same := func(_ scope.Account, kept []model.Learned) []model.Learned { return kept }
	if err := m.Change(t.Context(), []scope.Account{web, batch, {Namespace: "shop", Name: "none"}}, same); err != nil {
		t.Fatal(err)
	}
	if err := m.Change(t.Context(), []scope.Account{batch}, to()); err != nil {
		t.Fatal(err)
	}
	expect(t, told, "shop/batch: ") // and nothing of what did not change before it

	again, err := open(t).List(t.Context())
	want := []model.Learned{row("b"), row("c")}
	if err != nil || !slices.EqualFunc(again, want, model.Learned.Equal) {
		t.Errorf("kept: %v, %v", again, err)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the watch ended with %v", err)
	}
}

// expect waits for some words in any order, and no others.
func expect(t *testing.T, told <-chan string, words ...string) {
	t.Helper()
	for left := slices.Clone(words); len(left) > 0; {
		select {
		case word := <-told:
			i := slices.Index(left, word)
			if i < 0 {
				t.Fatalf("told %q, want one of %q", word, left)
			}
			left = slices.Delete(left, i, i+1)
		case <-time.After(deadline):
			t.Fatalf("never told %q", left)
		}
	}
}
