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
//	until REGEXP ARGUMENT... until what weft prints matches
//	push REPOSITORY TAG      puts an image into the registry
//	crash                    the server ends by kill -9, and starts again
//
// $EXAMPLES are those of the repository, $REPOSITORIES is a folder of Git repositories that may be baked, $API is host:port of weft, $REGISTRY of a registry, where weft/"of the registry" is let in. $HOOK is a web server: /ok and /echo answer, /fail answers 500, /job is done when
// it is asked a third time, /hang and /slow answer when they are asked a second time.
package pipeline

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"weft.dev/test/process"
	"weft.dev/test/registry"
)

// patience is how long a state may take to come about.
const patience = 30 * time.Second

var shared struct {
	dir    string
	server *process.Server
	hooks  string // host:port where it takes deliveries

	registry *registry.Server
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

// TestPipelines runs the scripts side by side, and then, one at a time, those in which the server that all share is killed.
func TestPipelines(t *testing.T) {
	shared.registry = registry.Start(t)
	t.Run("testdata", func(t *testing.T) { testscript.Run(t, scripts(testscript.Params{Dir: "testdata"})) })
	killing, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(killing) == 0 {
		t.Fatalf("no scripts in which the server is killed: %v", err)
	}
	for _, file := range killing {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) { testscript.Run(t, scripts(testscript.Params{Files: []string{file}})) })
	}
}

// scripts are some of them, with all commands.
func scripts(p testscript.Params) testscript.Params {
	p.Setup, p.UpdateScripts = setup, os.Getenv("UPDATE") != ""
	p.Cmds = map[string]func(*testscript.TestScript, bool, []string){
		"as":      with((*script).as),
		"weft":    with((*script).weft),
		"run":     with((*script).run),
		"phase":   with((*script).phase),
		"stage":   with((*script).stage),
		"called":  with((*script).called),
		"crash":   with((*script).crash),
		"deliver": with((*script).deliver),
		"started": with((*script).started),
		"push":    with((*script).push),
		"until":   with((*script).until),
	}
	return p
}
