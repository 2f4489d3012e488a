package xds

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weft.dev/model"
)

// script drives one session by hand. Views are written as words:
// "Cluster/a=1" is a resource with a body, "RouteConfiguration/r=1<a,b" one
// that needs clusters a and b, "VirtualHost/v=1~x" one with alias x. Responses read "Cluster +a -b".
type script struct {
	t     *testing.T
	s     *Session
	rev   uint64
	last  map[model.Type]*Response
	ready []*Response
}

func newScript(t *testing.T) *script {
	return &script{t: t, s: NewSession(Limits{}), last: map[model.Type]*Response{}}
}

func (s *script) view(words string) {
	s.rev++
	var all []*model.Resource
	for _, w := range strings.Fields(words) {
		w, needs, _ := strings.Cut(w, "<")
		parts := strings.Split(w, "~")
		w, aliases := parts[0], parts[1:]
		kind, rest, _ := strings.Cut(w, "/")
		name, body, _ := strings.Cut(rest, "=")
		t, ok := model.TypeOf(kind)
		if !ok {
			s.t.Fatalf("no type %q", kind)
		}
		all = append(all, model.NewResource(model.Resource{
			Type: t, Name: name, Body: []byte(body), Aliases: aliases,
			Needs: strings.FieldsFunc(needs, func(r rune) bool { return r == ',' }),
		}))
	}
	s.s.Update(&model.View{Scope: "s", Layers: []*model.Layer{model.NewLayer("l", all...)}}, s.rev)
}

func (s *script) ask(r Request) {
	s.t.Helper()
	if err := s.s.Request(r); err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) ack(t model.Type) { s.t.Helper(); s.ask(Request{Type: t, Nonce: s.last[t].Nonce}) }

func (s *script) nack(t model.Type, reason string) {
	s.t.Helper()
	s.ask(Request{Type: t, Nonce: s.last[t].Nonce, Refused: true, Reason: reason})
}

// says checks all that the session sends now.
func (s *script) says(want ...string) {
	s.t.Helper()
	got := []string{}
	for r := s.s.Next(); r != nil; r = s.s.Next() {
		s.last[r.Type] = r
		text := r.Type.String()
		for _, res := range r.Resources {
			text += " +" + res.Name
		}
		for _, name := range r.Removed {
			text += " -" + name
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		s.t.Fatalf("sent %q, want %q", got, want)
	}
}

func TestANewServiceComesClusterFirstAndLeavesClusterLast(t *testing.T) {
	s := newScript(t)
	s.view("Cluster/a=1 ClusterLoadAssignment/a=1 Listener/l=1 RouteConfiguration/r=1<a")
	s.ask(Request{Type: cluster})
	s.says("Cluster +a")
	s.ask(Request{Type: endpoint, Subscribe: []string{"a"}})
	s.says("ClusterLoadAssignment +a") // though the cluster is not acknowledged: it cannot be without them
	s.ack(endpoint)
	s.ask(Request{Type: listener})
	s.ask(Request{Type: route, Subscribe: []string{"r"}})
	s.says("Listener +l")
	s.ack(cluster)
	s.says("RouteConfiguration +r")
	s.ack(route)
	s.ack(listener)
	s.says()

	s.view("Cluster/a=1 ClusterLoadAssignment/a=1 Cluster/b=1 ClusterLoadAssignment/b=1 Listener/l=1 RouteConfiguration/r=2<a,b")
	s.says("Cluster +b")
	s.ask(Request{Type: endpoint, Subscribe: []string{"b"}})
	s.says("ClusterLoadAssignment +b")
	s.ack(endpoint)
	s.ack(cluster)
	s.says("RouteConfiguration +r")
	s.ack(route)

	s.view("Cluster/a=1 ClusterLoadAssignment/a=1 Listener/l=1 RouteConfiguration/r=1<a")
	s.says("RouteConfiguration +r")
	s.ack(route)
	s.says("Cluster -b")
	if s.s.Status().Synced {
		t.Error("in step before the removal is acknowledged")
	}
	s.ack(cluster)
	s.says()
	if st := s.s.Status(); !st.Synced || st.Revision != 3 {
		t.Errorf("status %+v", st)
	}
}

// An Envoy asks for the filters of a listener that is gone until its last connection there has ended, minutes
// later, and may call their cluster until then: it stays, and the proxy is in step without its removal.
func TestAFilterKeepsItsClusterAsLongAsItIsAskedFor(t *testing.T) {
	s := newScript(t)
	extension := model.TypeExtension
	s.view("Cluster/a=1 Listener/l=1 TypedExtensionConfig/f=1<a")
	s.ask(Request{Type: cluster})
	s.ask(Request{Type: listener})
	s.says("Cluster +a", "Listener +l")
	s.ack(cluster)
	s.ack(listener)
	s.ask(Request{Type: extension, Subscribe: []string{"f"}})
	s.says("TypedExtensionConfig +f")
	s.ack(extension)

	s.view("Listener/l=2")
	s.says("Listener +l")
	if s.s.Status().Synced {
		t.Error("in step before the listener is acknowledged")
	}
	s.ack(listener)
	s.says()
	if st := s.s.Status(); !st.Synced || st.Revision != 2 {
		t.Errorf("status %+v, want it in step", st)
	}
	s.ask(Request{Type: extension, Unsubscribe: []string{"f"}})
	s.says("Cluster -a")
}

// Hosts of a new table may be there before Envoy asks for the table, and drops them: they come again behind it.
func TestHostsFollowTheirNewTable(t *testing.T) {
	s := newScript(t)
	s.view("Listener/l=1 RouteConfiguration/r=1 VirtualHost/r/a=1")
	s.ask(Request{Type: listener})
	s.ask(Request{Type: route, Subscribe: []string{"r"}})
	s.says("Listener +l", "RouteConfiguration +r")
	s.ack(listener)
	s.ask(Request{Type: host})
	s.says("VirtualHost +r/a")
	s.ack(route)
	s.ack(host)
	s.says()

	s.view("Listener/l=2 RouteConfiguration/r=1 VirtualHost/r/a=1 RouteConfiguration/q=1 VirtualHost/q/b=1")
	s.says("Listener +l", "VirtualHost +q/b")
	s.ack(host)
	s.ack(listener)
	s.ask(Request{Type: route, Subscribe: []string{"q"}})
	s.says("RouteConfiguration +q", "VirtualHost +q/b")
	s.ack(host)
	s.ack(route)
	s.says()

	s.view("Listener/l=2 RouteConfiguration/r=1 VirtualHost/r/a=1 RouteConfiguration/q=2 VirtualHost/q/b=1")
	s.says("RouteConfiguration +q") // they are there
}

func TestHostsFollowATableThatIsAskedForAmongThem(t *testing.T) {
	s := newScript(t)
	s.view("Listener/l=1 RouteConfiguration/r=1 VirtualHost/r/a=1 RouteConfiguration/q=1 VirtualHost/q/b=1")
	s.ask(Request{Type: listener})
	s.ask(Request{Type: route, Subscribe: []string{"r"}})
	s.says("Listener +l", "RouteConfiguration +r")
	s.ask(Request{Type: host})
	s.says("VirtualHost +q/b +r/a")
	s.ack(route)
	s.ask(Request{Type: route, Subscribe: []string{"q"}})
	s.says("RouteConfiguration +q")
	s.ack(host)
	s.says("VirtualHost +q/b")
}

func TestEndpointsFollowTheirChangedCluster(t *testing.T) {
	s := newScript(t)
	s.view("Cluster/a=1 ClusterLoadAssignment/a=1")
	s.ask(Request{Type: cluster})
	s.ask(Request{Type: endpoint, Subscribe: []string{"a"}})
	s.says("Cluster +a", "ClusterLoadAssignment +a")
	s.view("Cluster/a=2 ClusterLoadAssignment/a=1")
	s.ack(endpoint)
	s.ack(cluster)
	s.says("Cluster +a", "ClusterLoadAssignment +a")
	s.ack(endpoint)
	s.ack(cluster)
	s.says()

	// The client comes back with the old cluster and its endpoints.
	holds := Request{Type: cluster, Holds: map[string]uint64{"a": model.HashBody([]byte("1"))}}
	s.s = NewSession(Limits{})
	s.view("Cluster/a=2 ClusterLoadAssignment/a=1")
	s.ask(holds)
	s.says("Cluster +a")
	s.ask(Request{Type: endpoint, Subscribe: []string{"a"}, Holds: map[string]uint64{"a": model.HashBody([]byte("1"))}})
	s.says("ClusterLoadAssignment +a")
}

// A route to a cluster whose endpoints were empty a moment ago must not overtake
// the newer ones, which wait for the answer to the older.
func TestARouteDoesNotOvertakeEndpoints(t *testing.T) {
	s := newScript(t)
	s.view("Cluster/a=1 ClusterLoadAssignment/a=1 VirtualHost/ready=1")
	s.ask(Request{Type: cluster})
	s.ask(Request{Type: endpoint, Subscribe: []string{"a"}})
	s.ask(Request{Type: host})
	s.says("Cluster +a", "ClusterLoadAssignment +a", "VirtualHost +ready")
	s.ack(cluster)
	s.ack(host)
	s.view("Cluster/a=1 ClusterLoadAssignment/a=2 VirtualHost/ready=1 VirtualHost/h=1<a")
	s.says()
	s.ack(endpoint)
	s.says("ClusterLoadAssignment +a", "VirtualHost +h")
}

func TestOneResponseUnderWayAndTheNewestAfterIt(t *testing.T) {
	s := newScript(t)
	s.view("ClusterLoadAssignment/a=1")
	s.ask(Request{Type: endpoint, Subscribe: []string{"a"}})
	s.says("ClusterLoadAssignment +a")
	for i := range 5 {
		s.view(fmt.Sprintf("ClusterLoadAssignment/a=%d ClusterLoadAssignment/unasked=%d", i+2, i))
		s.says()
	}
	s.ack(endpoint)
	s.says("ClusterLoadAssignment +a")
	if got := string(s.last[endpoint].Resources[0].Body); got != "6" {
		t.Errorf("sent version %s, want the newest", got)
	}
}

func TestInitialClustersComeInChunks(t *testing.T) {
	s := newScript(t)
	var words []string
	for i := range 450 {
		words = append(words, fmt.Sprintf("Cluster/c%03d=1", i))
	}
	s.view(strings.Join(words, " "))
	s.ask(Request{Type: cluster})
	for _, want := range []int{200, 200, 50} {
		r := s.s.Next()
		if r == nil || len(r.Resources) != want || s.s.Next() != nil {
			t.Fatalf("a response of %d, want %d and no second one", len(r.Resources), want)
		}
		s.last[cluster] = r
		s.ack(cluster)
	}
	s.says()

	s.view("Secret/big=" + strings.Repeat("x", chunkBytes) + " Secret/small=1 Secret/tiny=1")
	s.ask(Request{Type: model.TypeSecret, Subscribe: []string{"big", "small", "tiny"}})
	if r := s.s.Next(); len(r.Resources) != 1 {
		t.Errorf("%d resources with one that fills a response", len(r.Resources))
	}
}

func TestUnknownNames(t *testing.T) {
	s := newScript(t)
	s.ask(Request{Type: cluster, Subscribe: []string{"a", "later"}})
	s.says() // no view yet: nothing is known to be absent
	s.view("Cluster/a=1")
	s.says("Cluster +a")
	s.ack(cluster)
	s.says("Cluster -later")
	s.ack(cluster)
	s.says()
	s.view("Cluster/a=1 Cluster/later=1 Cluster/unasked=1")
	s.says("Cluster +later")
	s.ack(cluster)

	s.ask(Request{Type: route, Subscribe: []string{"r"}})
	s.says() // Envoy ignores such a removal: it waits
	s.view("Cluster/a=1 Cluster/later=1 RouteConfiguration/r=1")
	s.says("RouteConfiguration +r")

	s.ask(Request{Type: cluster, Unsubscribe: []string{"later"}})
	s.ask(Request{Type: cluster, Subscribe: []string{"a"}})
	s.says("Cluster +a") // asked for again: sent again
}

func TestAWildcardIsAnsweredAlsoWithNothing(t *testing.T) {
	s := newScript(t)
	s.view("")
	s.ask(Request{Type: listener})
	s.says("Listener")
	s.ack(listener)
	s.says()
}

func TestARefusalHarmsOnlyItsCause(t *testing.T) {
	for _, reason := range []string{"Error adding/updating cluster(s) bad: no such thing", "no"} {
		t.Run(reason, func(t *testing.T) {
			s := newScript(t)
			s.view("Cluster/a=1 Cluster/bad=1 Cluster/bad/v1=1")
			s.ask(Request{Type: cluster})
			s.says("Cluster +a +bad +bad/v1")
			s.nack(cluster, reason)
			if reason == "no" {
				for _, name := range []string{"a", "bad", "bad/v1"} {
					s.says("Cluster +" + name)
					if name == "bad" {
						s.nack(cluster, reason)
					} else {
						s.ack(cluster)
					}
				}
			} else {
				s.says("Cluster +a +bad/v1")
				s.ack(cluster)
				s.says("Cluster +bad")
				s.nack(cluster, reason)
			}
			s.says()
			want := model.Refusal{Type: "Cluster", Name: "bad", Version: model.HashBody([]byte("1")), Reason: reason}
			if st := s.s.Status(); st.Synced || !reflect.DeepEqual(st.Refusals, []model.Refusal{want}) {
				t.Errorf("status %+v, want refusal %+v", st, want)
			}
			s.view("Cluster/a=1 Cluster/bad=2 Cluster/bad/v1=1")
			s.says("Cluster +bad")
			s.ack(cluster)
			s.says()
			if st := s.s.Status(); !st.Synced || st.Refusals != nil {
				t.Errorf("status %+v after the mending", st)
			}
		})
	}
}

func TestARefusedVersionIsSentAgainThreeTimesAtMost(t *testing.T) {
	s := newScript(t)
	s.ask(Request{Type: route, Subscribe: []string{"r"}})
	sends := 0
	for i := range 20 {
		s.view("RouteConfiguration/r=1 Secret/s=" + strconv.Itoa(i))
		r := s.s.Next()
		if r == nil {
			continue
		}
		sends++
		s.last[route] = r
		s.nack(route, "no")
		s.says() // not before something else changed
	}
	if sends != 1+maxResends {
		t.Errorf("sent %d times, want %d", sends, 1+maxResends)
	}
	s.view("RouteConfiguration/r=2")
	s.says("RouteConfiguration +r")
	s.ack(route)
	s.view("RouteConfiguration/r=1")
	s.says()
}

// A refused cluster holds back neither a table that has much else in it, nor a
// virtual host of which the client has no version that works.
func TestARefusedClusterHoldsNothingElseBack(t *testing.T) {
	s := newScript(t)
	s.view("Cluster/a=1 RouteConfiguration/r=1<a RouteConfiguration/other=1 VirtualHost/v=1<a")
	s.ask(Request{Type: cluster})
	s.ask(Request{Type: route, Subscribe: []string{"other", "r"}})
	s.ask(Request{Type: host})
	s.says("Cluster +a", "RouteConfiguration +other")
	s.ack(route)
	s.says()
	s.nack(cluster, "no")
	s.says("RouteConfiguration +r", "VirtualHost +v")
	s.ack(route)
	s.ack(host)
	s.says()

	// A virtual host that works stays as it is.
	s.view("Cluster/a=2 RouteConfiguration/r=1<a RouteConfiguration/other=1 VirtualHost/v=1<a")
	s.says("Cluster +a")
	s.ack(cluster)
	s.view("Cluster/a=2 Cluster/b=1 RouteConfiguration/r=2<a,b RouteConfiguration/other=1 VirtualHost/v=2<a,b")
	s.says("Cluster +b")
	s.nack(cluster, "no")
	s.says("RouteConfiguration +r")
}

func TestARouteToNowhereIsNotSentAndSaysWhy(t *testing.T) {
	s := newScript(t)
	s.view("Cluster/a=1 RouteConfiguration/r=1<a,nowhere")
	s.ask(Request{Type: cluster})
	s.ask(Request{Type: route, Subscribe: []string{"r"}})
	s.says("Cluster +a")
	s.ack(cluster)
	s.says()
	refusals := s.s.Status().Refusals
	if len(refusals) != 1 || refusals[0].Name != "r" || refusals[0].Reason != "not sent: it needs cluster nowhere, which the view lacks" {
		t.Errorf("refusals %+v", refusals)
	}
	s.view("Cluster/a=1 Cluster/nowhere=1 RouteConfiguration/r=1<a,nowhere")
	s.says("Cluster +nowhere")
	s.ack(cluster)
	s.says("RouteConfiguration +r")
	s.ack(route)
	if st := s.s.Status(); !st.Synced || st.Refusals != nil {
		t.Errorf("status %+v", st)
	}
}

// A client that comes back is sent what differs and told what is gone; a cluster
// goes only once all that it still holds is known.
func TestComingBack(t *testing.T) {
	v := func(body string) uint64 { return model.HashBody([]byte(body)) }
	s := newScript(t)
	s.view("Cluster/a=1 RouteConfiguration/r=2<a Listener/l=1")
	s.ask(Request{Type: cluster, Holds: map[string]uint64{"a": v("1"), "gone": v("1")}})
	s.says("Cluster") // asks for an answer, which comes after all claims
	s.ask(Request{Type: listener, Holds: map[string]uint64{"l": v("1")}})
	s.ask(Request{Type: route, Subscribe: []string{"r"}, Holds: map[string]uint64{"r": v("1")}})
	s.ack(cluster)
	s.says("RouteConfiguration +r") // the one that it holds may need the gone cluster
	s.ack(route)
	s.says("Cluster -gone")
	s.ack(cluster)
	s.says()
}

func TestAFullClientThatComesBackIsSentNothing(t *testing.T) {
	s := newScript(t)
	s.s = NewFullSession(Limits{})
	s.view("Cluster/a=1 Cluster/b=1 Listener/l=1<a")
	s.ask(Request{Type: cluster})
	s.says("Cluster +a +b")
	held := s.last[cluster].Version
	s.ask(Request{Type: cluster, Nonce: s.last[cluster].Nonce, Version: held})

	s.s = NewFullSession(Limits{})
	s.view("Cluster/a=1 Cluster/b=1 Listener/l=1<a")
	s.ask(Request{Type: cluster, Version: held})
	s.says()
	s.ask(Request{Type: listener, Version: "old"})
	s.says("Listener +l")

	s.s = NewFullSession(Limits{})
	s.view("Cluster/a=2 Listener/free=1 Listener/l=1<a")
	s.ask(Request{Type: listener, Version: "old"})
	s.says() // a response without l would remove it
	s.ask(Request{Type: cluster, Version: held})
	s.says("Cluster +a")
	s.ack(cluster)
	s.says("Listener +free +l")
}

func TestLimitsOfARequest(t *testing.T) {
	s := NewSession(Limits{Names: 3, NameBytes: 5})
	for _, r := range []Request{
		{Type: endpoint, Subscribe: []string{"a", "b", "c", "d"}},
		{Type: endpoint, Subscribe: []string{"longer"}},
		{Type: endpoint, Names: []string{"longer"}},
		{Type: endpoint, Holds: map[string]uint64{"longer": 1}},
		{Type: endpoint, Holds: map[string]uint64{"a": 1, "b": 1, "c": 1, "d": 1}},
	} {
		if s.Request(r) == nil {
			t.Errorf("request %+v taken", r)
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		if err := s.Request(Request{Type: endpoint, Subscribe: []string{name}}); err != nil {
			t.Error(err)
		}
	}
	if s.Request(Request{Type: endpoint, Subscribe: []string{"d"}}) == nil {
		t.Error("a fourth name taken")
	}
}

func TestMentions(t *testing.T) {
	for _, c := range []struct {
		text, name string
		want       bool
	}{
		{"Error adding/updating cluster(s) a:80: bad, b:8080: worse", "a:80", true},
		{"Error adding/updating cluster(s) a:80: bad, b:8080: worse", "b:80", false},
		{"cluster(s) a:80/v1: bad", "a:80", false},
		{"cluster(s) a:80/v1: bad", "a:80/v1", true},
		{"unknown cluster 'a.b'", "a.b", true},
		{"unknown cluster 'a.b'", "a", false},
		{"it was r.", "r", true},
		{"", "r", false}, {"r", "", false},
	} {
		if got := mentions(c.text, c.name); got != c.want {
			t.Errorf("mentions(%q, %q) = %v", c.text, c.name, got)
		}
	}
}

func FuzzMentions(f *testing.F) {
	f.Add("cluster(s) a:80/v1: bad", "a:80")
	f.Fuzz(func(t *testing.T, text, name string) {
		if mentions(text, name) && !strings.Contains(text, name) {
			t.Error("mentions what is not there")
		}
	})
}

// Endpoints are asked for some at a time. Once the client has all of them nothing is known of
// each, until one changes.
func TestEndpointsOfAllClustersNeedNoItems(t *testing.T) {
	s := newScript(t)
	s.view("ClusterLoadAssignment/a=1 ClusterLoadAssignment/b=1 ClusterLoadAssignment/c=1")
	s.ask(Request{Type: endpoint, Subscribe: []string{"b", "a"}})
	s.says("ClusterLoadAssignment +b +a")
	s.ask(Request{Type: endpoint, Subscribe: []string{"c"}})
	s.ack(endpoint)
	s.says("ClusterLoadAssignment +c")
	s.ack(endpoint)
	s.says()
	sub := &s.s.types[endpoint]
	if len(sub.items) > 0 || !sub.whole || !s.s.Status().Synced {
		t.Fatalf("%d items of endpoints that all are held, whole %v, %+v", len(sub.items), sub.whole, s.s.Status())
	}
	s.view("ClusterLoadAssignment/a=1 ClusterLoadAssignment/b=2 ClusterLoadAssignment/c=1")
	s.says("ClusterLoadAssignment +b")
	s.ask(Request{Type: endpoint, Subscribe: []string{"a"}})
	s.ack(endpoint)
	s.says("ClusterLoadAssignment +a") // asked for again, answered again
}

// Who asked for as many as there are now did not ask for all that there are now.
func TestEndpointsThatNobodyAskedForAreNotSent(t *testing.T) {
	s := newScript(t)
	s.view("ClusterLoadAssignment/a=1 ClusterLoadAssignment/b=1 ClusterLoadAssignment/c=1")
	s.ask(Request{Type: endpoint, Subscribe: []string{"a", "b"}})
	s.says("ClusterLoadAssignment +a +b")
	s.ack(endpoint)
	if !s.s.Status().Synced {
		t.Error("not in step, with all that was asked for")
	}
	s.view("ClusterLoadAssignment/a=1 ClusterLoadAssignment/c=1")
	s.view("ClusterLoadAssignment/a=1 ClusterLoadAssignment/c=2")
	s.says()
	s.view("ClusterLoadAssignment/a=2 ClusterLoadAssignment/b=2 ClusterLoadAssignment/c=2")
	s.says("ClusterLoadAssignment +a +b")
}

// What an Envoy refused of a filter, it gives to the next listener that asks for it, and so refuses that, too: it gets the
// last good one again at once.
func TestARefusedFilterIsFollowedByTheGoodOne(t *testing.T) {
	s := newScript(t)
	extension := model.TypeExtension
	s.view("Listener/l=1 TypedExtensionConfig/e=1")
	s.ask(Request{Type: listener})
	s.ask(Request{Type: extension, Subscribe: []string{"e"}})
	s.says("Listener +l", "TypedExtensionConfig +e")
	s.ack(listener)
	s.ack(extension)
	s.view("Listener/l=1 TypedExtensionConfig/e=2")
	s.says("TypedExtensionConfig +e")
	s.nack(extension, "e: cannot be read")
	s.says("TypedExtensionConfig +e")
	if got := string(s.last[extension].Resources[0].Body); got != "1" {
		t.Errorf("sent %q behind a refusal, want the last good one", got)
	}
	s.ack(extension)
	s.says()
	if st := s.s.Status(); len(st.Refusals) != 1 {
		t.Errorf("refusals %v", st.Refusals)
	}
	s.view("Listener/l=1 TypedExtensionConfig/e=1")
	s.says()
	if st := s.s.Status(); len(st.Refusals) != 0 || !st.Synced {
		t.Errorf("status %+v", st)
	}
}
