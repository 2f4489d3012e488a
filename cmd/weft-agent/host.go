package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"weft.dev/agent"
	"weft.dev/identity"
)

// host has this machine run what the server orders, as far as a file allows.
func host(ctx context.Context, args []string) (int, error) {
	f := newFlags(`Let weft start and stop versions of applications on this machine, which has joined. What it may start, its
operator says in a file; nothing else is started:

  labels: {zone: a}                   # by which an Application chooses hosts
  ports: 21000-21999                  # that applications get
  applications:
  - name: shop/reviews                # NAMESPACE/NAME, or NAMESPACE/*
    user: shop                        # default: ours; another one needs root
    programs: [/srv/reviews/bin]      # folders of programs that may be started, with any arguments
    artifacts: [https://artifacts.example.com/reviews]   # below which artifacts may be fetched and started

Each instance is a weft run. They outlive this command, which finds them again, and starts them again after a
reboot, with or without a server.`,
		"  weft host --allow /etc/weft/host.yaml")
	var o agent.HostOptions
	var allow, address, envoy string
	var verbose bool
	f.StringVar(&allow, "allow", "", "YAML `FILE`: what weft may start here")
	f.StringVar(&address, "address", "", "IP at which others reach this machine; default: the one that it reaches the server from")
	f.StringVar(&envoy, "envoy", os.Getenv("WEFT_ENVOY"), "path of a binary to use instead of the pinned one; default $WEFT_ENVOY")
	f.StringVar(&o.Server, "server", "", "host:port that agents connect to; default: the one that was joined")
	f.StringVar(&o.HostDir, "host-dir", hostDir(), "folder of the machine's credentials")
	f.StringVar(&o.Dir, "dir", filepath.Join(identity.DataDir(), "deployed"), "folder of what is started here")
	f.StringVar(&o.Agent, "agent", "", "path of the weft-agent that runs instances; default: this one")
	f.BoolVarP(&verbose, "verbose", "v", false, "log what is done, not only what is wrong")
	if err := parse(f, args, false); err != nil {
		return exitUsage, err
	}
	o.Log = newLog(os.Stderr, verbose)
	for name, value := range map[string]string{"--address": address, "--envoy": envoy} {
		if value != "" {
			o.Flags = append(o.Flags, name, value)
		}
	}
	if err := readAllow(allow, &o); err != nil {
		return exitUsage, err
	}
	if err := agent.RunHost(ctx, o); err != nil {
		return exitFailed, err
	}
	return 0, nil
}

// readAllow reads what may be started, and says where things are from wherever we are.
func readAllow(file string, o *agent.HostOptions) error {
	if file == "" {
		return errors.New("--allow is needed: the file that says what weft may start here, see --help")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(text, &o.Allow); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := o.Allow.Check(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if o.Agent == "" {
		if o.Agent, err = os.Executable(); err != nil {
			return err
		}
	}
	for _, path := range []*string{&o.HostDir, &o.Dir, &o.Agent} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	return nil
}
