package jwks

import (
	"log/slog"
	"time"

	"weft.dev/dial"
	"weft.dev/model"
	"weft.dev/source/fetch"
)

// Defaults and limits of Options.
const (
	DefaultRefresh = 5 * time.Minute
	DefaultMaxAge  = 24 * time.Hour

	maxSources = 500
)

// Options of fetching.
type Options struct {
	Refresh time.Duration // how often a source is asked that answers; 0: DefaultRefresh
	MaxAge  time.Duration // how long keys stay in effect that cannot be had anew; 0: DefaultMaxAge
	Guard   dial.Guard    // which addresses are asked
	Memory  fetch.Memory  // keeps good keys for the next start; nil: nobody does
	Now     func() time.Time
	Log     *slog.Logger
}

// Fetch is how the keys of all sources are had that some row names.
func (o Options) Fetch() fetch.Options[model.KeySource, model.KeySet] {
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
