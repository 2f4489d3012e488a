package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/snapshot"
	"weft.dev/snapshot/publish"
	"weft.dev/snapshot/store"
)

// publishFlags are what to publish, and where.
type publishFlags struct {
	target, endpoint, key, trust, trustDomain, envoy string
	fetch                                            fetchFlags
	allowRemovals, allowDirty, force, prune          bool
}

func newPublish() *cobra.Command {
	var flags publishFlags
	c := &cobra.Command{
		Use:   "publish DIR TARGET --key FILE",
		Short: "Compile a folder and put what each proxy gets where agents without a server look",
		Long: `Do what ` + "`weft render`" + ` does, for what is not in use already, and put it to TARGET: a FOLDER, s3://BUCKET/PREFIX, or http(s)://HOST/PATH, whose server takes PUT
with If-Match. The views come first; then the index, signed, in place of the one before, if nobody else has replaced that
meanwhile. Credentials of S3 are found as Amazon's tools find them.

Of a folder in a Git work tree the commit is published, too: uncommitted changes are refused, and so is a commit that the
published one is not an ancestor of, such as that of an old CI job. What takes away a proxy, or more than 15% of the
clusters of one, is refused until somebody says that it is meant.

Keys of issuers that RequestAuthentications name are asked for now, and stay as they are until the next publication: publish at
least as often as they change.

It ends with code 2 on problems of the folder and removals, and with 3 when something newer is published.`,
		Example: "  weft snapshot-key publish.pem\n  weft publish ./mesh s3://config.example.com/mesh --key publish.pem",
		Args:    cobra.ExactArgs(2),
	}
	f := c.Flags()
	f.StringVar(&flags.key, "key", os.Getenv("WEFT_SNAPSHOT_KEY"), "`FILE` of the private key that signs; default $WEFT_SNAPSHOT_KEY")
	f.StringVar(&flags.trust, "trust", "", "`FILE` of public keys that may have signed what is published now, beside --key: when a key follows another one")
	f.StringVar(&flags.endpoint, "endpoint", "", "`URL` of an S3 API that is not Amazon's")
	f.BoolVar(&flags.allowRemovals, "allow-removals", false, "proxies and clusters that vanish are meant to")
	f.BoolVar(&flags.allowDirty, "allow-dirty", false, "publish what is not committed")
	f.BoolVar(&flags.force, "force", false, "publish an older commit, and write all views again")
	f.BoolVar(&flags.prune, "prune", false, "then remove the views that no index of the last seven days names")
	f.StringVar(&flags.trustDomain, "trust-domain", "cluster.local", "trust domain of the mesh's identities")
	f.StringVar(&flags.envoy, "envoy", "", "path of the Envoy that checks (default: the pinned one)")
	flags.fetch.add(c)
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		flags.target = args[1]
		result, err := flags.publish(c, args[0])
		if err != nil {
			return published(err)
		}
		t := table{header: []string{"SEQUENCE", "REVISION", "PROXIES", "UPLOADED", "CHANGED"}, value: result}
		t.rows = [][]string{{fmt.Sprint(result.Sequence), result.Revision, fmt.Sprint(result.Proxies), fmt.Sprint(result.Uploaded), fmt.Sprint(result.Changed)}}
		return t.print(c, *output)
	}
	return c
}

// published gives an error of a publication its exit code.
func published(err error) error {
	removed := (*publish.RemovalError)(nil)
	switch {
	case errors.Is(err, publish.ErrStale):
		return exitCode{exitStale, err}
	case errors.As(err, &removed):
		return exitCode{exitFindings, fmt.Errorf("%w\nif that is meant, say --allow-removals", err)}
	}
	return err
}

func (f publishFlags) publish(c *cobra.Command, dir string) (none publish.Result, err error) {
	to, err := store.OpenWriter(f.target, f.endpoint)
	if err != nil {
		return none, exitCode{exitUsage, err}
	}
	request := publish.Request{AllowRemovals: f.allowRemovals, Force: f.force}
	if request.Key, request.Trusted, err = f.keys(); err != nil {
		return none, err
	}
	if request.Revision, err = revisionOf(c.Context(), dir, f.allowDirty); err != nil {
		return none, err
	}
	request.Follows = func(ctx context.Context, before string) error { return follows(ctx, dir, request.Revision, before) }
	rendering, err := render(c, dir, f.trustDomain, f.fetch)
	if err != nil {
		return none, err
	}
	if after, err := revisionOf(c.Context(), dir, f.allowDirty); err != nil || after != request.Revision {
		return none, errors.Join(fmt.Errorf("%s has changed while it was compiled: publish it again", dir), err)
	}
	request.Proxies, request.Views = rendering.byProxy()
	request.Check = func(ctx context.Context, views []snapshot.Digest) error {
		return rendering.validate(ctx, views, f.envoy, c.ErrOrStderr())
	}
	result, err := publish.Publish(c.Context(), to, request)
	if err != nil || !f.prune {
		return result, err
	}
	removed, err := publish.Prune(c.Context(), to, append(request.Trusted, request.Key.Public().(ed25519.PublicKey)), time.Now())
	fmt.Fprintf(c.ErrOrStderr(), "%d files that are not needed any more are removed\n", removed)
	return result, err
}

// keys are the one that signs, and those that are trusted beside it.
func (f publishFlags) keys() (key ed25519.PrivateKey, trusted []ed25519.PublicKey, err error) {
	if f.key == "" {
		return nil, nil, exitCode{exitUsage, errors.New("--key FILE is needed: `weft snapshot-key FILE` makes one")}
	}
	text, err := os.ReadFile(f.key)
	if err == nil {
		key, err = snapshot.PrivateKey(text)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("key %s: %w", f.key, err)
	}
	if f.trust == "" {
		return key, nil, nil
	}
	if text, err = os.ReadFile(f.trust); err == nil {
		trusted, err = snapshot.PublicKeys(text)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("keys %s: %w", f.trust, err)
	}
	return key, trusted, nil
}

func (r *rendering) byProxy() (map[string]snapshot.Digest, map[snapshot.Digest][]byte) {
	proxies, views := map[string]snapshot.Digest{}, map[snapshot.Digest][]byte{}
	for _, p := range r.Proxies {
		proxies[p.Proxy], views[p.View] = p.View, r.views[p.View].data
	}
	return proxies, views
}

func newSnapshotKey() *cobra.Command {
	return &cobra.Command{
		Use:   "snapshot-key FILE",
		Short: "Make the key that signs what is published: FILE, and FILE.pub for agents",
		Long: `Make an Ed25519 key. FILE, readable by its owner alone, is for ` + "`weft publish --key`" + `; FILE.pub is what agents trust. For a
successor, let agents trust both (the files one after the other) before it signs.`,
		Example: "  weft snapshot-key publish.pem",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			_, key, err := ed25519.GenerateKey(nil)
			if err != nil {
				return err
			}
			private, public, err := snapshot.EncodeKey(key)
			if err != nil {
				return err
			}
			if err := writeNew(args[0], private, 0o600); err != nil {
				return err
			}
			if err := writeNew(args[0]+".pub", public, 0o644); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), args[0]+".pub")
			return nil
		},
	}
}

// writeNew replaces no file: a key that is lost cannot be made again.
func writeNew(name string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
