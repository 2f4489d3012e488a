package series

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb"
)

// Remote is where else samples are written.
type Remote struct{ config *config.Config }

// firstMessage is of version 1 of the protocol, which has no such histograms.
const firstMessage = "prometheus.WriteRequest"

// LoadRemote reads a file of Prometheus' configuration, of which weft does remote_write and
// global.external_labels.
func LoadRemote(path string) (*Remote, error) {
	c, err := config.LoadFile(path, false, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if len(c.ScrapeConfigs)+len(c.ScrapeConfigFiles)+len(c.RuleFiles)+len(c.RemoteReadConfigs)+len(c.AlertingConfig.AlertmanagerConfigs) > 0 {
		return nil, fmt.Errorf("%s: weft neither scrapes nor alerts: leave remote_write and global.external_labels", path)
	}
	if len(c.RemoteWriteConfigs) == 0 {
		return nil, fmt.Errorf("%s: it has no remote_write: say where samples go", path)
	}
	for _, to := range c.RemoteWriteConfigs {
		to.MetadataConfig.Send = false // is of what one scrapes
		// What cannot be told a histogram is told its buckets.
		to.ConvertNHCBToClassic = to.ConvertNHCBToClassic || to.ProtobufMessage == firstMessage
	}
	return &Remote{c}, nil
}

// flushTime is how long who is written to may take to get the rest, when the server stops.
const flushTime = time.Second

// start reads on in the log of a store, and writes what comes. Who does not take it is retried,
// for as long as the store has the samples in memory.
func (r *Remote) start(options Options, db *tsdb.DB) (*remote.Storage, error) {
	s := remote.NewStorage(options.Log, nil, db.StartTime, options.Dir, flushTime, nil, false)
	if err := s.ApplyConfig(r.config); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	db.SetWriteNotified(s)
	return s, nil
}
