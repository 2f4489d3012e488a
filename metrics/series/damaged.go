package series

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/prometheus/tsdb"
)

const (
	// damagedSuffix is where what cannot be read goes; what was there before goes away.
	damagedSuffix = ".damaged"
	blockName     = 26 // characters; nothing else in a store has so many
)

// openDir opens the store of a folder. A block that cannot be read is set aside; where that does not help
// all of it is, for an empty one: what was measured is worth less than what is being measured.
func openDir(options Options) (*tsdb.DB, error) {
	db, err := openDB(options)
	if err == nil {
		return db, nil
	}
	aside := options.Dir + damagedSuffix
	if removed := os.RemoveAll(aside); removed != nil {
		return nil, errors.Join(err, removed)
	}
	db, blocks, kept := withoutDamaged(options, aside)
	switch {
	case kept != nil:
		return nil, errors.Join(err, kept)
	case db != nil:
		options.Log.Warn("a part of the store of metrics could not be read: what it had is missing, all else is there", "why", err, "blocks", blocks, "they are in", aside)
		return db, nil
	}
	if moved := os.Rename(options.Dir, aside); moved != nil {
		return nil, errors.Join(err, moved)
	}
	db, fresh := openDB(options)
	if fresh != nil { // it is not the store that is at fault
		return nil, errors.Join(err, os.RemoveAll(options.Dir), os.Rename(aside, options.Dir))
	}
	options.Log.Warn("the store of metrics could not be read: a new one begins", "why", err, "the old one", aside)
	return db, nil
}

// withoutDamaged opens a store without the blocks that cannot be read. Without a store everything is where
// it was, or err says why not.
func withoutDamaged(options Options, aside string) (db *tsdb.DB, blocks []string, err error) {
	if blocks = damagedBlocks(options.Dir); len(blocks) == 0 {
		return nil, nil, nil
	}
	if err = os.Mkdir(aside, 0o700); err != nil {
		return nil, nil, err
	}
	if err = move(blocks, options.Dir, aside); err != nil {
		return nil, nil, err
	}
	if db, err = openDB(options); err == nil {
		return db, blocks, nil
	}
	return nil, nil, errors.Join(move(blocks, aside, options.Dir), os.Remove(aside))
}

func damagedBlocks(dir string) (names []string) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, file := range files {
		if !file.IsDir() || len(file.Name()) != blockName {
			continue
		}
		block, err := tsdb.OpenBlock(slog.New(slog.DiscardHandler), filepath.Join(dir, file.Name()), nil, nil)
		if err == nil {
			err = block.Close()
		}
		if err != nil {
			names = append(names, file.Name())
		}
	}
	return names
}

func move(names []string, from, to string) (err error) {
	for _, name := range names {
		err = errors.Join(err, os.Rename(filepath.Join(from, name), filepath.Join(to, name)))
	}
	return err
}
