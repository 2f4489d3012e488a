package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/dial"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/source/fetch"
	"weft.dev/source/jwks"
	"weft.dev/source/module"
)

// fetched is what others have that objects name.
type fetched struct {
	keySets *flow.Source[model.KeySet] // of those who issue tokens
	modules *flow.Source[model.Module] // code of plugins
}

func newFetched(graph *flow.Graph) *fetched {
	return &fetched{
		keySets: flow.NewSource[model.KeySet](graph, "keys of issuers"),
		modules: flow.NewSource[model.Module](graph, "modules"),
	}
}

// fetchFlags say how it is had.
type fetchFlags struct {
	keysAt, modulesAt []net.IPNet
	refresh, maxAge   time.Duration // of keys
}

func (f *fetchFlags) add(c *cobra.Command) {
	c.Flags().IPNetSliceVar(&f.keysAt, "jwks-allow", nil, "addresses, such as 10.1.0.0/16, that keys of RequestAuthentications may be at, beside public ones with https:// (repeatable)")
	c.Flags().IPNetSliceVar(&f.modulesAt, "modules-allow", nil, "addresses, such as 10.1.0.0/16, that modules of WasmPlugins may be at, beside public ones with https:// (repeatable)")
}

func (f *fetchFlags) addPace(c *cobra.Command) {
	c.Flags().DurationVar(&f.refresh, "jwks-refresh", jwks.DefaultRefresh, "how often the keys of RequestAuthentications are asked for anew")
	c.Flags().DurationVar(&f.maxAge, "jwks-max-age", jwks.DefaultMaxAge, "how long keys stay in effect that cannot be had anew; then every token of their issuer is refused")
}

func (f fetchFlags) check() error {
	if f.refresh < time.Second || f.maxAge < f.refresh {
		return exitCode{exitUsage, fmt.Errorf("--jwks-refresh %s, --jwks-max-age %s: want 1s or more, and the age not below the refresh", f.refresh, f.maxAge)}
	}
	return nil
}

// wireFetched asks for all of it, again and again. It is part of the wiring.
func (m *mesh) wireFetched(from *fetched, flags serveFlags) {
	guard := func(allow []net.IPNet) dial.Guard { return dial.Guard{Allow: prefixesOf(allow), Own: flags.ownPorts()} }
	var memory fetch.Memory
	if m.front.pods == nil { // in a cluster there is no disk
		memory = fetch.Folder(filepath.Join(flags.data, "fetched"), m.log)
	}
	keys := fetch.New(m.graph, m.rows.KeySources, from.keySets, jwks.Options{
		Refresh: flags.fetch.refresh, MaxAge: flags.fetch.maxAge, Now: time.Now, Log: m.log, Guard: guard(flags.fetch.keysAt), Memory: memory,
	}.Fetch())
	modules := fetch.New(m.graph, m.rows.ModuleSources, from.modules, module.Options{
		Now: time.Now, Log: m.log, Guard: guard(flags.fetch.modulesAt), Pulls: m.rows.PullSecrets, Memory: memory,
	}.Fetch())
	m.served = append(m.served, keys.Run, modules.Run)
}

// fetch asks once for all of it. What cannot be had is a problem.
func (r *rehearsal) fetch(ctx context.Context, flags fetchFlags, log *slog.Logger) {
	fetch.Once(ctx, r.graph, r.rows.KeySources, r.fetched.keySets, jwks.Options{
		Now: time.Now, Log: log, Guard: dial.Guard{Allow: prefixesOf(flags.keysAt)},
	}.Fetch())
	fetch.Once(ctx, r.graph, r.rows.ModuleSources, r.fetched.modules, module.Options{
		Now: time.Now, Log: log, Guard: dial.Guard{Allow: prefixesOf(flags.modulesAt)}, Pulls: r.rows.PullSecrets,
	}.Fetch())
	for _, p := range r.compiled.Problems.All() {
		if p.Code == model.ProblemMissingKeys || p.Code == model.ProblemMissingModule {
			r.problems = append(r.problems, p)
		}
	}
}
