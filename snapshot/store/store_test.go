package store_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weft.dev/snapshot/store"
	"weft.dev/test/objectstore"
)

// shelf is a web server that keeps what it is given, as RFC 9110 says.
type shelf struct {
	mu    sync.Mutex
	files map[string][]byte
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, there := s.files[r.URL.Path]
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(data))
	switch match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match"); {
	case r.Method == http.MethodPut && (none == "*" && there || match != "" && (!there || match != tag)):
		w.WriteHeader(http.StatusPreconditionFailed)
	case r.Method == http.MethodPut:
		s.files[r.URL.Path], _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusCreated)
	case !there:
		w.WriteHeader(http.StatusNotFound)
	case none == tag:
		w.WriteHeader(http.StatusNotModified)
	default:
		w.Header().Set("ETag", tag)
		_, _ = w.Write(data)
	}
}

// places are a target and an endpoint of each kind.
func places(t *testing.T) map[string][2]string {
	t.Helper()
	server := httptest.NewServer(&shelf{files: map[string][]byte{}})
	t.Cleanup(server.Close)
	all := map[string][2]string{
		"folder": {t.TempDir() + "/new", ""},
		"web":    {server.URL + "/some/where", ""},
	}
	if !testing.Short() {
		objectstore.Enter(t)
		all["s3"] = [2]string{"s3://" + objectstore.Bucket + "/a prefix", objectstore.Start(t)}
	}
	return all
}

func TestEveryStore(t *testing.T) {
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			s, err := store.OpenWriter(place[0], place[1])
			if err != nil {
				t.Fatal(err)
			}
			readsAndSwaps(t, s)
			if all, ok := s.(store.Lister); ok {
				listsAndRemoves(t, all)
			} else if name != "web" {
				t.Error("it lists nothing")
			}
		})
	}
}

func readsAndSwaps(t *testing.T, s store.Writer) {
	read := func(known, want string) (tag string) {
		t.Helper()
		data, tag, err := s.Read(t.Context(), "index", known, 100)
		if err != nil || string(data) != want || tag == "" || (data == nil) != (tag == known) {
			t.Fatalf("got %q, tag %q, %v, want %q", data, tag, err, want)
		}
		return tag
	}
	swap := func(tag, data string, want error) {
		t.Helper()
		if err := s.Swap(t.Context(), "index", tag, []byte(data)); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	if _, _, err := s.Read(t.Context(), "index", "", 100); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v for what is not there", err)
	}
	swap(`"0"`, "never", store.ErrChanged)
	swap("", "one", nil)
	swap("", "never", store.ErrChanged)
	one := read("", "one")
	read(one, "")
	swap(one, "two", nil)
	swap(one, "never", store.ErrChanged)
	two := read(one, "two")
	if err := s.Put(t.Context(), "index", bytes.Repeat([]byte("x"), 100)); err != nil {
		t.Fatal(err)
	}
	read(two, strings.Repeat("x", 100))
	if _, _, err := s.Read(t.Context(), "index", "", 99); err == nil || !strings.Contains(err.Error(), "more than 99 bytes") {
		t.Errorf("got %v for what is too long", err)
	}
	if err := s.Put(t.Context(), "nothing", nil); err != nil {
		t.Fatal(err)
	}
	if data, _, err := s.Read(t.Context(), "nothing", "", 9); err != nil || data == nil || len(data) != 0 {
		t.Errorf("got %v, %v for an empty file", data, err)
	}
}

func listsAndRemoves(t *testing.T, s store.Lister) {
	if all, err := s.List(t.Context(), "views/"); err != nil || len(all) != 0 {
		t.Fatalf("got %v, %v of a folder that is not there", all, err)
	}
	var want []string
	for i := range 3 {
		want = append(want, fmt.Sprint("views/", i))
		if err := s.Put(t.Context(), want[i], []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	names := func() (names []string) {
		t.Helper()
		all, err := s.List(t.Context(), "views/")
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range all {
			if age := time.Since(one.Written); age < -time.Hour || age > time.Hour {
				t.Errorf("%s is %v old", one.Name, age)
			}
			names = append(names, one.Name)
		}
		return names
	}
	if got := names(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for range 2 {
		if err := s.Remove(t.Context(), want[1]); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(); !slices.Equal(got, []string{want[0], want[2]}) {
		t.Errorf("got %v, want all but %v", got, want[1])
	}
}

// Of writers who come at once, one wins, and what it wrote is there.
func TestSwapAtOnce(t *testing.T) {
	all := places(t)
	delete(all, "s3") // moto looks first and writes then: Amazon's API does not
	for name, place := range all {
		t.Run(name, func(t *testing.T) {
			s, err := store.OpenWriter(place[0], place[1])
			if err != nil {
				t.Fatal(err)
			}
			results := make([]error, 8)
			var group sync.WaitGroup
			for i := range results {
				group.Go(func() { results[i] = s.Swap(t.Context(), "index", "", []byte{byte(i)}) })
			}
			group.Wait()
			data, _, err := s.Read(t.Context(), "index", "", 9)
			if err != nil {
				t.Fatal(err)
			}
			for i, result := range results {
				if i == int(data[0]) && result != nil || i != int(data[0]) && !errors.Is(result, store.ErrChanged) {
					t.Errorf("writer %d got %v, %d won", i, result, data[0])
				}
			}
		})
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"trouble":   {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "come\nlater", 503) }, "503 Service Unavailable: come later"},
		"forbidden": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "403 Forbidden: "},
		"truncated": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = w.Write([]byte("half"))
		}, "unexpected EOF"},
		"without end": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 101)) }, "more than 100 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			s, err := store.OpenReader(strings.Replace(server.URL, "//", "//user:secret@", 1), "")
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = s.Read(t.Context(), "index", "", 100)
			if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q in it", err, c.says)
			}
			if text := fmt.Sprint(s, err); strings.Contains(text, "secret") {
				t.Errorf("the password is in %q", text)
			}
		})
	}
}

// Who is refused without credentials is told that there were none.
func TestNoCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY", "AWS_SECRET_KEY"} {
		t.Setenv(name, "")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.URL)
	for target, told := range map[string]bool{
		"s3://bucket/x": true, server.URL: true, strings.Replace(server.URL, "//", "//me:secret@", 1): false,
	} {
		s, err := store.OpenReader(target, server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = s.Read(t.Context(), "index", "", 100)
		if err == nil || strings.Contains(err.Error(), "no credentials were found") != told {
			t.Errorf("%s: got %v, told: %v", s, err, told)
		}
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "me")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	s, err := store.OpenReader("s3://bucket/x", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = s.Read(t.Context(), "index", "", 100); err == nil || strings.Contains(err.Error(), "no credentials") {
		t.Errorf("with credentials: got %v", err)
	}
}

// A server that compresses on the way has given another file.
func TestFilesAreReadAsTheyAre(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("it is asked to be compressed: %v", r.Header)
		}
		w.Header().Set("ETag", `W/"1"`)
		_, _ = w.Write([]byte("as it is"))
	}))
	defer server.Close()
	s, err := store.OpenWriter(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	_, tag, err := s.Read(t.Context(), "index", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Swap(t.Context(), "index", tag, nil); err == nil || !strings.Contains(err.Error(), "weak ETag") {
		t.Errorf("it was replaced by a tag that does not stand for every byte: %v", err)
	}
}

func TestTargets(t *testing.T) {
	for _, target := range []string{"", "ftp://host/x", "s3:///x", "https:///x"} {
		if s, err := store.OpenReader(target, ""); err == nil {
			t.Errorf("%q is the place %v", target, s)
		}
	}
	if _, err := store.OpenReader("s3://bucket", "no url"); err == nil {
		t.Error("an endpoint without a host is taken")
	}
	t.Setenv("AWS_REGION", "eu-west-1")
	for bucket, want := range map[string]string{"bucket": "https://bucket.s3.eu-west-1.amazonaws.com", "a.bucket": "https://s3.eu-west-1.amazonaws.com/a.bucket"} {
		if got := store.BucketURL(bucket, "", "eu-west-1"); got != want {
			t.Errorf("%s is at %s, want %s", bucket, got, want)
		}
	}
	if s, err := store.OpenReader("s3://bucket/x", ""); err != nil || s.String() != "s3://bucket/x" {
		t.Errorf("got %v, %v", s, err)
	}
}

// Nobody finds a half of a file, and nothing is left of those that were written.
func TestAFolderStaysTidy(t *testing.T) {
	dir := t.TempDir()
	s, err := store.OpenWriter(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := s.Put(t.Context(), "index", []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("got %v, %v, want one file", files, err)
	}
}
