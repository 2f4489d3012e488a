package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
)

// newAgentCommand is a command of the small binary, which this process becomes:
// every workload pays for its agent's memory, and this binary carries an API server.
func newAgentCommand(name, short, example string) *cobra.Command {
	return &cobra.Command{
		Use:                name,
		Short:              short,
		Example:            example,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := agentBinary()
			if err != nil {
				return err
			}
			return syscall.Exec(path, append([]string{path, name}, args...), os.Environ())
		},
	}
}

// agentBinary is weft-agent beside this binary, else in $PATH.
func agentBinary() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	beside := filepath.Join(filepath.Dir(self), "weft-agent")
	if _, err := os.Stat(beside); err == nil {
		return beside, nil
	}
	path, err := exec.LookPath("weft-agent")
	if err != nil {
		return "", fmt.Errorf("weft-agent: neither %s nor in $PATH: install both binaries, `make build` makes them", beside)
	}
	return path, nil
}

func newRun() *cobra.Command {
	return newAgentCommand("run", "Run an application, or a gateway, beside its own Envoy",
		"  weft run --app reviews --version v1 --port 9080 -- ./reviews\n  weft run --gateway ingressgateway --port 80:8080")
}

func newHost() *cobra.Command {
	return newAgentCommand("host", "Let weft start and stop versions of applications on this machine", "  weft host --allow /etc/weft/host.yaml")
}

func newJoin() *cobra.Command {
	return newAgentCommand("join", "Join this machine to a mesh, with a one-time token",
		"  weft join --server mesh.example.com:7444 --token weft_...")
}

func newEnvoy() *cobra.Command {
	return newAgentCommand("envoy", "Find the pinned Envoy, or fetch it, and print where it is", "  weft envoy")
}
