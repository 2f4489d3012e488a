// Weft runs an Envoy service mesh, ships releases through it safely, and shows
// what happens.
//
// This package is flags, subcommands and wiring: the only place that knows
// every other package. Data goes to stdout, progress to stderr.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes, the same for every command and every output format.
const (
	exitOK       = 0
	exitError    = 1  // the command did not do what was asked
	exitFindings = 2  // it did, and found something wrong: problems, a rolled back release
	exitStale    = 3  // it did not, because something newer is there already
	exitUsage    = 64 // wrong words on the command line
	exitDenied   = 77 // the server does not let this user do that
	exitNoServer = 75 // no server answered; trying again may help
)

// exitCode carries the code that an error ends the process with.
type exitCode struct {
	code int
	error
}

func (e exitCode) Unwrap() error { return e.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitError
	if strings.HasPrefix(err.Error(), "unknown command") { // cobra has no type for it
		code = exitUsage
	}
	if coded := (exitCode{}); errors.As(err, &coded) {
		code = coded.code
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, "weft: "+text)
	}
	return code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "weft",
		Short: "An Envoy service mesh, safe releases through it, and a view of what happens",
		Long: `weft runs an Envoy service mesh, ships releases through it safely, and shows what happens.

Exit codes: 0 done; 1 not done; 2 done, and something is wrong (problems found, release rolled back);
3 not done, because something newer is published; 64 wrong usage; 75 no server answers; 77 not allowed.`,
		Example:       "  weft serve --data ~/.weft\n  weft run --app reviews --version v1 --port 9080 -- ./reviews",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return exitCode{exitUsage, fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
	})
	root.PersistentFlags().String("server", "", "http://HOST:PORT of a server that serves a folder (default: $WEFT_SERVER, then what the kubeconfig names)")
	root.PersistentFlags().String("kubeconfig", "", "kubeconfig of the server (default: $WEFT_KUBECONFIG, then admin.kubeconfig in the data directory)")
	root.AddCommand(
		newServe(), newInstall(), newUninstall(), newCheck(), newPlan(), newRender(), newPublish(), newSnapshotKey(), newJoin(), newRun(), newHost(), newToken(), newEnvoy(), newSystemd(),
		newFreeze(), newUnfreeze(), newAudit(),
		newApply(), newGet(), newEdges(), newTop(), newQuery(), newStats(), newTraces(), newDashboards(), newExplain(), newRoutes(), newTap(), newScope(), newRelease(), newPipeline(), newApprove(), newReject(), newUser(), newStatus(), newImport(), newExport(), newBake(),
		newMTLS(), newUndo(), newVersions(), newPreview(), newUI(), newAnalyze(), newBugReport(),
	)
	for _, c := range root.Commands() {
		usageErrors(c)
	}
	return root
}

// usageErrors makes wrong arguments end with exitUsage, in all subcommands.
func usageErrors(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return exitCode{exitUsage, fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		usageErrors(sub)
	}
}

// version is the module's version, or the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
			return "dev-" + setting.Value[:12]
		}
	}
	if info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return info.Main.Version
}
