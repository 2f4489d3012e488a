package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"weft.dev/metrics/board"
)

func newDashboards() *cobra.Command {
	return &cobra.Command{
		Use:   "dashboards DIR",
		Short: "Write dashboards for Grafana",
		Long: `Write dashboards for Grafana into a folder: of a service, a workload, releases, the proxy fleet and the control plane.
Import them, or provision Grafana with the folder. Their data source is weft itself, or a Prometheus that scrapes it (docs/guides/metrics.md).`,
		Example: "  weft dashboards ./grafana",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			for _, b := range board.All() {
				text, err := b.Grafana()
				if err != nil {
					return err
				}
				path := filepath.Join(args[0], "weft-"+b.Name+".json")
				if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
					return err
				}
				fmt.Fprintln(c.OutOrStdout(), path)
			}
			return nil
		},
	}
}
