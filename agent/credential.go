package agent

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"

	"weft.dev/identity"
	"weft.dev/model"
)

const (
	workloadFile = "workload.json"
	renewRetry   = 30 * time.Second // at most, between two tries to renew
	firstRetry   = time.Second      // between two tries to get the first certificate
)

// keeper holds the workload's credential and renews it.
type keeper struct {
	files   identity.Dir // of the workload
	hostDir string
	server  string
	wanted  model.RenewRequest // without CSR
	pod     *Pod               // nil: the machine has joined
	log     *slog.Logger
	changed func(*identity.Credential)

	held atomic.Pointer[identity.Credential]
}

// open takes the credential from disk, or asks the server for one until it
// answers. An old one that has not ended is good enough to start with.
func (k *keeper) open(ctx context.Context) error {
	if c, err := identity.LoadCredential(k.files, workloadFile); err == nil && k.fits(c) && time.Now().Before(c.Ends()) {
		k.set(c)
		return nil
	}
	for {
		err := k.renew(ctx)
		if err == nil {
			return nil
		}
		k.log.Warn("no certificate for the workload yet", "why", err, "again", firstRetry)
		select {
		case <-ctx.Done():
			return fmt.Errorf("workload %s: no certificate: %w", k.wanted.Account, err)
		case <-time.After(firstRetry):
		}
	}
}

// fits says whether the credential is for this workload and not for one that
// used the folder before.
func (k *keeper) fits(c *identity.Credential) bool {
	name, err := c.Name()
	return err == nil && name.Namespace == k.wanted.Namespace && name.Account == k.wanted.Account
}

func (k *keeper) set(c *identity.Credential) {
	k.held.Store(c)
	k.changed(c)
}

// run renews at half life, and the machine's own credential too.
func (k *keeper) run(ctx context.Context) {
	for {
		held := k.held.Load()
		half := min(renewRetry, held.Ends().Sub(held.RenewAt())/4) / 2
		wait := max(time.Until(held.RenewAt()), half) + rand.N(max(half, 1))
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(wait, time.Hour)):
		}
		if err := k.renewHost(ctx); err != nil {
			k.log.Warn("the machine's credential is not renewed", "why", err)
		}
		if time.Now().Before(k.held.Load().RenewAt()) {
			continue
		}
		if err := k.renew(ctx); err != nil {
			k.log.Warn("the workload's certificate is not renewed", "why", err, "ends", k.held.Load().Ends())
		}
	}
}

// next asks with the workload's own certificate while it has one, else with what
// the pod or the machine has.
func (k *keeper) next(ctx context.Context) (*identity.Credential, error) {
	by := k.held.Load()
	if by != nil && time.Now().Before(by.Ends()) {
		return ask(ctx, k.server, by, k.wanted)
	}
	if k.pod != nil {
		return k.pod.attest(ctx, k.server)
	}
	host, err := identity.LoadCredential(identity.Dir(k.hostDir), hostFile)
	if err != nil {
		return nil, fmt.Errorf("this machine has not joined a mesh: %w; use weft join", err)
	}
	return ask(ctx, k.server, host, k.wanted)
}

func (k *keeper) renew(ctx context.Context) error {
	next, err := k.next(ctx)
	if err != nil {
		return err
	}
	if err := next.Save(k.files, workloadFile); err != nil {
		return err
	}
	k.set(next)
	k.log.Info("the workload has a certificate", "ends", next.Ends().UTC().Format(time.RFC3339))
	return nil
}

// renewHost is done by whichever agent of the machine comes first.
func (k *keeper) renewHost(ctx context.Context) error {
	if k.pod != nil {
		return nil
	}
	return locked(k.hostDir, func() error {
		host, err := identity.LoadCredential(identity.Dir(k.hostDir), hostFile)
		if err != nil || time.Now().Before(host.RenewAt()) {
			return err
		}
		next, err := ask(ctx, k.server, host, model.RenewRequest{})
		if err != nil {
			return err
		}
		return next.Save(identity.Dir(k.hostDir), hostFile)
	})
}

// trust takes roots that the server has pushed.
func (k *keeper) trust(roots [][]byte) {
	held := k.held.Load()
	if equalRoots(held.Roots, roots) {
		return
	}
	next := held.WithRoots(roots)
	if err := next.Save(k.files, workloadFile); err != nil {
		k.log.Error("new roots are not on disk", "why", err)
	}
	k.set(next)
	k.log.Info("the trusted roots changed", "roots", len(roots))
	if err := k.trustHost(roots); err != nil {
		k.log.Error("the machine's credential has the old roots", "why", err)
	}
}

// trustHost is for the machine's connection, which is made with its credential.
func (k *keeper) trustHost(roots [][]byte) error {
	if k.pod != nil {
		return nil
	}
	return locked(k.hostDir, func() error {
		host, err := identity.LoadCredential(identity.Dir(k.hostDir), hostFile)
		if err != nil || equalRoots(host.Roots, roots) {
			return err
		}
		return host.WithRoots(roots).Save(identity.Dir(k.hostDir), hostFile)
	})
}

func equalRoots(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if string(a[i]) != string(b[i]) {
			return false
		}
	}
	return true
}

// ask gets a certificate for a new key.
func ask(ctx context.Context, server string, by *identity.Credential, wanted model.RenewRequest) (*identity.Credential, error) {
	key, err := identity.NewKey()
	if err != nil {
		return nil, err
	}
	conn, err := dial(server, credentials.NewTLS(identity.ClientTLS(func() *identity.Credential { return by })))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	wanted.CSR = key.CSR
	var reply model.CertificateReply
	if err := call(ctx, conn, model.AgentRenew, &wanted, &reply); err != nil {
		return nil, err
	}
	return key.Certified(reply, by.Trust)
}

// ServerAddress is what was named, or what Join wrote down.
func ServerAddress(named, hostDir string) (string, error) {
	if named != "" {
		return named, nil
	}
	data, err := identity.Dir(hostDir).Read(serverFile)
	if err != nil {
		return "", fmt.Errorf("this machine has not joined a mesh: %w; use weft join", err)
	}
	return strings.TrimSpace(string(data)), nil
}
