// weft-agent is the part of weft that stands beside each workload. It is a
// binary of its own because every workload pays for its memory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"weft.dev/agent"
	"weft.dev/agent/envoy"
)

// The memory of an agent is at most 30 MB, its code and stacks included.
const (
	gcPercent   = 40
	memoryLimit = 20 << 20
)

const (
	exitFailed = 1
	exitUsage  = 2
)

const usage = `weft-agent runs beside a workload.

  weft-agent join --server HOST:PORT --token TOKEN
  weft-agent run --app NAME [--version V] [--port PORT[:APPPORT]] -- COMMAND...
  weft-agent run --gateway NAME
  weft-agent envoy

Each command explains its flags with -h.
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
	commands := map[string]func(context.Context, []string) (int, error){"join": join, "run": run, "envoy": findEnvoy}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprint(os.Stderr, usage)
		return exitUsage
	}
	code, err := commands[args[0]](ctx, args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "weft "+args[0]+":", err)
	}
	return code
}

// parse reads flags that are followed by no argument, or by a command.
func parse(f *flag.FlagSet, args []string, withCommand bool) error {
	f.SetOutput(os.Stderr)
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 && !withCommand {
		return fmt.Errorf("%q is too much: it takes flags only", f.Arg(0))
	}
	return nil
}

func join(ctx context.Context, args []string) (int, error) {
	f := flag.NewFlagSet("weft join", flag.ContinueOnError)
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
	f := flag.NewFlagSet("weft envoy", flag.ContinueOnError)
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

// dataDir is where weft keeps its state on this machine.
func dataDir() string {
	if dir := os.Getenv("WEFT_DATA"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "weft")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "weft-data"
	}
	return filepath.Join(home, ".local", "share", "weft")
}

func hostDir() string { return filepath.Join(dataDir(), "host") }
