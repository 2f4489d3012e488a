package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"weft.dev/agent/relay"
	"weft.dev/model"
)

const (
	fileInterval = time.Second
	maxFile      = 256 << 10
)

// fileSecrets gives Envoy the certificates that its configuration names by files of
// this machine. Envoy does not read them itself: it would refuse what is wrong with
// all that comes along, and not notice what is new.
type fileSecrets struct {
	relay *relay.Service
	log   *slog.Logger
	given map[string]string // versions, by name; "": it could not be read, which was told
}

func newFileSecrets(r *relay.Service, log *slog.Logger) *fileSecrets {
	return &fileSecrets{relay: r, log: log, given: map[string]string{}}
}

func (f *fileSecrets) run(ctx context.Context) {
	tick := time.NewTicker(fileInterval)
	defer tick.Stop()
	for {
		f.look()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look reads what is asked for. What can no longer be read stays as it was.
func (f *fileSecrets) look() {
	for _, name := range f.relay.AskedFor(model.TypeSecret.TypeURL()) {
		if !model.IsFileSecret(name) {
			continue
		}
		had, known := f.given[name]
		one, err := fileSecret(name)
		switch {
		case err != nil && (!known || had != ""):
			f.log.Error("a certificate cannot be read, so calls that need it fail, or go on with the one before", "secret", name, "why", err)
			f.given[name] = ""
		case err == nil && one.Version != had:
			f.relay.SetLocal(model.TypeSecret.TypeURL(), one)
			f.given[name] = one.Version
		}
	}
}

func fileSecret(name string) (*discoveryv3.Resource, error) {
	if path, ok := strings.CutPrefix(name, model.SecretCAPrefix); ok {
		text, err := pemFile(path)
		if err != nil {
			return nil, err
		}
		if !x509.NewCertPool().AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: it holds no PEM certificate", path)
		}
		return trusted(name, inline(text)), nil
	}
	chainPath, keyPath, _ := strings.Cut(strings.TrimPrefix(name, model.SecretFilePrefix), "~")
	chain, err := pemFile(chainPath)
	if err != nil {
		return nil, err
	}
	key, err := pemFile(keyPath)
	if err != nil {
		return nil, err
	}
	if _, err := tls.X509KeyPair(chain, key); err != nil {
		return nil, fmt.Errorf("%s is no key of %s", keyPath, chainPath) // what is wrong with it may quote it
	}
	return secret(name, message(secretCertificate, append(message(certificateChain, inline(chain)), message(certificateKey, inline(key))...))), nil
}

func pemFile(path string) ([]byte, error) {
	if path == "" {
		return nil, errors.New("no file is named")
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return text, err
}
