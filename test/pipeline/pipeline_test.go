// Package pipeline runs the scripts in testdata: pipelines on a real weft, in the
// hands of people with certificates of their own.
//
// Commands beside testscript's own:
//
//	as NAME [GROUP...]       from now on commands are this person's; `as admin`: the administrator's
//	weft [CODE] ARGS...      weft in the script's namespace; it has to end with this code, 0 if none is given
//	run VAR PIPELINE ARGS... starts a run; its name is $VAR from now on
//	phase RUN PHASE [REGEXP] the run comes to this phase, and says why
//	stage RUN STAGE PHASE [REGEXP]
//	called PATH N            $HOOK/PATH is called N times, no more and no less
//	deliver STATUS TRIGGER TOKEN BODY  to PIPELINE/TRIGGER, until it is answered by this status
//	started PIPELINE N       so many runs are there, and no more
//	crash                    the server ends by kill -9, and starts again
//
// $EXAMPLES are those of the repository, $REPOSITORIES is a folder of Git repositories that may be baked, $API is host:port of weft. $HOOK is a web server: /ok and /echo answer, /fail answers 500, /job is done when
// it is asked a third time, /hang and /slow answer when they are asked a second time.
package pipeline

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"weft.dev/test/process"
)

// patience is how long a state may take to come about.
const patience = 30 * time.Second

var shared struct {
	dir    string
	server *process.Server
	hooks  string // host:port where it takes deliveries
}

// repositories is the folder of those that may be baked.
func repositories() string { return filepath.Join(shared.dir, "repositories") }

func TestMain(m *testing.M) {
	process.Main("pipeline", func(dir string) (int, error) {
		weft := filepath.Join(dir, "weft")
		if err := process.Build(map[string]string{weft: "../../cmd/weft"}); err != nil {
			return 1, err
		}
		shared.dir = dir
		port, err := process.FreePort()
		if err != nil {
			return 1, err
		}
		shared.hooks = process.Loopback(port)
		if shared.server, err = process.Serve(weft, dir, "--webhook-allow", "127.0.0.0/8", "--hooks", shared.hooks, "--bake-repository", "file://"+repositories()+"/"); err != nil {
			return 1, err
		}
		defer shared.server.Stop()
		return m.Run(), nil
	})
}

// TestPipelines runs the scripts side by side, and then those in which the server is killed.
func TestPipelines(t *testing.T) {
	for _, dir := range []string{"testdata", "testdata/crash", "testdata/audit"} {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Dir:   dir,
				Setup: setup,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"as":      with((*script).as),
					"weft":    with((*script).weft),
					"run":     with((*script).run),
					"phase":   with((*script).phase),
					"stage":   with((*script).stage),
					"called":  with((*script).called),
					"crash":   with((*script).crash),
					"deliver": with((*script).deliver),
					"started": with((*script).started),
				},
				UpdateScripts: os.Getenv("UPDATE") != "",
			})
		})
	}
}
