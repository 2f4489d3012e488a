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
	"weft.dev/model"
	"weft.dev/source/jwks"
)

// jwksFlags say how the keys of those who issue tokens are had.
type jwksFlags struct {
	allow           []net.IPNet
	refresh, maxAge time.Duration
}

func (f *jwksFlags) add(c *cobra.Command) {
	c.Flags().IPNetSliceVar(&f.allow, "jwks-allow", nil, "addresses, such as 10.1.0.0/16, that keys of RequestAuthentications may be at, beside public ones with https:// (repeatable)")
}

func (f *jwksFlags) addPace(c *cobra.Command) {
	c.Flags().DurationVar(&f.refresh, "jwks-refresh", jwks.DefaultRefresh, "how often the keys of RequestAuthentications are asked for anew")
	c.Flags().DurationVar(&f.maxAge, "jwks-max-age", jwks.DefaultMaxAge, "how long keys stay in effect that cannot be had anew; then every token of their issuer is refused")
}

func (f jwksFlags) check() error {
	if f.refresh < time.Second || f.maxAge < f.refresh {
		return exitCode{exitUsage, fmt.Errorf("--jwks-refresh %s, --jwks-max-age %s: want 1s or more, and the age not below the refresh", f.refresh, f.maxAge)}
	}
	return nil
}

// newKeySource is part of the wiring.
func (m *mesh) newKeySource(flags serveFlags) *jwks.Source {
	o := jwks.Options{
		Refresh: flags.jwks.refresh, MaxAge: flags.jwks.maxAge, Now: time.Now, Log: m.log,
		Guard: dial.Guard{Allow: prefixesOf(flags.jwks.allow), Own: flags.ownPorts()},
	}
	if m.front.pods == nil { // in a cluster there is no disk
		o.Memory = jwks.File(filepath.Join(flags.data, "issuers.json"), m.log)
	}
	return jwks.New(m.graph, m.rows.KeySources, m.keySets, o)
}

// fetchKeys asks for the keys of all issuers once. Those that cannot be had are problems.
func (r *rehearsal) fetchKeys(ctx context.Context, allow []net.IPNet, log *slog.Logger) {
	o := jwks.Options{Now: time.Now, Log: log, Guard: dial.Guard{Allow: prefixesOf(allow)}}
	jwks.Once(ctx, r.graph, r.rows.KeySources, r.keySets, o)
	for _, p := range r.compiled.Problems.All() {
		if p.Code == model.ProblemMissingKeys {
			r.problems = append(r.problems, p)
		}
	}
}
