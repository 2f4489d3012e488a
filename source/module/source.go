package module

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"time"

	"weft.dev/dial"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/source/fetch"
)

const (
	refresh     = 5 * time.Minute // of what may change
	never       = time.Duration(math.MaxInt64)
	maxSources  = 100
	attemptTime = time.Minute // with all that leads there
)

// Options of fetching.
type Options struct {
	Guard  dial.Guard                         // which addresses are asked
	Pulls  *flow.Collection[model.PullSecret] // by which registries are asked
	Memory fetch.Memory                       // keeps code for the next start; nil: nobody does
	Now    func() time.Time
	Log    *slog.Logger
}

// Fetch is how the code of all sources is had that some row names.
func (o Options) Fetch() fetch.Options[model.ModuleSource, model.Module] {
	o.Guard.Flag = "--modules-allow"
	return fetch.Options[model.ModuleSource, model.Module]{
		What: "the code", Most: maxSources, Memory: o.Memory,
		Refresh: func(m model.ModuleSource) time.Duration {
			if m.Again {
				return refresh
			}
			return never
		},
		Ask: asker{o.Guard.Client(), o.Pulls.Get}.code,
		Row: func(m model.ModuleSource, code, trouble string) model.Module {
			return model.Module{Source: m, Code: code, Trouble: trouble}
		},
		Now: o.Now, Log: o.Log,
	}
}

// asker asks for code, at the addresses that its client may reach.
type asker struct {
	client *http.Client
	pull   func(name string) (model.PullSecret, bool)
}

// magic begins every module.
const magic = "\x00asm"

func (a asker) code(ctx context.Context, m model.ModuleSource) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	get := a.file
	if strings.HasPrefix(m.URL, scheme) {
		get = a.image
	}
	code, err := get(ctx, m)
	if err == nil && !strings.HasPrefix(string(code), magic) {
		err = errors.New("it is no module of WebAssembly")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", m.URL, dial.InWords(err, attemptTime))
	}
	return string(code), nil
}

func (a asker) file(ctx context.Context, m model.ModuleSource) ([]byte, error) {
	body, err := dial.Get(ctx, a.client, m.URL, "application/wasm, */*", model.MaxModule)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return body, sameDigest(m, hex.EncodeToString(sum[:]))
}

func sameDigest(m model.ModuleSource, is string) error {
	if m.Digest != "" && m.Digest != is {
		return fmt.Errorf("its SHA-256 is %s, not %s", is, m.Digest)
	}
	return nil
}
