package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/artifact"
	"weft.dev/release/pipeline"
	"weft.dev/release/trigger"
	"weft.dev/store"
)

// hookFlags are where webhooks of triggers are delivered.
type hookFlags struct{ address, certificate, key, slack string }

func (f hookFlags) check(flags serveFlags) error {
	switch {
	case (f.certificate == "") != (f.key == ""):
		return exitCode{exitUsage, errors.New("--hooks-certificate and --hooks-key go together: give both, or none behind something that ends TLS")}
	case f.slack != "" && (f.address == "" || strings.Count(f.slack, "/") != 1):
		return exitCode{exitUsage, errors.New("--hooks-slack is NAMESPACE/NAME of a Secret, and goes with --hooks")}
	case f.address == "" && f.certificate != "":
		return exitCode{exitUsage, errors.New("--hooks-certificate is for the port of --hooks: give that, too")}
	case f.address != "" && (flags.config != "" || flags.git.URL != ""):
		return exitCode{exitUsage, errors.New("--hooks: resources of a folder or a repository have no pipelines, so nothing takes deliveries: leave it out")}
	}
	return nil
}

// runTriggers makes triggers one of the leader's duties; every server takes deliveries.
func (m *mesh) runTriggers(client *store.Client, flags serveFlags, eval pipeline.Evaluator) {
	pipelines, runs := store.For[v1alpha1.Pipeline](client, api.Pipeline), store.For[v1alpha1.PipelineRun](client, api.PipelineRun)
	secrets := store.For[corev1.Secret](client, api.Secret)
	engine := trigger.New(trigger.Options{
		Pipelines: pipelines, Runs: runs, Secrets: secrets, Eval: eval,
		Outside: artifact.New(flags.guard().DialContext),
		Now:     time.Now, Log: m.log,
	})
	m.more = append(m.more, engine.Run)
	if flags.hooks.address == "" {
		return
	}
	receiver := trigger.NewReceiver(trigger.ReceiverOptions{Pipelines: pipelines, Runs: runs, Secrets: secrets, Eval: eval, Now: time.Now, Log: m.log})
	m.served = append(m.served, func(ctx context.Context) error {
		return flags.hooks.serve(ctx, m.withButtons(client, flags, receiver))
	})
}

// renewedTLS reads the certificate for each connection: a renewed one counts at once.
func renewedTLS(certificate, key string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(certificate, key)
		return &c, err
	}}
}

// serve takes deliveries until ctx ends.
func (f hookFlags) serve(ctx context.Context, h http.Handler) error {
	listener, err := net.Listen("tcp", f.address)
	if err != nil {
		return fmt.Errorf("--hooks %s: %w", f.address, err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10}
	if f.certificate != "" {
		listener = tls.NewListener(listener, renewedTLS(f.certificate, f.key))
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		stopped <- server.Shutdown(grace)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return cmp.Or(<-stopped, ctx.Err())
}
