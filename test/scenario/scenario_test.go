// Package scenario runs the scripts in testdata: a real weft, real Envoys, and
// applications that call each other. A script says what traffic must do; there
// is no other oracle.
//
// Commands beside testscript's own (a command that asks for a state tries again
// until it holds, for at most 30 s):
//
//	run NAME [version=V] [port=9080] [protocol=http] [health=tcp] [label...]   a workload: app NAME beside its Envoy
//	gateway NAME port=LISTENER [label=value...]                    a gateway's Envoy; `call gateway:NAME` enters there
//	apply FILE|FOLDER...        weft apply, in the script's namespace; must be accepted
//	delete GROUP/VERSION/RESOURCE/NAME   an object of the script's namespace
//	settle                      every proxy holds the newest configuration
//	call FROM METHOD URL [header:value...] [expectation...]   URLs http:, or within a CONNECT grpc: and, any bytes, connect:
//	     status=200  from=app/version  body=REGEXP  header=name:REGEXP  atleast=1s  under=1s
//	     header=certificate:HOSTS#NUMBER of a gateway, closed=REGEXP: there is no answer, but that error
//	     a word show:NAME is no header: the caller shows the certificate of that name
//	certificate NAME NUMBER HOST... [key=other]  a Secret with a new certificate, which trusts itself; revoked=yes: no more
//	preview VAR APP VERSION [host=HOST] [for=1h]  weft preview; $VAR is the token, $VAR_FORGED and $VAR_UNSIGNED look like it
//	issuer NAME keys=ID,ID... | down | html | empty | huge   a server of keys, or what becomes of it; $ISSUER_NAME is its URL, $PORT_NAME its port
//	file VAR plugin.wasm | FILE | down   a server of the example's plugin, or of a file of the script; $VAR is its URL
//	token VAR NAME ID [sub=S] [aud=A] [groups=A,B] [expired] [iss=URL]   $VAR is a token of the issuer, signed by the key; $VAR_FORGED by no key, $VAR_UNSIGNED is not
//	steady FROM URL [header:value...]   requests from now on, each of which is to be answered with 200
//	steadied                    and none was answered otherwise
//	hold gateway:NAME https://HOST   a connection is opened and stays; `still`: it is there, and answers
//	first FROM METHOD URL [n=20] [send=TEXT] ...  as call, but once: n calls together, and none is tried again
//	scope NAME/VERSION HOST REGEXP  `weft scope` knows the host, and says why
//	share FROM URL n=400 [header:value...] app/version=90±5...
//	tally FROM METHOD URL n=30 [header:value...] 200=10 429=20   so many of each status, at the first try
//	problem OBJECT CODE [REGEXP]  a problem of "Kind/name" or "Kind/namespace/name"
//	noproblem [OBJECT]
//	edge FROM TO timeouts=1 exhausted=2 ...   `weft edges` counts so many, or some, of the calls of app FROM to TO
//	received NAME/VERSION METHOD PATH COUNT
//	sent NAME/VERSION RouteConfiguration=1 ...  resources pushed since the last `mark`
//	plain ADDRESS NAME [refused=yes]   a process without a proxy, at an address of this machine, calls a workload
//	mtls NAME STATE [REGEXP]    `weft mtls plan` says so of a service, and has that of it
//	load FROM URL...            calls that go on, beside those of other loads, until `loaded N`: N were made of each, and none has failed
//	leave NAME/VERSION          SIGTERM, and wait for the end
//	crash NAME/VERSION          the workload's agent, Envoy and application are gone at once
//	gone NAME/VERSION           the mesh no longer knows the workload
//	mark                        remembers what was pushed until now
package scenario

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"weft.dev/test/process"
)

// patience is how long a state may take to come about: on a machine so busy that half of
// a mesh falls silent together nobody is believed to be dead, and leases are given again.
const patience = 90 * time.Second

// mesh is one weft for all scripts, each of which has a namespace of its own.
type mesh struct {
	dir, echo string
	server    *process.Server
}

var shared mesh

func TestMain(m *testing.M) {
	process.Main("scenario", func(dir string) (int, error) {
		weft := filepath.Join(dir, "weft")
		shared = mesh{dir: dir, echo: filepath.Join(dir, "echo")}
		if err := process.Build(map[string]string{
			weft: "../../cmd/weft", filepath.Join(dir, "weft-agent"): "../../cmd/weft-agent", shared.echo: "./echo",
		}); err != nil {
			return 1, err
		}
		err := buildPlugin(filepath.Join(dir, "plugin.wasm"))
		if err != nil {
			return 1, err
		}
		if shared.server, err = process.Serve(weft, dir, "--jwks-allow", "127.0.0.0/8", "--jwks-refresh", "1s", "--modules-allow", "127.0.0.0/8"); err != nil {
			return 1, err
		}
		defer shared.server.Stop()
		return m.Run(), nil
	})
}

func (m *mesh) command(args ...string) *exec.Cmd { return m.server.Command(args...) }

// TestScenarios runs the scripts side by side: they are also each other's
// noise, and what one proxy is sent must not depend on it.
func TestScenarios(t *testing.T) { runScripts(t, "testdata") }

// TestAlone runs those that change something for the gateways of all others, after them.
func TestAlone(t *testing.T) { runScripts(t, "testdata/alone") }

func runScripts(t *testing.T, dir string) {
	testscript.Run(t, testscript.Params{
		Dir:   dir,
		Setup: setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"run":         with((*script).run),
			"gateway":     with((*script).gateway),
			"apply":       with((*script).apply),
			"delete":      with((*script).remove),
			"settle":      with((*script).settle),
			"call":        with((*script).call),
			"first":       with((*script).first),
			"scope":       with((*script).scope),
			"share":       with((*script).share),
			"problem":     with((*script).problem),
			"noproblem":   with((*script).noProblem),
			"edge":        with((*script).edge),
			"received":    with((*script).received),
			"mark":        with((*script).mark),
			"sent":        with((*script).sent),
			"leave":       with((*script).leave),
			"crash":       with((*script).crash),
			"gone":        with((*script).gone),
			"certificate": with((*script).certificate),
			"hold":        with((*script).hold),
			"still":       with((*script).still),
			"preview":     with((*script).preview),
			"tap":         with((*script).tap),
			"tally":       with((*script).tally),
			"load":        with((*script).load),
			"loaded":      with((*script).loaded),
			"issuer":      with((*script).issuer),
			"token":       with((*script).token),
			"file":        with((*script).file),
			"plain":       with((*script).plain),
			"mtls":        with((*script).mtls),
		},
		UpdateScripts: os.Getenv("UPDATE") != "",
	})
}
