package compile

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
)

// What a real Envoy decides about.
const (
	callsOfEnvoy   = 4_000
	envoysSets     = 400 // of policies, in one table
	connections    = 400
	connectionSets = 40 // each behind a listener of its own
)

// A real Envoy decides as the evaluator says that the proof of a million pairs
// relies on. All sets of policies about requests are in one table of one
// workload; a call says by a header which of them it is about.
func TestEnvoyDecidesAsItsEvaluator(t *testing.T) {
	r := rand.New(rand.NewPCG(*pairsSeed, 1))
	sets := make([][]model.Authorization, envoysSets)
	for i := range sets {
		sets[i] = randomPolicies(r)
	}
	e := newGuardedEnvoy(t, sets)
	outcomes := map[bool]int{}
	for n := range callsOfEnvoy + connections {
		c := randomCall(r)
		c.http = n < callsOfEnvoy
		i := r.IntN(len(sets))
		if c.http && c.remote == c.direct && once(r, 2) {
			c.remote = netip.MustParseAddr(oneOf(r, farIPs))
		}
		if !c.http {
			i, c.remote = r.IntN(connectionSets), c.direct
		}
		is := tablesOf(sets[i], c.http)
		want, got := c.envoysAnswer(is.deny, is.allow), e.ask(t, i, c)
		if got != want {
			t.Fatalf("Envoy lets it through: %v, its evaluator: %v\n%+v\npolicies %s\ncompiled %v %v", got, want, c, encodeJSON(t, sets[i]), is.deny, is.allow)
		}
		outcomes[got]++
	}
	if min(outcomes[true], outcomes[false]) < callsOfEnvoy/20 {
		t.Errorf("let through: %v: the test says little", outcomes)
	}
}

// What opened proxies once: bytes that are no text where a regular expression must
// not match, and a header that stands there twice (CVE-2026-73552, CVE-2026-26308).
func TestOddBytesOpenNothing(t *testing.T) {
	policy := func(action model.AuthzAction, rule model.AuthzRule) []model.Authorization {
		return []model.Authorization{{Object: model.Key{Kind: "AuthorizationPolicy", Namespace: "shop", Name: "x"}, Action: action, Rules: []model.AuthzRule{rule}}}
	}
	header := func(values string, others ...string) model.AuthzRule {
		return model.AuthzRule{When: []model.AuthzCondition{{Key: "request.headers[x-a]", Values: []string{values}, NotValues: others}}}
	}
	paths := model.AuthzRule{To: []model.AuthzOperation{{Paths: []string{"/admin/{**}", "/{*}/admin"}}}}
	notPaths := model.AuthzRule{To: []model.AuthzOperation{{NotPaths: []string{"/admin/{**}", "/{*}/admin"}}}}
	e := newGuardedEnvoy(t, [][]model.Authorization{
		policy(model.Deny, paths), policy(model.Allow, notPaths), policy(model.Deny, header("*")), policy(model.Deny, header("secret")), policy(model.Allow, header("*", "secret")),
	})
	for _, c := range []struct {
		set    int
		path   string
		values []string
	}{
		{0, "/admin/\xff", nil}, {0, "/\xff/admin", nil}, {0, "/admin/é", nil}, {1, "/admin/\xff", nil}, {1, "/\xff\xfe/admin", nil},
		{2, "/", []string{"\xff"}}, {2, "/", []string{"", "1"}}, {3, "/", []string{"secret", "1"}}, {3, "/", []string{"1", "secret"}},
		{4, "/", []string{"1", "secret"}}, {4, "/", []string{"secret", "\xff"}}, {4, "/", nil},
	} {
		call := question{http: true, method: "GET", path: c.path, authority: "x", headers: map[string][]string{"x-a": c.values}, direct: netip.MustParseAddr("127.0.0.1"), at: netip.MustParseAddr("127.0.0.1")}
		call.remote = call.direct
		if status := e.status(t, c.set, call); status != 403 && status != 400 {
			t.Errorf("policies %d, %q with x-a %q: %d, want it refused", c.set, c.path, c.values, status)
		}
	}
}

// guardedEnvoy is one in front of one workload.
type guardedEnvoy struct {
	port  int   // for requests
	ports []int // for connections, one a set of policies
	certs map[string]tls.Certificate
	open  map[string]*conversation
}

type conversation struct {
	net.Conn
	in *bufio.Reader
}

func newGuardedEnvoy(t *testing.T, sets [][]model.Authorization) *guardedEnvoy {
	e := &guardedEnvoy{port: servicePort(t), certs: map[string]tls.Certificate{}, open: map[string]*conversation{}}
	m := newMesh()
	m.set(parseRows(t, fmt.Appendf(nil, `
services: [{namespace: shop, name: guarded, ports: [{number: %[1]d, protocol: http}, {number: %[2]d, protocol: tcp}]}]
workloads: [{namespace: shop, name: guarded-1, app: guarded, address: 127.0.0.1, ports: [
  {number: %[1]d, protocol: http, proxyPort: %[3]d, appPort: 1}, {number: %[2]d, protocol: tcp, proxyPort: 1, appPort: 1}]}]
peerAuths: [{object: {kind: PeerAuthentication, namespace: shop, name: default}, namespace: shop, mode: permissive}]
`, authzPort, otherPort, e.port)))
	ca := newTestCA(t)
	bootstrap := staticBootstrapOf(t, m.viewOf(t, "shop/guarded-1"), ca.secrets(t, "guarded"))
	resources := bootstrap["static_resources"].(map[string]any)
	var listeners []any
	for _, one := range resources["listeners"].([]any) {
		l := one.(map[string]any)
		if l["name"] == InboundName(authzPort) {
			listeners = append(listeners, guardRequests(t, l, sets))
			continue
		}
		for _, all := range sets[:min(connectionSets, len(sets))] {
			e.ports = append(e.ports, servicePort(t))
			listeners = append(listeners, guardConnections(t, l, e.ports[len(e.ports)-1], all))
		}
	}
	resources["listeners"] = listeners
	runEnvoy(t, bootstrap)
	for _, caller := range callers {
		if caller != "" {
			der, key := ca.sign(t, "spiffe://"+caller)
			e.certs["spiffe://"+caller] = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
		}
	}
	return e
}

// servicePort is free at every address, and none of those that the system gives to
// callers, who are many here.
func servicePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 10_000 + rand.IntN(20_000)
		if l, err := net.Listen("tcp", fmt.Sprintf("0.0.0.0:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// anywhere has a listener take calls by several addresses.
func anywhere(l map[string]any) map[string]any {
	l["address"].(map[string]any)["socketAddress"].(map[string]any)["address"] = "0.0.0.0"
	return l
}

func guardRequests(t *testing.T, l map[string]any, sets [][]model.Authorization) map[string]any {
	var routes []any
	for i, all := range sets {
		filters := map[string]any{}
		for name, config := range (guards{rules: all}).onRequests(authzPort) {
			filters[name] = asTree(t, config)
		}
		routes = append(routes, map[string]any{
			"match":                map[string]any{"prefix": "/", "headers": []any{map[string]any{"name": "x-set", "stringMatch": map[string]any{"exact": strconv.Itoa(i)}}}},
			"directResponse":       map[string]any{"status": 200},
			"typedPerFilterConfig": filters,
		})
	}
	eachNode(l, func(node map[string]any) {
		if _, ok := node["virtualHosts"]; ok {
			node["virtualHosts"] = []any{map[string]any{"name": "all", "domains": []any{"*"}, "routes": routes}}
		}
	})
	return anywhere(l)
}

// guardConnections makes a listener of its own that echoes what it lets through.
func guardConnections(t *testing.T, like map[string]any, port int, all []model.Authorization) map[string]any {
	var l map[string]any
	if err := json.Unmarshal(encodeJSON(t, like), &l); err != nil {
		t.Fatal(err)
	}
	l["name"] = fmt.Sprint("connections ", port)
	l["address"].(map[string]any)["socketAddress"].(map[string]any)["portValue"] = port
	var filters []any
	guarding, _ := (guards{rules: all}).onConnections(authzPort, "x")
	for _, f := range guarding {
		filters = append(filters, asTree(t, f))
	}
	filters = append(filters, map[string]any{"name": "echo", "typedConfig": map[string]any{"@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo"}})
	for _, chain := range l["filterChains"].([]any) {
		chain.(map[string]any)["filters"] = filters
	}
	return anywhere(l)
}

func asTree(t *testing.T, m proto.Message) (tree map[string]any) {
	t.Helper()
	text, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

// eachNode visits each object of a tree.
func eachNode(tree any, visit func(map[string]any)) {
	switch tree := tree.(type) {
	case map[string]any:
		visit(tree)
		for _, child := range tree {
			eachNode(child, visit)
		}
	case []any:
		for _, child := range tree {
			eachNode(child, visit)
		}
	}
}

// ask says whether a call is let through.
func (e *guardedEnvoy) ask(t *testing.T, set int, c question) bool {
	t.Helper()
	if !c.http {
		talk := e.connect(t, c, e.ports[set], alpnTCP)
		defer talk.Close()
		fmt.Fprintln(talk, "hello")
		said, err := talk.in.ReadString('\n')
		if said == "" && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("%+v: neither an echo nor a closed connection: %v", c, err)
		}
		return said != ""
	}
	switch status := e.status(t, set, c); status {
	case http.StatusOK:
		return true
	case http.StatusForbidden:
	default:
		t.Fatalf("%+v: %d", c, status)
	}
	return false
}

// status is that of the answer to a request.
func (e *guardedEnvoy) status(t *testing.T, set int, c question) int {
	t.Helper()
	key := fmt.Sprint(c.direct, c.at, c.identity, c.sni)
	talk := e.open[key]
	if talk == nil {
		talk = e.connect(t, c, e.port, "http/1.1")
		e.open[key] = talk
	}
	status := talk.request(t, set, c)
	if status == http.StatusBadRequest { // and Envoy hangs up
		delete(e.open, key)
	}
	return status
}

// request makes it byte for byte and tells the status of the answer.
func (talk *conversation) request(t *testing.T, set int, c question) int {
	t.Helper()
	fmt.Fprintf(talk, "%s %s HTTP/1.1\r\nHost: %s\r\nx-set: %d\r\n", c.method, c.path, c.authority, set)
	if c.remote != c.direct {
		fmt.Fprintf(talk, "x-forwarded-for: 1.1.1.1, %s\r\n", c.remote)
	}
	for name, values := range c.headers {
		for _, v := range values {
			fmt.Fprintf(talk, "%s: %s\r\n", name, v)
		}
	}
	fmt.Fprint(talk, "Content-Length: 0\r\n\r\n")
	response, err := http.ReadResponse(talk.in, nil)
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	response.Body.Close()
	return response.StatusCode
}

func (e *guardedEnvoy) connect(t *testing.T, c question, port int, alpn string) *conversation {
	t.Helper()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: c.direct.AsSlice()}}
	conn, err := from.Dial("tcp", net.JoinHostPort(c.at.String(), strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	if c.identity != "" {
		conn = tls.Client(conn, &tls.Config{Certificates: []tls.Certificate{e.certs[c.identity]}, ServerName: c.sni, InsecureSkipVerify: true, NextProtos: []string{alpn}})
	}
	return &conversation{Conn: conn, in: bufio.NewReader(conn)}
}
