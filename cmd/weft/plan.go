package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weft.dev/model"
	"weft.dev/translate"
)

// change is one thing that is not as it was.
type change struct {
	Change  string   `json:"change"` // added, changed or removed
	What    string   `json:"what"`   // service, route, or Envoy's word for the resource
	Name    string   `json:"name"`
	Proxies []string `json:"proxies,omitempty"` // that have it, before or after
}

// plannedProblem is a problem of the new folder.
type plannedProblem struct {
	Object  string `json:"object"`
	Code    string `json:"code"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

// plan is what a change of a folder would do.
type plan struct {
	Changes  []change         `json:"changes"`
	Problems []plannedProblem `json:"problems"`
	Diff     string           `json:"diff,omitempty"`
}

func newPlan() *cobra.Command {
	var against, trustDomain string
	var diff bool
	c := &cobra.Command{
		Use:   "plan DIR",
		Short: "Say what a folder of configuration would change, without a server",
		Long: `Read a folder as ` + "`weft serve --config DIR`" + ` would and say what differs from another one (or from nothing): services,
routes and other Envoy resources, and which proxies have them; and what is wrong with it, which ends with code 2.

No proxy is asked. There is one for each Application, each app that a Scope or a Sidecar names, each gateway and each
Workload of the folder; a proxy has what is declared for it, and what it would ask for at a first call is shown without proxy.`,
		Example: "  weft plan ./mesh\n  git worktree add /tmp/main main && weft plan ./mesh --against /tmp/main/mesh --diff",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&against, "against", "", "folder to compare with (default: an empty one)")
	c.Flags().StringVar(&trustDomain, "trust-domain", "cluster.local", "trust domain of the mesh's identities")
	c.Flags().BoolVar(&diff, "diff", false, "show how the Envoy resources differ, too")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		log, options := slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil)), streetOptions{Options: translate.Options{TrustDomain: trustDomain}}
		before, err := rehearse(c.Context(), against, options, log)
		if err != nil {
			return err
		}
		after, err := rehearse(c.Context(), args[0], options, log)
		if err != nil {
			return err
		}
		return planOf(before, after, diff).print(c, *output)
	}
	return c
}

func planOf(before, after *rehearsal, diff bool) plan {
	p := plan{Changes: servicesChanged(before, after), Problems: []plannedProblem{}}
	was, is := before.resources(), after.resources()
	for _, key := range keysOfBoth(was, is) {
		if old, now := was[key], is[key]; !old.same(now) {
			p.Changes = append(p.Changes, change{changeOf(old != nil, now != nil), wordFor(key.Type), key.Name, proxiesOf(old, now)})
			if diff {
				p.Diff += diffOf(key, old, now)
			}
		}
	}
	p.Problems = append(p.Problems, planned(after.problems)...)
	return p
}

func planned(problems []model.Problem) (all []plannedProblem) {
	for _, p := range problems {
		all = append(all, plannedProblem{p.Object.String(), p.Code, p.Path, p.Message})
	}
	return all
}

func servicesChanged(before, after *rehearsal) []change {
	all := []change{}
	for _, now := range after.rows.Services.All() {
		if old, had := before.rows.Services.Get(now.Host); !had || !old.Equal(now) {
			all = append(all, change{Change: changeOf(had, true), What: "service", Name: now.Host})
		}
	}
	for _, old := range before.rows.Services.All() {
		if _, has := after.rows.Services.Get(old.Host); !has {
			all = append(all, change{Change: changeOf(true, false), What: "service", Name: old.Host})
		}
	}
	slices.SortFunc(all, func(a, b change) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func changeOf(was, is bool) string {
	switch {
	case !was:
		return "added"
	case !is:
		return "removed"
	}
	return "changed"
}

// wordFor is what people call a resource.
func wordFor(t model.Type) string {
	if t == model.TypeVirtualHost {
		return "route"
	}
	return t.String()
}

func (p plan) print(c *cobra.Command, format string) error {
	t := table{header: []string{"CHANGE", "WHAT", "NAME", "PROXIES"}, value: p, empty: "nothing changes"}
	for _, change := range p.Changes {
		t.rows = append(t.rows, []string{change.Change, change.What, change.Name, strings.Join(change.Proxies, " ")})
	}
	if err := t.print(c, format); err != nil {
		return err
	}
	if format == "table" {
		fmt.Fprint(c.OutOrStdout(), p.Diff)
		sayProblems(c, p.Problems)
	}
	return found(p.Problems)
}

func sayProblems(c *cobra.Command, all []plannedProblem) {
	for _, p := range all {
		fmt.Fprintf(c.ErrOrStderr(), "problem: %s %s %s: %s\n", p.Object, p.Code, p.Path, p.Message)
	}
}

// found is how a command ends that found problems.
func found(all []plannedProblem) error {
	if n := len(all); n > 0 {
		return exitCode{exitFindings, fmt.Errorf("the folder has %d problems", n)}
	}
	return nil
}
