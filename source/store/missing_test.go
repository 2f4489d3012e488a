package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/flow"
	source "weft.dev/source/store"
	"weft.dev/store"
)

// cache is what is between weft and its API server.
type cache struct {
	*httptest.Server
	direct http.Handler

	mu     sync.Mutex
	empty  bool          // it lost its memory: every list is empty, and no watch goes on
	frozen chan struct{} // it passes nothing on until this is closed; nil: it does
}

func newCache(t *testing.T, config *rest.Config) *cache {
	t.Helper()
	to, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	c := &cache{direct: proxy}
	proxy.Transport, proxy.FlushInterval = transport, -1
	proxy.ModifyResponse = func(r *http.Response) error {
		r.Body = gate{r.Body, c}
		return nil
	}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	t.Cleanup(c.CloseClientConnections) // watches would keep it open
	return c
}

func (c *cache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	empty := c.empty
	c.mu.Unlock()
	if !empty {
		c.direct.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if query := r.URL.Query(); query.Get("watch") != "" {
		err := apierrors.NewResourceExpired("it is not known what changed since")
		if query.Get("sendInitialEvents") != "" {
			err = apierrors.NewInvalid(schema.GroupKind{}, "", nil) // as an older server: whoever wants all lists
		}
		w.WriteHeader(int(err.Status().Code))
		json.NewEncoder(w).Encode(err.Status()) //nolint:errcheck // the client sees it
		return
	}
	group := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/apis/"), "/api/")
	group = group[:strings.LastIndex(group, "/")]
	fmt.Fprintf(w, `{"apiVersion":%q,"kind":"AnyList","metadata":{"resourceVersion":"1"},"items":[]}`, group)
}

// loses has it lose its memory, or have it again.
func (c *cache) loses(all bool) {
	c.mu.Lock()
	c.empty = all
	c.mu.Unlock()
	c.CloseClientConnections()
}

// freezes has it pass nothing on until it thaws.
func (c *cache) freezes() (thaw func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	frozen := make(chan struct{})
	c.frozen = frozen
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		close(frozen)
		c.frozen = nil
	}
}

// gate is the body of a response.
type gate struct {
	io.ReadCloser
	of *cache
}

func (g gate) Read(p []byte) (int, error) {
	n, err := g.ReadCloser.Read(p)
	g.of.mu.Lock()
	frozen := g.of.frozen
	g.of.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
	return n, err
}

// follows is a source that reads through the cache, and what it has.
type follows struct {
	t *testing.T
	*source.Source
}

func (c *cache) follows(t *testing.T, kinds ...api.Kind) follows {
	t.Helper()
	s := source.New(newClient(t, &rest.Config{Host: c.URL}), flow.New(flow.Options{}), kinds...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }() //nolint:errcheck // it ends with the test
	t.Cleanup(func() { cancel(); <-ended })
	return follows{t, s}
}

// until waits for a state.
func (f follows) until(what string, is func() bool) {
	f.t.Helper()
	for end := time.Now().Add(deadline); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("%s: never; there are %d rows and problems %v", what, f.Len(), f.Problems.All())
		}
	}
}

// all counts them.
func (f follows) all() (n int) {
	for _, o := range f.All() {
		if o.Kind == api.Resilience {
			n++
		}
	}
	return n
}

func TestFaultyServer(t *testing.T) {
	config, _, stop := serveAt(t, t.TempDir(), "127.0.0.1:0")
	t.Cleanup(stop)
	t.Run("lists nothing", func(t *testing.T) { listsNothing(t, config) })
	t.Run("freezes", func(t *testing.T) { freezes(t, config) })
}

// An API server that was restored from nothing, or a cache that lost its memory, lists
// nothing: everything stays, until the server has it again. What is deleted then is gone.
func listsNothing(t *testing.T, config *rest.Config) {
	all := store.For[v1alpha1.Resilience](newClient(t, config), api.Resilience)
	for i := range 4 {
		create(t, all, newResilience(fmt.Sprintf("f%d", i), 2))
	}
	c := newCache(t, config)
	s := c.follows(t, api.Resilience, api.Namespace)
	s.until("four are read", func() bool { return s.all() == 4 })

	c.loses(true)
	s.until("both kinds are missed", func() bool { return s.Problems.Len() == 2 })
	if s.all() != 4 {
		t.Errorf("%d all are left, want all 4", s.all())
	}
	for _, p := range s.Problems.All() {
		if p.Object.Name == string(api.Resilience) && !strings.Contains(p.Message, "lists 0 and had 4, and deleted none of Resilience/default/f0, ") {
			t.Errorf("the problem is %v", p)
		}
	}
	create(t, all, newResilience("f4", 2))
	c.loses(false)
	s.until("nothing is missed, and what is new is there", func() bool { return s.Problems.Len() == 0 && s.all() == 5 })
	for i := range 5 {
		if err := all.Delete(t.Context(), "default", fmt.Sprintf("f%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	s.until("all are deleted", func() bool { return s.all() == 0 })
	if s.Problems.Len() > 0 {
		t.Errorf("what was deleted is missed: %v", s.Problems.All())
	}
}

// A watch that hangs changes nothing, and what it kept back follows.
func freezes(t *testing.T, config *rest.Config) {
	all := store.For[v1alpha1.Resilience](newClient(t, config), api.Resilience)
	create(t, all, newResilience("old", 2))
	c := newCache(t, config)
	s := c.follows(t, api.Resilience)
	s.until("it is read", func() bool { return s.all() == 1 })

	thaw := c.freezes()
	create(t, all, newResilience("new", 2))
	if err := all.Delete(t.Context(), "default", "old"); err != nil {
		t.Fatal(err)
	}
	if o := s.All(); len(o) != 1 || o[0].Name != "old" {
		t.Errorf("while it hangs there are %v", o)
	}
	thaw()
	s.until("what changed is known", func() bool { return s.all() == 1 && s.All()[0].Name == "new" })
}
