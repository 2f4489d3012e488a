package publish_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"time"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
	"weft.dev/snapshot"
	"weft.dev/snapshot/publish"
	"weft.dev/snapshot/store"
)

var (
	key     = ed25519.NewKeyFromSeed(bytes.Repeat([]byte("k"), ed25519.SeedSize))
	other   = ed25519.NewKeyFromSeed(bytes.Repeat([]byte("o"), ed25519.SeedSize))
	trusted = []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}
)

// viewOf is a view with clusters of these services, of which some are "NAME down".
func viewOf(services ...string) []byte {
	var all []*model.Resource
	for _, name := range services {
		name, down := strings.CutSuffix(name, " down")
		cluster := model.ClusterName(name, 80, "")
		all = append(all, model.NewResource(model.Resource{Type: model.TypeCluster, Name: cluster}))
		endpoints := &endpointv3.ClusterLoadAssignment{ClusterName: cluster}
		if !down {
			endpoints.Endpoints = []*endpointv3.LocalityLbEndpoints{{Priority: 1}}
		}
		body, err := proto.Marshal(endpoints)
		if err != nil {
			panic(err)
		}
		all = append(all, model.NewResource(model.Resource{Type: model.TypeEndpoint, Name: cluster, Body: body}))
	}
	return snapshot.EncodeView(all)
}

// request is of a proxy, shop/PROXY, that knows some services.
func request(revision, proxy string, services ...string) publish.Request {
	view := viewOf(services...)
	return publish.Request{
		Proxies: map[string]snapshot.Digest{"shop/" + proxy: snapshot.DigestOf(view)}, Views: map[snapshot.Digest][]byte{snapshot.DigestOf(view): view},
		Revision: revision, Key: key, AllowRemovals: true, Follows: func(context.Context, string) error { return nil },
		Check: func(context.Context, []snapshot.Digest) error { return nil },
	}
}

// with adds another proxy.
func with(r publish.Request, proxy string, services ...string) publish.Request {
	view := viewOf(services...)
	r.Proxies["shop/"+proxy], r.Views[snapshot.DigestOf(view)] = snapshot.DigestOf(view), view
	return r
}

func guarded(r publish.Request) publish.Request {
	r.AllowRemovals = false
	return r
}

func must(t *testing.T, at store.Writer, r publish.Request) publish.Result {
	t.Helper()
	result, err := publish.Publish(t.Context(), at, r)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func index(t *testing.T, at store.Reader) snapshot.Index {
	t.Helper()
	data, _, err := at.Read(t.Context(), snapshot.IndexFile, "", snapshot.MaxIndex)
	if err != nil {
		t.Fatal(err)
	}
	x, err := snapshot.Open(data, trusted)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestPublish(t *testing.T) {
	at := newMemory()
	first := with(guarded(request("r1", "a", "one", "two")), "b", "three")
	for _, want := range []publish.Result{{1, "r1", 2, 2, true}, {1, "r1", 2, 0, false}} {
		if got := must(t, at, first); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	second := with(guarded(request("r2", "a", "one", "two", "four")), "b", "three")
	if got, want := must(t, at, second), (publish.Result{2, "r2", 2, 1, true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// The same content of a later commit is told: what comes before that is old now.
	second.Revision = "r3"
	if got, want := must(t, at, second), (publish.Result{3, "r3", 2, 0, true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if x := index(t, at); x.Removals != 0 || !reflect.DeepEqual(x.Views, second.Proxies) {
		t.Errorf("got %+v", x)
	}
	second.AllowRemovals, second.Force = true, true
	if got, want := must(t, at, second), (publish.Result{4, "r3", 2, 2, true}); got != want || index(t, at).Removals != 4 {
		t.Errorf("by force: got %+v, want %+v", got, want)
	}
	third := guarded(second)
	third.Force, third.Revision = false, "r5"
	must(t, at, third)
	if x := index(t, at); x.Sequence != 5 || x.Removals != 4 {
		t.Errorf("got sequence %d, removals %d, want 5 and 4", x.Sequence, x.Removals)
	}
}

// What is in use was checked before; what is refused is not put anywhere.
func TestCheck(t *testing.T) {
	at := newMemory()
	must(t, at, with(request("r1", "a", "one"), "b", "two"))
	before := at.count
	var asked []snapshot.Digest
	r := with(guarded(request("r2", "a", "one")), "b", "two", "three")
	r.Check = func(_ context.Context, views []snapshot.Digest) error { asked = views; return errLost }
	if _, err := publish.Publish(t.Context(), at, r); !errors.Is(err, errLost) || at.count != before {
		t.Errorf("got %v after %d writes", err, at.count-before)
	}
	if len(asked) != 1 || asked[0] != r.Proxies["shop/b"] {
		t.Errorf("asked of %v, want the view of b", asked)
	}
}

func TestOldRevisions(t *testing.T) {
	at := newMemory()
	must(t, at, request("new", "a", "one"))
	old := request("old", "a", "two")
	old.Follows = func(_ context.Context, published string) error {
		return fmt.Errorf("%s: %w", published, publish.ErrStale)
	}
	if _, err := publish.Publish(t.Context(), at, old); !errors.Is(err, publish.ErrStale) || !strings.Contains(err.Error(), "new") {
		t.Errorf("got %v, want ErrStale", err)
	}
	if index(t, at).Revision != "new" {
		t.Error("it was published")
	}
	old.Force = true
	if got := must(t, at, old); got.Sequence != 2 {
		t.Errorf("by force: got %+v", got)
	}
}

// Who was paused has read an index that is old when it goes on.
func TestPausedPublisher(t *testing.T) {
	at := newMemory()
	must(t, at, request("r1", "a", "one"))
	arrive, turn, ended := make(chan int), make(chan fault), make(chan error)
	go func() {
		_, err := publish.Publish(t.Context(), turns{at, arrive, turn, 0}, request("paused", "a", "late"))
		ended <- err
	}()
	<-arrive
	turn <- none // it has read the index
	<-arrive
	must(t, at, request("r2", "a", "two"))
	for {
		select {
		case turn <- none:
		case <-arrive:
		case err := <-ended:
			if !errors.Is(err, publish.ErrStale) || index(t, at).Revision != "r2" {
				t.Errorf("got %v, and %s is published, want ErrStale and r2", err, index(t, at).Revision)
			}
			return
		}
	}
}

func TestRemovals(t *testing.T) {
	twenty := strings.Fields("a b c d e f g h i j k l m n o p q r s t")
	for name, c := range map[string]struct {
		before, after publish.Request
		says          string // "": it is published
	}{
		"nothing":                  {request("", "a", twenty...), request("", "a", append(twenty, "u")...), ""},
		"a few of many":            {request("", "a", twenty...), request("", "a", twenty[3:]...), ""},
		"many":                     {request("", "a", twenty...), request("", "a", twenty[4:]...), "proxy shop/a loses 4 of 20 clusters that have endpoints: a:80, b:80, c:80, ..."},
		"one of three":             {request("", "a", "x", "y", "z"), request("", "a", "x", "y"), ""},
		"all":                      {request("", "a", "x"), request("", "a"), "shop/a loses 1 of 1 clusters that have endpoints: x:80"},
		"all endpoints":            {request("", "a", "x", "y"), request("", "a", "x down", "y down"), "shop/a loses 2 of 2 clusters that have endpoints"},
		"what was down":            {request("", "a", "x down", "y"), request("", "a", "y"), ""},
		"others, as many":          {request("", "a", "x", "y", "z"), request("", "a", "1", "2", "3"), "loses 3 of 3"},
		"a proxy":                  {with(request("", "a", "x"), "b", "x"), request("", "b", "x"), "proxy shop/a gets nothing any more"},
		"of the second proxy only": {with(request("", "a", "x"), "b", twenty...), with(request("", "a", "x"), "b", twenty[9:]...), "proxy shop/b loses 9 of 20"},
	} {
		t.Run(name, func(t *testing.T) {
			at := newMemory()
			must(t, at, c.before)
			_, err := publish.Publish(t.Context(), at, guarded(c.after))
			var refused *publish.RemovalError
			if c.says == "" && err != nil || c.says != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), c.says)) {
				t.Fatalf("got %v, want %q", err, c.says)
			}
			if want := min(len(c.says), 1); int(index(t, at).Sequence) != 2-want {
				t.Errorf("sequence %d", index(t, at).Sequence)
			}
		})
	}
}

// What cannot be compared is not waved through.
func TestRemovalsOfWhatIsGone(t *testing.T) {
	at := newMemory()
	r := request("r1", "a", "one")
	must(t, at, r)
	_ = at.Remove(t.Context(), r.Proxies["shop/a"].Path())
	if _, err := publish.Publish(t.Context(), at, guarded(request("r2", "a", "one", "two"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that the view is not there", err)
	}
}

func TestIndexesThatAreNotReplaced(t *testing.T) {
	foreign := request("r1", "a", "one")
	foreign.Key = other
	for name, spoil := range map[string]func(*memory){
		"foreign": func(m *memory) { must(t, m, foreign) },
		"empty":   func(m *memory) { _ = m.Put(t.Context(), snapshot.IndexFile, nil) },
		"lost": func(m *memory) {
			must(t, m, request("r1", "a", "one"))
			must(t, m, request("r2", "a", "two"))
			_ = m.Remove(t.Context(), snapshot.IndexFile)
		},
	} {
		t.Run(name, func(t *testing.T) {
			at := newMemory()
			spoil(at)
			before := at.count
			if _, err := publish.Publish(t.Context(), at, request("r3", "a", "one")); err == nil || at.count != before {
				t.Errorf("got %v after %d writes, want an error and none", err, at.count-before)
			}
		})
	}
	at := newMemory()
	must(t, at, foreign)
	successor := request("r2", "a", "two")
	successor.Trusted = []ed25519.PublicKey{other.Public().(ed25519.PublicKey)}
	if got := must(t, at, successor); got.Sequence != 2 {
		t.Errorf("a key follows another one: got %+v", got)
	}
}

func TestPrune(t *testing.T) {
	at := newMemory()
	for i, service := range []string{"one", "two", "three"} {
		must(t, at, request(fmt.Sprint(i), "a", service))
	}
	_ = at.Put(t.Context(), snapshot.DigestOf(nil).Path(), nil) // of a publisher that lost
	prune := func(age time.Duration, want int) {
		t.Helper()
		if got, err := publish.Prune(t.Context(), at, trusted, time.Now().Add(age)); err != nil || got != want {
			t.Errorf("%d removed, %v, want %d", got, err, want)
		}
	}
	prune(publish.KeepFor-time.Minute, 0)
	// One was replaced long ago, two just now: its view is old, and may still be asked for.
	age := func(name string) {
		f := at.files[name]
		f.written = f.written.Add(-publish.KeepFor - time.Minute)
		at.files[name] = f
	}
	for _, service := range []string{"one", "two", "three"} {
		age(snapshot.DigestOf(viewOf(service)).Path())
	}
	age("indexes/1.json")
	prune(0, 2)
	for service, want := range map[string]bool{"one": false, "two": true, "three": true} {
		if _, there := at.files[snapshot.DigestOf(viewOf(service)).Path()]; there != want {
			t.Errorf("the view of %s: %v, want %v", service, there, want)
		}
	}
	prune(publish.KeepFor+time.Minute, 3) // what is published stays for ever
	if x := index(t, at); at.files[x.Views["shop/a"].Path()].tag == "" {
		t.Error("what is published was removed")
	}
}

// deaf does what it is asked, and its answers are lost.
type deaf struct{ *memory }

func (d deaf) Swap(ctx context.Context, name, tag string, data []byte) error {
	if err := d.memory.Swap(ctx, name, tag, data); err != nil {
		return err
	}
	return errLost
}

func TestLostAnswer(t *testing.T) {
	if got := must(t, deaf{newMemory()}, request("r1", "a", "one")); got.Sequence != 1 || !got.Changed {
		t.Errorf("got %+v", got)
	}
}

// careless is a server that does not know If-Match.
type careless struct{ *memory }

func (c careless) Swap(ctx context.Context, name, _ string, data []byte) error {
	return c.Put(ctx, name, data)
}

func TestPlaceWithoutCompareAndSwap(t *testing.T) {
	at := newMemory()
	if _, err := publish.Publish(t.Context(), careless{at}, request("r1", "a", "one")); err == nil || !strings.Contains(err.Error(), "If-Match") {
		t.Errorf("got %v", err)
	}
	if _, there := at.files[snapshot.IndexFile]; there {
		t.Error("it was published")
	}
}
