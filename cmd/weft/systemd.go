package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"weft.dev/install/systemd"
)

const afterUnits = `next, as root:
  useradd --system --home-dir /var/lib/weft weft
  systemctl daemon-reload
  systemctl enable --now weft                # on the machine of the control plane
  systemctl enable --now weft-agent@reviews  # a workload: /etc/weft/reviews.yaml, see weft run --help
  systemctl enable --now weft-host           # lets weft deploy here: /etc/weft/host.yaml, see weft host --help
`

func newSystemd() *cobra.Command {
	var dir, bin string
	var output *string
	c := &cobra.Command{
		Use:     "systemd",
		Short:   "Write the systemd units of this machine: the control plane, a template for workloads, and who lets weft deploy here",
		Example: "  weft systemd\n  weft systemd --dir ./units --bin /opt/weft/bin",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			bin, err := binaries(bin)
			if err != nil {
				return err
			}
			paths, err := systemd.Write(dir, bin)
			if err != nil {
				return err
			}
			fmt.Fprint(c.ErrOrStderr(), afterUnits)
			if *output == "json" {
				return printJSON(c.OutOrStdout(), paths)
			}
			for _, path := range paths {
				fmt.Fprintln(c.OutOrStdout(), path)
			}
			return nil
		},
	}
	output = outputFlag(c)
	c.Flags().StringVar(&dir, "dir", "/etc/systemd/system", "folder that they are written into")
	c.Flags().StringVar(&bin, "bin", "", "folder of weft and weft-agent (default: the one of this binary)")
	return c
}

// binaries is the folder that both binaries are in.
func binaries(dir string) (string, error) {
	if dir == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		dir = filepath.Dir(self)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for _, name := range []string{"weft", "weft-agent"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("systemd: %w: install both binaries into one folder, and name it with --bin", err)
		}
	}
	return dir, nil
}
