package main

import (
	"net"
	"net/netip"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/dial"
	"weft.dev/release/expr"
	"weft.dev/release/pipeline"
	traffic "weft.dev/release/provider/mesh"
	children "weft.dev/release/provider/objects"
	"weft.dev/release/provider/versions"
	hooks "weft.dev/release/provider/web"
	"weft.dev/release/runner"
	"weft.dev/release/stage"
	"weft.dev/store"
)

// newMachine is what pipelines are made of here.
func newMachine() (pipeline.With, error) {
	language, err := expr.New()
	return pipeline.With{Stages: stage.All(), Eval: language}, err
}

// runPipelines makes runs of pipelines one of the leader's duties.
func (m *mesh) runPipelines(client *store.Client, flags serveFlags) error {
	with, err := newMachine()
	if err != nil {
		return err
	}
	runs, decisions := store.For[v1alpha1.PipelineRun](client, api.PipelineRun), store.For[v1alpha1.Decision](client, api.Decision)
	web := hooks.New(flags.guard().DialContext, store.For[corev1.Secret](client, api.Secret))
	engine := runner.New(runner.Options{
		Runs:      runs,
		Decisions: decisions,
		Blobs:     store.For[v1alpha1.Blob](client, api.Blob),
		Pipelines: store.For[v1alpha1.Pipeline](client, api.Pipeline).Get,
		With:      with,
		Worlds: map[string]runner.World{
			"release":   m.newChildReleases(client),
			"run":       children.Runs{All: runs, Decisions: decisions},
			"notify":    m.newHerald(client, flags),
			"objects":   m.front.runs.Objects(store.For[v1alpha1.Blob](client, api.Blob)),
			"instances": m.newInstances(client),
			"traffic":   newTraffic(client),
			"artifact":  newArtifacts(client, flags),
			"version":   versions.World{Records: newRecords(client)},
			"bake":      newBaker(client, flags.bake),
			"http":      web,
			"opinion":   m.newAsker(client, web, with.Eval),
			"answers":   traffic.World{Applications: store.For[v1alpha1.Application](client, api.Application), Provider: m.releases.Provider},
		},
		Rails:   m.newRails(client).ofRun,
		Leading: m.front.leading,
		Now:     time.Now,
		Log:     m.log,
	})
	m.more = append(m.more, engine.Run)
	m.runTriggers(client, flags, with.Eval)
	return nil
}

// newChildReleases makes the releases of runs.
func (m *mesh) newChildReleases(client *store.Client) children.Releases {
	return children.Releases{
		All: store.For[v1alpha1.Release](client, api.Release), Earlier: newEarlier(client),
		May: m.newRails(client).mayUndo, Restore: newRestorer(client).Undo,
	}
}

// guard is which addresses webhooks may reach.
func (f serveFlags) guard() dial.Guard {
	return dial.Guard{Allow: prefixesOf(f.webhookAllow), Own: f.ownPorts()}
}

func prefixesOf(all []net.IPNet) (prefixes []netip.Prefix) {
	for _, allowed := range all {
		address, _ := netip.AddrFromSlice(allowed.IP)
		bits, _ := allowed.Mask.Size()
		prefixes = append(prefixes, netip.PrefixFrom(address.Unmap(), bits))
	}
	return prefixes
}

// ownPorts are those at which weft itself is.
func (f serveFlags) ownPorts() (ports []uint16) {
	for _, own := range []string{f.listen, f.mesh, f.plaintext, f.webhook, f.hooks.address} {
		if _, port, err := net.SplitHostPort(own); err == nil {
			if n, err := strconv.ParseUint(port, 10, 16); err == nil {
				ports = append(ports, uint16(n))
			}
		}
	}
	return ports
}
