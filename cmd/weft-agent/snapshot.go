package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"weft.dev/agent/poll"
	"weft.dev/snapshot"
	"weft.dev/snapshot/store"
)

// snapshotFlags are the flags of run about configuration that no server has.
type snapshotFlags struct {
	target, endpoint string
	keys             []string
	interval         time.Duration
}

func (s *snapshotFlags) set(f *pflag.FlagSet) {
	f.StringVar(&s.target, "snapshots", "", "`TARGET` of weft publish: FOLDER, http(s)://HOST/PATH or s3://BUCKET/PREFIX; then there is no server")
	f.StringArrayVar(&s.keys, "snapshot-key", nil, "`FILE` of public keys, PEM, of which one must have signed; may be repeated")
	f.StringVar(&s.endpoint, "snapshot-endpoint", "", "`URL` of an S3 API; default: Amazon's")
	f.DurationVar(&s.interval, "snapshot-interval", poll.DefaultInterval, "between two looks at what is published")
}

// options are nil where a server has the configuration.
func (s *snapshotFlags) options() (*poll.Options, error) {
	switch {
	case s.target == "" && len(s.keys) == 0:
		return nil, nil
	case s.target == "" || len(s.keys) == 0:
		return nil, errors.New("--snapshots and --snapshot-key go together: what nobody trusted has signed is not taken")
	case s.interval <= 0:
		return nil, fmt.Errorf("--snapshot-interval %v: it must be longer than nothing", s.interval)
	}
	from, err := store.OpenReader(s.target, s.endpoint)
	if err != nil {
		return nil, fmt.Errorf("--snapshots: %w", err)
	}
	trusted, err := readKeys(s.keys)
	return &poll.Options{Store: from, Target: from.String(), Trusted: trusted, Interval: s.interval}, err
}

func readKeys(paths []string) (trusted []ed25519.PublicKey, err error) {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("--snapshot-key: %w", err)
		}
		keys, err := snapshot.PublicKeys(text)
		if err != nil {
			return nil, fmt.Errorf("--snapshot-key %s: %w", path, err)
		}
		trusted = append(trusted, keys...)
	}
	return trusted, nil
}
