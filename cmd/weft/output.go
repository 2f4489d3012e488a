package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// outputFlag adds -o to a command that prints data.
func outputFlag(c *cobra.Command) *string {
	return c.Flags().StringP("output", "o", "table", "output format: table or json")
}

// table is what a command prints: rows for people, the value for programs.
type table struct {
	header []string
	rows   [][]string
	value  any    // printed whole by -o json
	empty  string // said, on stderr, when there are no rows
}

func (t table) print(c *cobra.Command, format string) error {
	out := c.OutOrStdout()
	switch format {
	case "json":
		return printJSON(out, t.value)
	case "table":
		if len(t.rows) == 0 {
			fmt.Fprintln(c.ErrOrStderr(), t.empty)
			return nil
		}
		_, err := io.WriteString(out, t.text())
		return err
	}
	return exitCode{exitUsage, fmt.Errorf("output format %q: want table or json", format)}
}

// text is the header, and the rows below it.
func (t table) text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(t.header, "\t"))
	for _, row := range t.rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush()
	return b.String()
}

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
