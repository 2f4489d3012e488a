package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/guard"
	"weft.dev/web"
)

// freezeRow is a freeze as people see it.
type freezeRow struct {
	Name  string              `json:"name"`
	Holds bool                `json:"holds"` // now
	Spec  v1alpha1.FreezeSpec `json:"spec"`
}

func newFreeze() *cobra.Command {
	var spec v1alpha1.FreezeSpec
	var name, until string
	c := &cobra.Command{
		Use:   "freeze",
		Short: "Let nothing new be brought into service, but by a few",
		Long: `Let nothing new be brought into service: stages that act wait, releases do not begin, and one that shifts traffic holds at its
share. What goes back goes: aborts, cancels and rollbacks are never held.

Without a limit everything is frozen. What a member of a group of --except started is let through.`,
		Example: `  weft freeze --reason 'black friday' --except oncall --until 2026-11-30T08:00:00Z
  weft freeze --reason 'incident 4711' --namespace shop --application checkout
  weft unfreeze`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if spec.Reason == "" {
				return exitCode{exitUsage, fmt.Errorf("--reason: say why, for those who wait")}
			}
			if until != "" {
				end, err := parseUntil(until, time.Now())
				if err != nil {
					return err
				}
				spec.Until = &metav1.Time{Time: end}
			}
			made, err := freeze(c, name, spec)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "freeze/%s: %s (undo: weft unfreeze %s)\n", made.Name, web.FrozenParts(made.Spec), made.Name)
			return nil
		},
	}
	c.Flags().StringVar(&spec.Reason, "reason", "", "why, for those who wait")
	c.Flags().StringSliceVar(&spec.Except, "except", nil, "group whose runs and releases are let through (repeatable)")
	c.Flags().StringSliceVar(&spec.Applications, "application", nil, "freeze this application alone (repeatable)")
	c.Flags().StringSliceVar(&spec.Environments, "environment", nil, "freeze applications of this environment alone (repeatable)")
	c.Flags().StringVar(&until, "until", "", "when it ends by itself: a time such as 2026-11-30T08:00:00Z, or how long, such as 2h")
	c.Flags().StringVar(&name, "name", "", "name of the freeze (default: freeze, with some letters)")
	c.PersistentFlags().StringSliceVarP(&spec.Namespaces, "namespace", "n", nil, "freeze this namespace alone (repeatable)")
	c.AddCommand(newFreezeStatus(&spec.Namespaces))
	return c
}

// freeze makes one in the name of who asks; without a name it gets one.
func freeze(c *cobra.Command, name string, spec v1alpha1.FreezeSpec) (*v1alpha1.Freeze, error) {
	freezes, err := objectsOf[v1alpha1.Freeze](c, api.Freeze)
	if err != nil {
		return nil, err
	}
	me, err := signature(c)
	if err != nil {
		return nil, err
	}
	spec.By, spec.Groups = me.By, me.Groups
	return freezes.create(c.Context(), &v1alpha1.Freeze{ObjectMeta: metav1.ObjectMeta{Name: name, GenerateName: "freeze-"}, Spec: spec})
}

// parseUntil reads a time, or how long from now.
func parseUntil(text string, now time.Time) (time.Time, error) {
	end, err := time.Parse(time.RFC3339, text)
	if d, short := time.ParseDuration(text); err != nil && short == nil {
		end, err = now.Add(d), nil
	}
	if err != nil || !end.After(now) {
		return end, exitCode{exitUsage, fmt.Errorf("--until %s: want a time to come such as 2026-11-30T08:00:00Z, or how long, such as 2h", text)}
	}
	return end, nil
}

func newFreezeStatus(namespaces *[]string) *cobra.Command {
	var output *string
	c := &cobra.Command{
		Use:     "status",
		Short:   "List the freezes: what is frozen, by whom, why and until when",
		Long:    "List the freezes. Exit code 2 if one of them holds now.",
		Example: "  weft freeze status -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			rows, err := freezeRows(c, *namespaces)
			if err != nil {
				return err
			}
			t := table{header: []string{"FREEZE", "HOLDS", "WHAT", "REASON", "BY", "UNTIL", "EXCEPT"}, value: rows, empty: "nothing is frozen"}
			holding := 0
			for _, r := range rows {
				if r.Holds {
					holding++
				}
				until := ""
				if r.Spec.Until != nil {
					until = r.Spec.Until.UTC().Format(time.RFC3339)
				}
				t.rows = append(t.rows, []string{r.Name, fmt.Sprint(r.Holds), web.FrozenParts(r.Spec), r.Spec.Reason, r.Spec.By, until, strings.Join(r.Spec.Except, ", ")})
			}
			if err := t.print(c, *output); err != nil || holding == 0 {
				return err
			}
			return exitCode{exitFindings, fmt.Errorf("frozen: what would act waits; what goes back goes")}
		},
	}
	output = outputFlag(c)
	return c
}

// freezeRows are the freezes, by name: those that name one of the namespaces, or all.
func freezeRows(c *cobra.Command, namespaces []string) ([]freezeRow, error) {
	freezes, err := objectsOf[v1alpha1.Freeze](c, api.Freeze)
	if err != nil {
		return nil, err
	}
	all, err := freezes.list(c.Context())
	if err != nil {
		return nil, err
	}
	rows := []freezeRow{}
	for _, f := range all {
		named := func(n string) bool { return slices.Contains(f.Spec.Namespaces, n) }
		if len(namespaces) == 0 || slices.ContainsFunc(namespaces, named) {
			rows = append(rows, freezeRow{f.Name, guard.Holds(f, time.Now()), f.Spec})
		}
	}
	slices.SortFunc(rows, func(a, b freezeRow) int { return cmp.Compare(a.Name, b.Name) })
	return rows, nil
}

func newUnfreeze() *cobra.Command {
	var namespaces []string
	c := &cobra.Command{
		Use:     "unfreeze [NAME...]",
		Short:   "Take a freeze away: what waits goes on",
		Long:    "Take a freeze away: what waits goes on. Without NAME it is the only one; where there are several, name which.",
		Example: "  weft unfreeze\n  weft unfreeze freeze-x7k2p",
		RunE: func(c *cobra.Command, names []string) error {
			rows, err := freezeRows(c, namespaces)
			if err != nil {
				return err
			}
			if names, err = unfrozen(rows, names); err != nil {
				return err
			}
			freezes, err := objectsOf[v1alpha1.Freeze](c, api.Freeze)
			if err != nil {
				return err
			}
			for _, name := range names {
				if err := answered(freezes.all.Delete(c.Context(), "", name)); err != nil {
					return err
				}
				row := rows[slices.IndexFunc(rows, func(r freezeRow) bool { return r.Name == name })]
				fmt.Fprintf(c.OutOrStdout(), "freeze/%s is gone (undo: weft freeze --name %s --reason %q%s)\n", name, name, row.Spec.Reason, freezeFlags(row.Spec))
			}
			return nil
		},
	}
	c.Flags().StringSliceVarP(&namespaces, "namespace", "n", nil, "only freezes that name this namespace (repeatable)")
	return c
}

// unfrozen are the freezes to take away.
func unfrozen(rows []freezeRow, names []string) ([]string, error) {
	var all []string
	for _, r := range rows {
		all = append(all, r.Name)
	}
	for _, name := range names {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("there is no freeze %q; there are: %s", name, cmp.Or(strings.Join(all, ", "), "none"))
		}
	}
	switch {
	case len(names) > 0:
		return names, nil
	case len(all) == 1:
		return all, nil
	case len(all) == 0:
		return nil, fmt.Errorf("nothing is frozen")
	}
	return nil, exitCode{exitUsage, fmt.Errorf("there are several freezes: name which of %s", strings.Join(all, ", "))}
}

// freezeFlags are those of weft freeze that make the same one.
func freezeFlags(s v1alpha1.FreezeSpec) string {
	var text strings.Builder
	for _, flag := range []struct {
		name   string
		values []string
	}{{"namespace", s.Namespaces}, {"application", s.Applications}, {"environment", s.Environments}, {"except", s.Except}} {
		if len(flag.values) > 0 {
			fmt.Fprintf(&text, " --%s %s", flag.name, strings.Join(flag.values, ","))
		}
	}
	if s.Until != nil {
		fmt.Fprintf(&text, " --until %s", s.Until.UTC().Format(time.RFC3339))
	}
	return text.String()
}
