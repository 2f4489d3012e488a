package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/identity"
	"weft.dev/install/chart"
	"weft.dev/release/audit"
	"weft.dev/store/serve"
)

// Values of --audit.
const (
	auditRequired   = "required"
	auditBestEffort = "best-effort"
)

// auditPath is the chain of a data directory.
func auditPath(data string) string { return filepath.Join(data, "audit.jsonl") }

// auditTo has mutations recorded in a data directory, from the first one on: by then it belongs to this
// server. What cannot be is an error where it is required, else a warning.
func auditTo(data, mode string, log *slog.Logger) (func(serve.Mutation) error, error) {
	if mode != auditRequired && mode != auditBestEffort {
		return nil, exitCode{exitUsage, fmt.Errorf("--audit %s: want %s or %s", mode, auditRequired, auditBestEffort)}
	}
	chain := sync.OnceValue(func() *audit.Log { return audit.Open(auditPath(data)) })
	return func(m serve.Mutation) error {
		err := chain().Append(audit.Entry{
			Time: time.Now(), By: m.By, Groups: m.Groups, Verb: m.Verb, Kind: m.Kind, Namespace: m.Namespace, Name: m.Name, UID: m.UID,
			Before: m.Before, After: m.After, Changed: m.Changed,
		})
		if err != nil && (m.Own || mode == auditBestEffort) {
			log.Warn("a change is not in the audit", "kind", m.Kind, "namespace", m.Namespace, "name", m.Name, "by", m.By, "error", err)
			return nil
		}
		return err
	}, nil
}

func newAudit() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Read who changed what, and check that nobody changed the record",
		Long: `Read who changed what, and check that nobody changed the record: it is a chain, in which each entry has the hash of the
one before it. It runs where the server does, on its data directory, or on a copy of its audit*.jsonl in another one. The newest
128 MB are kept: that older files are deleted, the chain tells itself.

In a cluster, with --cluster, it is what weft accepted and did there, of which it keeps at least the newest 4000 half minutes in which
there was something: decisions that counted, runs that began, what releases did, freezes. Who wrote what else, the cluster's own audit has.

An entry is written before its change is stored: what is stored has one, and one may be of a change that a conflict kept out.`,
		Example: "  weft audit list --kind Freeze\n  weft audit verify\n  weft audit verify --cluster",
	}
	c.PersistentFlags().String("data", identity.DataDir(), "folder of the server's state")
	c.PersistentFlags().Bool("cluster", false, "read the audit that weft keeps in the cluster of the kubeconfig")
	c.AddCommand(newAuditList(), newAuditShow(), newAuditVerify())
	return c
}

// readLedger reads the chain of a cluster.
func readLedger(c *cobra.Command) ([]audit.Entry, []audit.Fault, error) {
	blobs, err := objectsOf[v1alpha1.Blob](c, api.Blob)
	if err != nil {
		return nil, nil, err
	}
	entries, faults, err := audit.ReadBook(c.Context(), chapters{blobs.all, chart.Namespace})
	return entries, faults, answered(err)
}

// readAudit reads the chain of --data, or of the cluster; there may be none yet.
func readAudit(c *cobra.Command) ([]audit.Entry, []audit.Fault, error) {
	if inCluster, err := c.Flags().GetBool("cluster"); inCluster || err != nil {
		return readLedger(c)
	}
	data, err := c.Flags().GetString("data")
	if err != nil {
		return nil, nil, err
	}
	all, faults, err := audit.ReadFiles(auditPath(data))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: no server has written an audit there; name another directory with --data", auditPath(data))
	}
	return all, faults, err
}

func newAuditList() *cobra.Command {
	var output *string
	var kind, by string
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the changes, oldest first",
		Example: "  weft audit list --by ann -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, _, err := readAudit(c)
			if err != nil {
				return err
			}
			all = slices.DeleteFunc(all, func(e audit.Entry) bool {
				return kind != "" && !strings.EqualFold(e.Kind, kind) || by != "" && e.By != by
			})
			t := table{header: []string{"SEQ", "TIME", "BY", "VERB", "KIND", "NAMESPACE", "NAME", "CHANGED"}, value: all, empty: "no changes"}
			for _, e := range all {
				t.rows = append(t.rows, []string{
					fmt.Sprint(e.Seq), e.Time.UTC().Format(time.RFC3339), e.By, e.Verb, e.Kind, e.Namespace, e.Name, strings.Join(e.Changed, ", "),
				})
			}
			return t.print(c, *output)
		},
	}
	c.Flags().StringVar(&kind, "kind", "", "only changes of this kind")
	c.Flags().StringVar(&by, "by", "", "only changes by this user")
	output = outputFlag(c)
	return c
}

func newAuditShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show SEQ",
		Short:   "Print one entry, with its hashes",
		Example: "  weft audit show 17",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			seq, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return exitCode{exitUsage, fmt.Errorf("%q: want the number of an entry", args[0])}
			}
			all, _, err := readAudit(c)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(all, func(e audit.Entry) bool { return e.Seq == seq })
			if i < 0 {
				return fmt.Errorf("there is no entry %d; weft audit list lists them", seq)
			}
			return printJSON(c.OutOrStdout(), all[i])
		},
	}
}

// auditReport is what weft audit verify prints.
type auditReport struct {
	Entries int           `json:"entries"`
	Head    string        `json:"head,omitempty"` // hash of the last entry
	Faults  []audit.Fault `json:"faults"`
}

func newAuditVerify() *cobra.Command {
	var output *string
	var head string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Find entries that were changed, removed or moved",
		Long: `Find entries that were changed, removed or moved, and print the hash of the last one. That newer entries were cut off, or all
of them written anew, only who knows an earlier hash can see: keep it elsewhere, and name it with --head.

Exit code 2 if something is wrong.`,
		Example: "  weft audit verify\n  weft audit verify --head 5f0c...",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, faults, err := readAudit(c)
			if err != nil {
				return err
			}
			report := auditReport{Entries: len(all), Faults: append([]audit.Fault{}, faults...)}
			if len(all) > 0 {
				report.Head = all[len(all)-1].Hash
			}
			if head != "" && !slices.ContainsFunc(all, func(e audit.Entry) bool { return e.Hash == head }) {
				report.Faults = append(report.Faults, audit.Fault{What: audit.Missing, Text: "the entry with the hash " + head + " is missing: entries were cut off, or written anew"})
			}
			return report.print(c, *output)
		},
	}
	c.Flags().StringVar(&head, "head", "", "hash that an earlier weft audit verify printed: its entry must be there")
	output = outputFlag(c)
	return c
}

func (r auditReport) print(c *cobra.Command, format string) error {
	t := table{header: []string{"LINE", "ENTRY", "FAULT", "WHAT"}, value: r, empty: fmt.Sprintf("%d entries, whole", r.Entries)}
	for _, f := range r.Faults {
		t.rows = append(t.rows, []string{fmt.Sprint(f.Line), fmt.Sprint(f.Seq), f.What, f.Text})
	}
	if err := t.print(c, format); err != nil {
		return err
	}
	if len(r.Faults) > 0 {
		return exitCode{exitFindings, fmt.Errorf("the audit is not what was written: %d faults, the first: %s", len(r.Faults), r.Faults[0].Text)}
	}
	if format == "table" {
		fmt.Fprintln(c.OutOrStdout(), r.Head)
	}
	return nil
}
