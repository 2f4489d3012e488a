package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"

	"weft.dev/bench/control-plane/load"
	"weft.dev/bench/control-plane/mesh"
	"weft.dev/test/process"
)

const (
	// stormLimit is how long the proxies may take to come back; the goal is shorter.
	stormLimit = 5 * time.Minute
	// witnessProxies come back with all others, and then see changes that concern only them.
	witnessProxies = 20
	witnessRate    = 2                // changes a second: each is a write to the API
	writeTime      = 30 * time.Second // of one of them
	// joinRate is how many proxies a second come before the storm: registering is not what is measured.
	joinRate = 200
)

// storm kills the whole weft, with its API server, under proxies that joined, and starts it
// again. All are current when the last one has a change that was made while it was away.
func (b *bench) storm() error {
	files, err := b.mesh(b.endpoints, b.stormScopes()).Write(filepath.Join(b.dir, "storm"))
	if err != nil {
		return err
	}
	s, err := process.Serve(b.weftBinary, b.dir)
	if err != nil {
		return err
	}
	defer s.Stop()
	args := []string{"apply", "-f", files.Namespaces()}
	for _, folder := range files.Folders() {
		args = append(args, "-f", folder)
	}
	var refused bytes.Buffer
	apply := s.Command(args...)
	apply.Stderr = &refused
	if err := apply.Run(); err != nil {
		return fmt.Errorf("weft apply: %w\n%.2000s", err, refused.String())
	}
	editor, err := newEditor(s, files)
	if err != nil {
		return err
	}
	defer editor.Close()
	all, err := b.joined(s, b.stormProxies, b.inGroups(), "-connect-rate", strconv.Itoa(joinRate))
	if err != nil {
		return err
	}
	defer all.stop()
	witness, err := b.joined(s, witnessProxies, []string{"-ns", "nwitness"})
	if err != nil {
		return err
	}
	defer witness.stop()
	for i := range b.stormRepeats {
		if err := b.oneStorm(s, editor, all, witness, i+1); err != nil {
			return err
		}
	}
	return nil
}

// stormScopes: everybody sees Hot and few others; the witnesses alone see Witness.
func (b *bench) stormScopes() []mesh.Scope {
	scopes := b.narrow()
	for i := range scopes {
		if scopes[i].Namespace != "nhot" {
			scopes[i].Services[0] = mesh.Hot
		}
	}
	return append(scopes, mesh.Scope{Namespace: "nwitness", Services: []int{mesh.Witness, mesh.Witness + 1}})
}

// joined connects proxies to the mesh port, registered.
func (b *bench) joined(s *process.Server, n int, namespaces []string, flags ...string) (*client, error) {
	names := []string{"nwitness"}
	for i := range b.scopes {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	token, err := s.Token("", names...)
	if err != nil {
		return nil, err
	}
	flags = append(flags, "-join", token, "-sync-timeout", stormLimit.String(), "-change-timeout", stormLimit.String())
	return b.connectTo(s.Mesh, n, append(flags, namespaces...)...)
}

func (b *bench) oneStorm(s *process.Server, e *editor, all, witness *client, index int) error {
	b.logf("storm %d of %d", index, b.stormRepeats)
	if err := all.tell("await %v %s", stormLimit, seeEndpoint(mesh.Hot)); err != nil {
		return err
	}
	if err := s.Kill(); err != nil {
		return err
	}
	began := time.Now()
	if err := s.Start(); err != nil {
		return err
	}
	if err := process.Until(stormLimit, func() error { return e.put(mesh.Hot, index) }); err != nil {
		return err
	}
	others := make(chan load.ChurnReport, 1)
	over, failed := atomic.Bool{}, make(chan error, 1)
	go func() {
		r, err := b.witnessed(witness, e, &over)
		others <- r
		failed <- err
	}()
	var back load.Arrival
	err := all.answer(&back)
	over.Store(true)
	r := <-others
	if err == nil {
		err = <-failed
	}
	if err == nil && !back.All {
		err = fmt.Errorf("%d of %d proxies are not current %v after the restart: %s", back.Left, b.stormProxies, stormLimit, back.Error)
	}
	if err != nil {
		return err
	}
	b.result.add("storm time", back.Last.Sub(began).Seconds(), 0)
	b.result.add("storm memory", load.ProcStat(s.PID()).HWMMiB*(1<<20)/1e6, 0)
	b.result.add("storm others", r.P99, 0)
	b.result.raw("storm", back)
	b.result.raw("storm others", r)
	return nil
}

// witnessed makes changes until the storm is over, in parts; the result is of the worst part.
func (b *bench) witnessed(witness *client, e *editor, over *atomic.Bool) (load.ChurnReport, error) {
	var worst load.ChurnReport
	if _, err := witness.change(1, e.change(mesh.Witness)); err != nil { // they are back
		return worst, err
	}
	for {
		r, err := witness.churn(witnessRate, b.fairTime, e.change(mesh.Witness))
		if r.P99 > worst.P99 {
			worst = r
		}
		if err != nil || over.Load() {
			return worst, err
		}
	}
}

// editor writes the services that change to weft's API, as server-side apply. Load clients
// ask it by HTTP to make a change.
type editor struct {
	*httptest.Server
	api    string
	client *http.Client
	files  mesh.Files
}

func newEditor(s *process.Server, files mesh.Files) (*editor, error) {
	config, err := s.Config()
	if err != nil {
		return nil, err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	client.Timeout = writeTime
	e := &editor{api: config.Host, client: client, files: files}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		service, _ := strconv.Atoi(r.FormValue("service"))
		index, err := strconv.Atoi(r.FormValue("i"))
		if err == nil {
			err = e.put(service, index)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	return e, nil
}

// change is a change of a service's endpoints by the editor, as the load client takes it.
func (e *editor) change(service int) string {
	return fmt.Sprintf("http=%s/?service=%d&i={i},%s", e.URL, service, seeEndpoint(service))
}

func (e *editor) put(service, index int) error {
	template, err := os.ReadFile(e.files.EndpointTemplate(service))
	if err != nil {
		return err
	}
	url := fmt.Sprintf("%s/apis/networking.istio.io/v1/namespaces/default/serviceentries/%s?fieldManager=weft&force=true", e.api, mesh.Name(service))
	body := strings.TrimPrefix(load.Expand(string(template), index), "---\n")
	r, err := http.NewRequest(http.MethodPatch, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/apply-patch+yaml")
	answer, err := e.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		var said bytes.Buffer
		_, _ = said.ReadFrom(answer.Body)
		return fmt.Errorf("PATCH %s: %s: %.500s", url, answer.Status, said.String())
	}
	return nil
}
