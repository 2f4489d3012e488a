package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	etcdName   = "weft"
	etcdFolder = "etcd"
	// firstName is the file that says that etcd was never ready in this directory.
	firstName = "etcd.first"
	// maxSocketPath is what Linux has room for in a socket's address.
	maxSocketPath = 107
	// etcdQuota is the size at which etcd refuses writes, so that a runaway writer cannot fill the disk.
	etcdQuota = 2 << 30
	// snapshotEvery many writes etcd keeps in memory, and catchUp more of them for followers. It has none.
	snapshotEvery = 1000
	catchUp       = 1 // 0 would be the default, 5,000
)

// etcd is one embedded member that listens on Unix sockets in the data
// directory; the directory's mode keeps others away from them.
type etcd struct {
	server   *embed.Etcd
	endpoint string
	log      *etcdLog
}

func startEtcd(ctx context.Context, dir string, log *slog.Logger) (*etcd, error) {
	client, err := socketURL(dir, "etcd.sock")
	if err != nil {
		return nil, err
	}
	peer, err := socketURL(dir, "peer.sock")
	if err != nil {
		return nil, err
	}
	begun, err := beginFirst(dir)
	if err != nil {
		return nil, err
	}
	faults := &etcdLog{log: log}
	server, err := embed.StartEtcd(etcdConfig(dir, client, peer, faults))
	if err != nil {
		return nil, fmt.Errorf("etcd in %s: %w", dir, err)
	}
	e := &etcd{server: server, endpoint: client.String(), log: faults}
	select {
	case <-server.Server.ReadyNotify():
		if err = endFirst(begun); err == nil {
			return e, nil
		}
	case err = <-server.Err():
	case <-ctx.Done():
		err = ctx.Err()
	}
	e.stop()
	return nil, fmt.Errorf("etcd in %s: %w", dir, err)
}

func etcdConfig(dir string, client, peer url.URL, log *etcdLog) *embed.Config {
	c := embed.NewConfig()
	c.Name = etcdName
	c.Dir = filepath.Join(dir, etcdFolder)
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	c.InitialCluster = c.InitialClusterFromName(etcdName)
	c.QuotaBackendBytes = etcdQuota
	c.SnapshotCount = snapshotEvery
	c.SnapshotCatchUpEntries = catchUp
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(log))
	return c
}

// beginFirst marks etcd's first start in dir, and clears what a first start that was killed has left: a log that names no member,
// with which etcd would wait for a leader for ever. Nothing was acknowledged from it. It returns the mark's path.
func beginFirst(dir string) (string, error) {
	mark, data := filepath.Join(dir, firstName), filepath.Join(dir, etcdFolder)
	_, err := os.Stat(mark)
	if err == nil {
		return mark, os.RemoveAll(data)
	}
	if _, err := os.Stat(data); err == nil {
		return mark, nil // it was ready once
	}
	return mark, errors.Join(writeFile(mark, nil), syncDir(dir))
}

// endFirst takes the mark away, for good: from now on writes are acknowledged.
func endFirst(mark string) error {
	if err := os.Remove(mark); err != nil {
		if os.IsNotExist(err) {
			return nil
		}
		return err
	}
	return syncDir(filepath.Dir(mark))
}

// stop ends the server and closes its files, and only then returns.
func (e *etcd) stop() {
	e.log.quiet.Store(true)
	e.server.Close()
	<-e.server.Server.StopNotify()
}

// socketURL names a socket in dir. One that a killed process left is removed:
// who calls holds the directory's lock.
func socketURL(dir, name string) (url.URL, error) {
	path := filepath.Join(dir, name)
	if len(path) > maxSocketPath {
		return url.URL{}, fmt.Errorf("data directory %s: its path may have at most %d characters, as it holds Unix sockets; use a shorter one",
			dir, maxSocketPath-len(name)-1)
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return url.URL{}, err
	}
	return url.URL{Scheme: "unix", Path: path}, nil
}

// etcdLog passes on etcd's errors. Its warnings are about disks slower than a
// cluster's, which a single member does not mind; while it stops, it calls every
// connection that ends an error.
type etcdLog struct {
	log   *slog.Logger
	quiet atomic.Bool
}

func (z *etcdLog) Enabled(l zapcore.Level) bool      { return l >= zapcore.ErrorLevel && !z.quiet.Load() }
func (z *etcdLog) With([]zapcore.Field) zapcore.Core { return z }
func (z *etcdLog) Sync() error                       { return nil }

func (z *etcdLog) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if z.Enabled(e.Level) {
		return c.AddCore(e, z)
	}
	return c
}

func (z *etcdLog) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(enc)
	}
	z.log.Error("etcd: "+e.Message, "fields", enc.Fields)
	return nil
}
