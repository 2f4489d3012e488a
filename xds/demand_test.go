package xds

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weft.dev/model"
)

// asked checks what others were told to look for since the last time.
func (s *script) asked(want string) uint64 {
	s.t.Helper()
	added, dropped, serial := s.s.Asked()
	got := ""
	for _, name := range added {
		got += " +" + name
	}
	for _, name := range dropped {
		got += " -" + name
	}
	if strings.TrimSpace(got) != want {
		s.t.Fatalf("asked for %q, want %q", got, want)
	}
	return serial
}

func (s *script) subscribe(names ...string) {
	s.t.Helper()
	s.ask(Request{Type: host, Subscribe: names})
}

func TestOnDemandKnownByNameAndAlias(t *testing.T) {
	s := newScript(t)
	s.view("VirtualHost/o/a:80=1~o/a~o/a.ns VirtualHost/o/b:80=1~o/b")
	s.ask(Request{Type: host})
	s.says("VirtualHost +o/a:80 +o/b:80")
	s.ack(host)
	s.subscribe("o/a.ns", "o/a", "o/b:80") // Envoy let a request wait: it goes on only with a response
	s.says("VirtualHost +o/a:80 +o/b:80")
	s.ack(host)
	s.says()
	s.subscribe("o/a")
	s.says("VirtualHost +o/a:80")
	s.ack(host)
	s.asked("")
	if !s.s.Status().Synced {
		t.Error("not in step")
	}
}

func TestOnDemandUnknown(t *testing.T) {
	s := newScript(t)
	s.view("Cluster/a=1 VirtualHost/o/ready=1")
	s.ask(Request{Type: cluster})
	s.ask(Request{Type: host})
	s.says("Cluster +a", "VirtualHost +o/ready")
	s.ack(host)
	s.ack(cluster)
	s.subscribe("o/late", "o/never", "o/quick")
	s.says()
	serial := s.asked("+o/late +o/never +o/quick")

	// In time: the cluster first, then what the request waits for.
	s.view("Cluster/a=1 Cluster/q=1 VirtualHost/o/ready=1 VirtualHost/o/quick.ns:80=1~o/quick<q")
	s.says("Cluster +q")
	s.ack(cluster)
	s.says("VirtualHost +o/quick.ns:80")
	s.ack(host)

	s.s.GiveUp(serial)
	s.says("VirtualHost +o/late +o/never")
	for _, r := range s.last[host].Resources {
		if !isEmpty(r) || !slices.Equal(r.Aliases, []string{r.Name}) {
			t.Errorf("denied with %+v", r)
		}
	}
	s.ack(host)
	s.says()
	s.view("Cluster/a=1 VirtualHost/o/ready=1 VirtualHost/o/quick.ns:80=2~o/quick VirtualHost/o/late=1")
	s.says("VirtualHost +o/late +o/quick.ns:80")
	s.ack(host)
	s.says("Cluster -q")
	s.ack(cluster)
	s.says()
	s.subscribe("o/never") // asked again, and known to be nowhere
	s.says("VirtualHost +o/never")
	s.ack(host)
	s.ask(Request{Type: host, Unsubscribe: []string{"o/never", "o/quick", "nothing"}})
	s.asked("-o/never -o/quick")
	s.says()
}

func TestOnDemandWithNobodyToAsk(t *testing.T) {
	s := newScript(t)
	s.s = NewSession(Limits{Asks: 1})
	s.view("VirtualHost/o/ready=1")
	s.ask(Request{Type: host})
	s.says("VirtualHost +o/ready")
	s.ack(host)
	s.subscribe("o/one", "o/two")
	s.says("VirtualHost +o/two") // one too many is denied at once
	s.asked("+o/one")
}

// A virtual host that the client asked for by name stays until something else
// answers the name, and goes in the very response that has it: else two would
// have the domain, or none.
func TestOnDemandAnswerIsReplaced(t *testing.T) {
	s := newScript(t)
	s.view("VirtualHost/o/ready=1")
	s.ask(Request{Type: host})
	s.says("VirtualHost +o/ready")
	s.ack(host)
	s.subscribe("o/a")
	s.asked("+o/a")
	s.view("VirtualHost/o/ready=1 VirtualHost/o/a=502~o/a") // there is no such service
	s.says("VirtualHost +o/a")
	s.ack(host)
	s.view("VirtualHost/o/ready=1 VirtualHost/o/a.ns:80=1~o/a") // now there is
	s.says("VirtualHost +o/a.ns:80 -o/a")
	s.ack(host)
	s.view("VirtualHost/o/ready=1") // gone: the client would never ask again
	s.says()
	s.view("VirtualHost/o/ready=1 VirtualHost/o/a.ns:80=1~o/a")
	s.says()
	s.view("VirtualHost/o/ready=1") // gone, and nobody finds another
	s.says()
	s.s.NotFound([]string{"o/a"})
	s.says("VirtualHost -o/a.ns:80")
	s.ack(host)
	if !s.s.Status().Synced {
		t.Error("not in step")
	}
	s.view("VirtualHost/o/ready=1 VirtualHost/o/a.ns:80=1~o/a") // there again
	s.says("VirtualHost +o/a.ns:80")
	s.ack(host)
	s.view("VirtualHost/o/ready=1 VirtualHost/o/a=502~o/a")
	s.says("VirtualHost +o/a -o/a.ns:80")
	s.nack(host, "no") // nothing of it was applied
	s.says("VirtualHost +o/a")
	if !isEmpty(s.last[host].Resources[0]) {
		t.Error("a refused version was sent again")
	}
	s.ack(host)
	s.view("VirtualHost/o/ready=1 VirtualHost/o/a=503~o/a")
	s.says("VirtualHost +o/a -o/a.ns:80")
	s.ack(host)
	s.ask(Request{Type: host, Unsubscribe: []string{"o/a"}})
	s.view("VirtualHost/o/ready=1")
	s.says("VirtualHost -o/a")
	s.ack(host)
	s.says()
}

func TestOnDemandComingBack(t *testing.T) {
	v := func(body string) uint64 { return model.HashBody([]byte(body)) }
	s := newScript(t)
	s.view("VirtualHost/o/a.ns:80=1~o/a VirtualHost/o/b.ns:80=2~o/b")
	s.ask(Request{Type: host, Subscribe: []string{"*", "o/a", "o/b", "o/c", "o/d", "o/e"}, Holds: map[string]uint64{
		"o/a.ns:80": v("1"), "o/b.ns:80": v("1"), "o/c": v("c"), "o/d": emptyVersion, "o/e.ns:80": v("e"), "o/gone": v("1"),
	}})
	serial := s.asked("+o/c +o/d +o/e")
	s.says() // o/gone may be what answers o/d or o/e
	s.view("VirtualHost/o/a.ns:80=1~o/a VirtualHost/o/b.ns:80=2~o/b VirtualHost/o/e.ns:80=e~o/e VirtualHost/o/c=c~o/c")
	s.says()
	s.s.GiveUp(serial)
	s.says("VirtualHost +o/b.ns:80 +o/d -o/gone")
	s.ack(host)
	s.says()
}

func TestOneBadVirtualHostOfThree(t *testing.T) {
	for _, reason := range []string{"no", "o/b: bad"} {
		s := newScript(t)
		s.view("VirtualHost/o/a=1 VirtualHost/o/b=1 VirtualHost/o/c=1")
		s.ask(Request{Type: host})
		s.says("VirtualHost +o/a +o/b +o/c")
		s.nack(host, reason)
		applied := map[string]bool{}
		for r := s.s.Next(); r != nil; r = s.s.Next() {
			s.last[host] = r
			if slices.ContainsFunc(r.Resources, func(r *model.Resource) bool { return r.Name == "o/b" }) {
				s.nack(host, reason)
				continue
			}
			for _, r := range r.Resources {
				applied[r.Name] = true
			}
			s.ack(host)
		}
		if !applied["o/a"] || !applied["o/c"] {
			t.Errorf("applied %v", applied)
		}
		if st := s.s.Status(); len(st.Refusals) != 1 || st.Refusals[0].Name != "o/b" {
			t.Errorf("refusals %+v", st.Refusals)
		}
	}
}

func TestARefusedVirtualHostIsDenied(t *testing.T) {
	s := newScript(t)
	s.view("VirtualHost/o/ready=1 VirtualHost/o/a.ns:80=1~o/a")
	s.ask(Request{Type: host})
	s.says("VirtualHost +o/a.ns:80 +o/ready")
	s.nack(host, "o/a.ns:80: bad")
	s.subscribe("o/a")
	s.says("VirtualHost +o/ready")
	s.ack(host)
	s.says("VirtualHost +o/a.ns:80")
	s.nack(host, "bad")
	s.says("VirtualHost +o/a") // a request waits: better no service than no answer
}

func TestOneOf200IsFoundByItsSecondResend(t *testing.T) {
	s := newScript(t)
	var words []string
	for i := range 200 {
		words = append(words, fmt.Sprintf("Cluster/c%03d=1", i))
	}
	s.view(strings.Join(words, " "))
	s.ask(Request{Type: cluster})
	sends, responses := 0, 0
	for r := s.s.Next(); r != nil; r = s.s.Next() {
		s.last[cluster] = r
		responses++
		if slices.ContainsFunc(r.Resources, func(r *model.Resource) bool { return r.Name == "c137" }) {
			sends++
			s.nack(cluster, "no")
		} else {
			s.ack(cluster)
		}
	}
	if refusals := s.s.Status().Refusals; sends != 3 || responses > 31 || len(refusals) != 1 || refusals[0].Name != "c137" {
		t.Errorf("%d responses, the culprit in %d, refusals %+v", responses, sends, refusals)
	}
}

// What a proxy refused it refused, also after it came back; and one that comes
// with nothing gets what the others have.
func TestRefusalsOutliveTheStream(t *testing.T) {
	good := &goods{}
	old := &past{good: good}
	s := newScript(t)
	sends := 0
	for range 10 {
		s.s = newSession(Limits{}.withDefaults(), old)
		s.view("Cluster/a=2")
		s.ask(Request{Type: cluster, Holds: map[string]uint64{"a": model.HashBody([]byte("1"))}})
		for r := s.s.Next(); r != nil; r = s.s.Next() {
			s.last[cluster] = r
			sends += len(r.Resources)
			s.nack(cluster, "no")
		}
	}
	if sends != 1+maxResends {
		t.Errorf("sent %d times, want %d", sends, 1+maxResends)
	}
	if st := s.s.Status(); len(st.Refusals) != 1 || st.Refusals[0].Reason != "no" {
		t.Errorf("status %+v", st)
	}

	s = newScript(t)
	s.s = newSession(Limits{}.withDefaults(), &past{good: good})
	s.view("Cluster/a=1")
	s.ask(Request{Type: cluster})
	s.says("Cluster +a")
	s.ack(cluster)
	s.view("Cluster/a=2")
	s.says("Cluster +a")
	s.nack(cluster, "no")
	s.says()

	s = newScript(t)
	s.s = newSession(Limits{}.withDefaults(), &past{good: good})
	s.view("Cluster/a=2")
	s.ask(Request{Type: cluster})
	s.says("Cluster +a")
	s.nack(cluster, "no")
	s.says("Cluster +a")
	if got := string(s.last[cluster].Resources[0].Body); got != "1" {
		t.Errorf("sent version %s, want the last good one", got)
	}
	s.ack(cluster)
	s.says()
	if st := s.s.Status(); st.Synced || len(st.Refusals) != 1 {
		t.Errorf("status %+v", st)
	}
}
