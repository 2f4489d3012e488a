package main

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weft.dev/agent/health"
	"weft.dev/model"
	"weft.dev/snapshot"
)

// read is what run makes of a workload file and arguments.
func read(t *testing.T, file string, args ...string) (runFlags, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var flags runFlags
	err := flags.parse(append([]string{"--file", path, "--address", "127.0.0.1"}, args...))
	return flags, err
}

const whole = `
app: reviews
version: v2
port: ["9080:8080", 9090:8090]
protocol: grpc
label: {team: shop, tier: front}
health: grpc:reviews.Reviews
health-interval: 5s
health-failures: 2
outbound: 15001
command: [./reviews, --rate, "5"]
`

// Of a port at which servers are known to speak first the protocol is not guessed.
func TestServerFirst(t *testing.T) {
	for args, want := range map[string]model.Protocol{"": "", "--protocol=tcp": model.TCP, "--protocol=http": model.HTTP} {
		flags, err := read(t, "app: mail\nport: 25:2525\n", strings.Fields(args)...)
		if want == "" && (err == nil || !strings.Contains(err.Error(), "--protocol tcp")) {
			t.Errorf("it is guessed: %+v, %v", flags.options.Registration, err)
		}
		if want != "" && (err != nil || flags.options.Registration.Ports[0].Protocol != want) {
			t.Errorf("%s: %+v, %v", args, flags.options.Registration, err)
		}
	}
	if _, err := read(t, "gateway: front\nport: 25:2525\n"); err != nil {
		t.Errorf("a gateway's listener says what it speaks: %v", err)
	}
}

func TestFile(t *testing.T) {
	flags, err := read(t, whole, "--version", "v3")
	if err != nil {
		t.Fatal(err)
	}
	o := flags.options
	r := o.Registration
	ports := []model.WorkloadPort{{Number: 9080, AppPort: 8080, Protocol: model.HTTP2}, {Number: 9090, AppPort: 8090, Protocol: model.HTTP2}}
	if r.App != "reviews" || r.Version != "v3" || !slices.Equal(r.Ports, ports) || r.Labels["team"] != "shop" || r.Labels["tier"] != "front" || r.OutboundPort != 15001 {
		t.Errorf("registration %+v", r)
	}
	if h := o.Health; h.Kind != health.GRPC || h.Service != "reviews.Reviews" || h.Interval != 5*time.Second || h.Failures != 2 || h.Successes != 1 {
		t.Errorf("health %+v", h)
	}
	if !slices.Equal(o.Command, []string{"./reviews", "--rate", "5"}) {
		t.Errorf("command %q", o.Command)
	}
	if flags, err = read(t, whole, "--", "true"); err != nil || !slices.Equal(flags.options.Command, []string{"true"}) {
		t.Errorf("command %q, %v: the command line goes first", flags.options.Command, err)
	}
}

// trusted is a file of a public key.
func trusted(t *testing.T) string {
	t.Helper()
	_, public, err := snapshot.EncodeKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "trusted.pem")
	if err := os.WriteFile(path, public, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileOfDatagrams(t *testing.T) {
	flags, err := read(t, "app: names\nserver: mesh:7444\naddress: 192.0.2.1\nudp: [53, \"54:5354\"]\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []model.WorkloadPort{{Number: 53, Protocol: model.UDP, ProxyPort: 53}, {Number: 54, Protocol: model.UDP, ProxyPort: 5354}}
	if got := flags.options.Registration.Datagrams; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestFileWithoutServer(t *testing.T) {
	key := trusted(t)
	file := fmt.Sprintf("app: reviews\nsnapshots: s3://mesh/live\nsnapshot-key: [%s, %s]\nsnapshot-interval: 7s\n", key, key)
	flags, err := read(t, file)
	if err != nil {
		t.Fatal(err)
	}
	o := flags.options
	if p := o.Published; p == nil || p.Target != "s3://mesh/live" || len(p.Trusted) != 2 || p.Interval != 7*time.Second || o.Registration.OutboundPort != model.DefaultOutbound {
		t.Errorf("published %+v, registration %+v", p, o.Registration)
	}
	for more, want := range map[string]string{
		"server: mesh:7444":                   "leave one of them out",
		"redirect: true\ncommand: [\"true\"]": "--redirect needs a server",
		"snapshot-endpoint: nonsense":         "endpoint",
	} {
		if _, err := read(t, file+more); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", more, err, want)
		}
	}
}

func TestFileMistakes(t *testing.T) {
	for file, want := range map[string]string{
		"app: a\nports: 80":               "ports: no such key",
		"app: a\napp: b":                  "app",
		"app: a\nfile: x":                 "file: no such key",
		"app: a\ncommand: sh":             "command",
		"app: a\nport: {a: [b]}":          "port: ",
		"app: a\nport: 80":                "say where it listens, as --port 80:NUMBER",
		"app: a\nudp: 0":                  "--udp",
		"gateway: a\nudp: 53":             "--port PORT:NUMBER",
		"app: a\nhealth-interval: soon":   "health-interval",
		"app: a\nhealth: /x\ncommand: []": "no port to ask",
		"":                                "name either the application",
		"app: a\nsnapshots: /x":           "go together",
		"app: a\nsnapshot-key: /x":        "go together",
		"app: a\nsnapshots: /x\nsnapshot-key: /nowhere": "--snapshot-key",
		"app: a\nsnapshots: x://y\nsnapshot-key: /x":    "--snapshots",
	} {
		if _, err := read(t, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", file, err, want)
		}
	}
}
