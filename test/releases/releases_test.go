// Package releases proves with real Envoys that no request fails by a release: versions of
// applications of each strategy come and go under load, well, bad and aborted.
package releases

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"

	"weft.dev/release/instances"
	"weft.dev/store"
	"weft.dev/test/process"
)

const (
	namespace = "shop"
	crew      = 2 // instances of a version
	// each application has at most so many releases, one after the other; others go on beside them, in 200 releases
	// five, which two cores can serve: ten start so many Envoys at a time that requests wait for 15 s.
	each = 40
	// patience is how long a state, and a release, may take on a busy machine.
	patience = 5 * time.Minute
)

var strategies = []v1alpha1.StrategyType{v1alpha1.Canary, v1alpha1.BlueGreen, v1alpha1.Rolling, v1alpha1.Highlander, v1alpha1.Recreate}

// world is a server, the hands that start instances for it, and who calls them.
type world struct {
	t      *testing.T
	server *process.Server
	hands  *hands
	caller int // port at which it tells what came back
	// acts starts and ends instances as a stage would have it do; runs is what an application says of that.
	acts instances.Provider
	runs v1alpha1.Runs

	client       *store.Client
	applications store.Resource[v1alpha1.Application]
	releases     store.Resource[v1alpha1.Release]
}

// TestReleases runs WEFT_RELEASES (5) releases, a third of them aborted and a third bad. Only a
// recreate may fail requests.
func TestReleases(t *testing.T) {
	count := len(strategies)
	if text := os.Getenv("WEFT_RELEASES"); text != "" {
		var err error
		count, err = strconv.Atoi(text)
		check(t, err)
	}
	newWorld(t).release(count)
}

// release brings out so many versions, under load.
func (w *world) release(count int) {
	t, begun := w.t, time.Now()
	t.Helper()
	teams := w.teams(count)
	var running sync.WaitGroup
	for _, team := range teams {
		running.Go(team.found)
	}
	running.Wait()
	w.call(teams)
	t.Logf("all serve after %v", time.Since(begun).Round(time.Second))
	for _, team := range teams {
		running.Go(func() { team.ship((count + len(teams) - 1) / len(teams)) })
	}
	running.Wait()
	tallies, err := w.tallies()
	check(t, err)
	for _, team := range teams {
		team.accounts(tallies[team.app])
	}
	t.Logf("%d releases after %v", count, time.Since(begun).Round(time.Second))
}

// teams are as many of each strategy, enough for so many releases.
func (w *world) teams(count int) (all []*team) {
	beside := max(1, count/(each*len(strategies)))
	for i := range beside * len(strategies) {
		kind := strategies[i%len(strategies)]
		all = append(all, &team{
			world: w, kind: kind, app: fmt.Sprintf("%s-%d", strings.ToLower(string(kind)), i/len(strategies)), serving: "v0",
			luck: i, random: rand.New(rand.NewPCG(uint64(i), 1)),
		})
	}
	return all
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	weft, shop := filepath.Join(dir, "weft"), filepath.Join(dir, "shop")
	check(t, process.Build(map[string]string{weft: "../../cmd/weft", filepath.Join(dir, "weft-agent"): "../../cmd/weft-agent", shop: "./shop"}))
	hands := &hands{dir: dir, shop: shop, namespace: namespace, versions: map[string]map[string]*version{}}
	server, err := process.Serve(weft, dir, "--provider", "hands="+serve(t, hands))
	check(t, err)
	t.Cleanup(server.Stop)
	hands.server = server
	t.Cleanup(hands.end)
	token, err := server.Token("", namespace)
	check(t, err)
	if out, err := server.Command("join", "--host-dir", filepath.Join(dir, "host"), "--server", server.Mesh, "--token", token).CombinedOutput(); err != nil {
		t.Fatalf("join: %v: %s", err, out)
	}
	config, err := server.Config()
	check(t, err)
	client, err := store.NewClient(config)
	check(t, err)
	return &world{
		t: t, server: server, hands: hands, client: client,
		acts: hands, runs: v1alpha1.Runs{Provider: &v1alpha1.ProviderRuns{Name: "hands"}},
		applications: store.For[v1alpha1.Application](client, api.Application),
		releases:     store.For[v1alpha1.Release](client, api.Release),
	}
}

// order does what a stage of a pipeline would do: it deploys a version before its release, and deletes it at last.
func (w *world) order(app, version string, verb instances.Verb, replicas int) {
	now := time.Now()
	a := instances.Action{
		ID: fmt.Sprintf("%s/%d", version, now.UnixNano()), Seq: instances.Seq(now), Verb: verb,
		Target: instances.Target{Namespace: namespace, Application: app, Runs: &w.runs}, Version: version, Replicas: replicas,
	}
	if err := process.Until(patience, func() error { return w.acts.Do(w.t.Context(), a) }); err != nil {
		w.t.Error(err)
	}
}

// call starts who calls all applications, and waits until all of them answer.
func (w *world) call(teams []*team) {
	w.t.Helper()
	port, err := process.FreePort()
	check(w.t, err)
	args := []string{"--app", "caller", "--version", "v1", "--port", "9080:" + strconv.Itoa(port), "--", w.hands.shop, "call"}
	for _, team := range teams {
		args = append(args, team.app)
	}
	_, err = w.hands.run("caller", port, args...)
	check(w.t, err)
	w.caller = port
	check(w.t, process.Until(patience, func() error {
		tallies, err := w.tallies()
		for app, tally := range tallies {
			if tally.Sent-tally.Failed < 100 {
				return fmt.Errorf("%s does not answer: %+v", app, tally)
			}
		}
		return err
	}))
	response, err := http.Post("http://"+process.Loopback(port), "", nil) // from now on it counts
	check(w.t, err)
	response.Body.Close()
}

// tally is what came back from one application.
type tally struct {
	Sent, Own, Failed int
	Why               []string
}

func (w *world) tallies() (all map[string]tally, err error) {
	response, err := http.Get("http://" + process.Loopback(w.caller))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return all, json.NewDecoder(response.Body).Decode(&all)
}
