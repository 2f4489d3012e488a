package jwks

import (
	"context"
	"log/slog"
	"time"

	"weft.dev/dial"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/source/fetch"
)

// Defaults and limits of Options.
const (
	DefaultRefresh = 5 * time.Minute
	DefaultMaxAge  = 24 * time.Hour

	maxSources = 500
)

// Options of a Source.
type Options struct {
	Refresh time.Duration // how often a source is asked that answers; 0: DefaultRefresh
	MaxAge  time.Duration // how long keys stay in effect that cannot be had anew; 0: DefaultMaxAge
	Guard   dial.Guard    // which addresses are asked
	Memory  fetch.Memory  // keeps good keys for the next start; nil: nobody does
	Now     func() time.Time
	Log     *slog.Logger
}

// Source has the keys of all sources that some row names.
type Source = fetch.Source[model.KeySource, model.KeySet]

// New fills rows with the keys of what is wanted, once Run runs. It is part of the wiring of the graph.
func New(g *flow.Graph, wanted *flow.Collection[model.KeySource], rows *flow.Source[model.KeySet], o Options) *Source {
	return fetch.New(g, wanted, rows, o.fetch())
}

// Once asks every source that is wanted now, one time.
func Once(ctx context.Context, g *flow.Graph, wanted *flow.Collection[model.KeySource], rows *flow.Source[model.KeySet], o Options) {
	fetch.Once(ctx, g, wanted, rows, o.fetch())
}

func (o Options) fetch() fetch.Options[model.KeySource, model.KeySet] {
	if o.Refresh == 0 {
		o.Refresh = DefaultRefresh
	}
	if o.MaxAge == 0 {
		o.MaxAge = DefaultMaxAge
	}
	o.Guard.Flag = "--jwks-allow"
	return fetch.Options[model.KeySource, model.KeySet]{
		What: "the keys", Most: maxSources, Refresh: func(model.KeySource) time.Duration { return o.Refresh }, MaxAge: o.MaxAge, Memory: o.Memory,
		Ask: asker{o.Guard.Client()}.keys,
		Row: func(w model.KeySource, keys, trouble string) model.KeySet {
			return model.KeySet{Source: w, Keys: keys, Trouble: trouble}
		},
		Now: o.Now, Log: o.Log,
	}
}
