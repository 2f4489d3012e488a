package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"weft.dev/flow"
	"weft.dev/identity"
	"weft.dev/metrics/series"
	"weft.dev/model"
	"weft.dev/scope/memory"
	"weft.dev/source/folder"
	"weft.dev/source/git"
	"weft.dev/store/serve"
)

// folderFront is a folder of files: problems are logged, and workloads are in
// the data directory.
func folderFront(flags serveFlags, graph *flow.Graph, log *slog.Logger) (front, error) {
	files := folder.New(flags.config, graph, log)
	files.Remember(identity.Dir(flags.data))
	return filesFront("the folder "+flags.config, files, files.Run, flags.data, graph, log)
}

// gitFront is the same of the commits of a repository.
func gitFront(flags serveFlags, graph *flow.Graph, log *slog.Logger) (front, error) {
	flags.git.Data = filepath.Join(flags.data, "git")
	repository, err := git.New(flags.git, graph, log)
	if err != nil {
		return front{}, exitCode{exitUsage, fmt.Errorf("--git: %w", err)}
	}
	from, err := filesFront(repository.String(), repository.Source, repository.Run, flags.data, graph, log)
	from.commit = repository.Commit
	return from, err
}

// filesFront has the rows of files, which follow keeps true.
func filesFront(name string, files *folder.Source, follow func(context.Context) error, data string, graph *flow.Graph, log *slog.Logger) (front, error) {
	workloads, err := newRegistered(files.Source, graph, filepath.Join(data, "registered"))
	if err != nil {
		return front{}, err
	}
	learned, err := memory.OpenFile(filepath.Join(data, "scope.json"))
	var begin func()
	return front{
		name:       name,
		memory:     learned,
		objects:    files.Collection,
		problems:   flow.Union("problems of all files", files.Problems.Collection, idle(files.Collection)),
		synced:     files.Synced(),
		workloads:  workloads,
		namespaces: func([]string) error { return nil }, // one is there when an object names it
		lead:       alone,
		tell:       func(all *flow.Collection[model.Problem]) { begin = logProblems(all, log) },
		run: func(ctx context.Context) error {
			if err := workloads.begin(ctx); err != nil {
				return err
			}
			go func() {
				select {
				case <-files.Synced():
					begin()
				case <-ctx.Done():
				}
			}()
			return follow(ctx)
		},
	}, err
}

// maxLogged is how many problems of one commit are logged.
const maxLogged = 50

// logProblems logs each problem when it appears, and when it is gone. It begins
// once everything has been read: of half a folder there is nothing to say.
func logProblems(all *flow.Collection[model.Problem], log *slog.Logger) (begin func()) {
	var begun atomic.Bool
	all.Observe(func(_ flow.Revision, changes []flow.Change[model.Problem]) {
		if !begun.Load() {
			return
		}
		for _, change := range changes[:min(len(changes), maxLogged)] {
			if p := change.New; p != nil {
				log.Warn("problem", "object", p.Object, "code", p.Code, "where", p.Path, "what", p.Message)
			} else {
				log.Warn("problem solved", "object", change.Old.Object, "code", change.Old.Code, "where", change.Old.Path)
			}
		}
		if more := len(changes) - maxLogged; more > 0 {
			log.Warn("more problems came or went: weft get problems lists them", "more", more)
		}
	})
	return func() {
		begun.Store(true)
		found := all.All()
		for _, p := range found[:min(len(found), maxLogged)] {
			log.Warn("problem", "object", p.Object, "code", p.Code, "where", p.Path, "what", p.Message)
		}
		if more := len(found) - maxLogged; more > 0 {
			log.Warn("there are more problems: weft get problems lists them", "more", more)
		}
	}
}

// runFiles serves a folder, or a repository, until ctx ends.
func runFiles(ctx context.Context, flags serveFlags, log *slog.Logger) error {
	if !isLoopback(flags.listen) {
		return exitCode{exitUsage, fmt.Errorf("--listen %s: without an API server nobody signs in, so people are answered on loopback only: use 127.0.0.1:PORT", flags.listen)}
	}
	authority, err := openAuthority(filepath.Join(flags.data, "ca"), flags.trustDomain)
	if err != nil {
		return err
	}
	graph := flow.New(flow.Options{KeepLastGood: true})
	open := folderFront
	if flags.git.URL != "" {
		open = gitFront
	}
	front, err := open(flags, graph, log)
	if err != nil {
		return err
	}
	m := newMesh(graph, front, authority, flags, log)
	pages := m.people(flags, flags.mesh)
	people, err := loopbackOnly(pages, flags.data)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return servePeople(ctx, flags.listen, people) })
	group.Go(func() error { return m.run(ctx, flags) })
	if flags.ui.address != "" {
		gate := fileGate{flags.data, pages, serve.NewKey()}
		group.Go(func() error { return flags.ui.serve(ctx, gate, newMemoryBook()) })
	}
	go m.announce(ctx, fmt.Sprintf("weft serves %s at http://%s, agents join at %s", front.name, flags.listen, flags.mesh))
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// isLoopback says whether only this machine reaches an address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// secretFile, in the data directory, lets its reader change something by the
// API of a server without sign-in.
const secretFile = "api.secret"

// openSecret reads the secret, or makes one.
func openSecret(data string) (string, error) {
	files := identity.Dir(data)
	if text, err := files.Read(secretFile); err == nil {
		return string(text), nil
	}
	secret := rand.Text()
	return secret, files.Write(secretFile, []byte(secret))
}

// loopbackOnly lets everybody on this machine read, but no web page that
// pretends to be on it, and lets those make tokens who can read the data directory.
func loopbackOnly(next http.Handler, data string) (http.Handler, error) {
	secret, err := openSecret(data)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := r.Header.Get("Authorization")
		switch {
		case !isLoopback(r.Host):
			fail(w, http.StatusForbidden, "ask by the address of loopback")
		case r.Method != http.MethodGet && !strings.HasPrefix(r.URL.Path, series.Prefix) && subtle.ConstantTimeCompare([]byte(given), []byte("Bearer "+secret)) != 1:
			fail(w, http.StatusForbidden, "only who can read the server's data directory may do that: set WEFT_DATA to it")
		default:
			next.ServeHTTP(w, r)
		}
	}), err
}

// What a slow asker may take.
const (
	headerTime = 10 * time.Second
	maxHeader  = 64 << 10
)

func servePeople(ctx context.Context, address string, handler http.Handler) error {
	listener, err := listenForPeople(ctx, address)
	if err != nil {
		return err
	}
	return serveHTTP(ctx, listener, handler)
}

// servePeopleTLS is the same for people who are elsewhere.
func servePeopleTLS(ctx context.Context, address string, config *tls.Config, handler http.Handler) error {
	listener, err := listenForPeople(ctx, address)
	if err != nil {
		return err
	}
	return serveHTTP(ctx, tls.NewListener(listener, config), handler)
}

func listenForPeople(ctx context.Context, address string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("API port: %w; choose another with --listen", err)
	}
	return listener, nil
}

func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler) error {
	return serveBy(ctx, listener, &http.Server{Handler: handler})
}

// serveBy serves until ctx ends.
func serveBy(ctx context.Context, listener net.Listener, server *http.Server) error {
	server.ReadHeaderTimeout, server.MaxHeaderBytes = headerTime, maxHeader
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}
