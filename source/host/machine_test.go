package host

import (
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"weft.dev/identity"
	"weft.dev/model"
)

// ledger is what machines said and are told.
type ledger struct {
	mu      sync.Mutex
	order   *model.HostOrder
	changed chan struct{}
	heard   chan model.HostReport
	may     []bool
}

func (l *ledger) Hear(machine string, may func(namespace, app string) bool, r model.HostReport) {
	l.mu.Lock()
	l.may = []bool{machine == "web-1", may("shop", "reviews"), may("shop", "ratings")}
	l.mu.Unlock()
	l.heard <- r
}

func (l *ledger) Order(string) (model.HostOrder, <-chan struct{}, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.order == nil {
		return model.HostOrder{}, nil, false
	}
	return *l.order, l.changed, true
}

func (l *ledger) set(o model.HostOrder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
	}
	l.order, l.changed = &o, make(chan struct{})
}

func machineStream(t *testing.T, conn *grpc.ClientConn) grpc.ClientStream {
	t.Helper()
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, model.AgentHost)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// TestMachine: it is heard, with what its certificate covers, and told, also when that changes.
func TestMachine(t *testing.T) {
	p := openPort(t)
	l := &ledger{heard: make(chan model.HostReport, 1)}
	p.server.Machines = l
	stream := machineStream(t, p.host(t, identity.Grant{Namespaces: []string{"shop"}, Apps: []string{"reviews"}}))
	said := model.HostReport{Allows: []string{"shop/*"}, Instances: []model.HostState{{Namespace: "shop", Name: "a", Running: true}}}
	if err := stream.SendMsg(&said); err != nil {
		t.Fatal(err)
	}
	if heard := <-l.heard; !reflect.DeepEqual(heard, said) {
		t.Errorf("heard %+v", heard)
	}
	if want := []bool{true, true, false}; !reflect.DeepEqual(l.may, want) {
		t.Errorf("name and grant %v, want %v", l.may, want)
	}
	for n := range int64(2) {
		l.set(model.HostOrder{Number: n + 1})
		var o model.HostOrder
		if err := stream.RecvMsg(&o); err != nil || o.Number != n+1 || len(o.Roots) == 0 {
			t.Fatalf("%+v %v", o, err)
		}
	}
}

// TestNoMachine: who is a workload, or asks a server that runs nothing, is told so.
func TestNoMachine(t *testing.T) {
	p := openPort(t)
	machine := p.host(t, identity.Grant{Namespaces: []string{"shop"}})
	refused := func(conn *grpc.ClientConn, code codes.Code, text string) {
		t.Helper()
		var o model.HostOrder
		if err := machineStream(t, conn).RecvMsg(&o); status.Code(err) != code || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %s: %s", err, code, text)
		}
	}
	refused(machine, codes.Unimplemented, "this server starts no processes")
	p.server.Machines = &ledger{heard: make(chan model.HostReport, 1000)}
	held, err := renew(t, machine, "shop", "reviews")
	if err != nil {
		t.Fatal(err)
	}
	refused(p.dial(t, identity.ClientTLS(func() *identity.Credential { return held })), codes.PermissionDenied, "is no machine")
	stream := machineStream(t, machine)
	for range 2 * talkBurst {
		if stream.SendMsg(&model.HostReport{}) != nil {
			break
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- stream.RecvMsg(&model.HostOrder{}) }()
	select {
	case err := <-ended:
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("who talks without end: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("who talks without end is heard")
	}
}
