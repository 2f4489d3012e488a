package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/model"
	"weft.dev/scope"
	"weft.dev/web"
)

func newScope() *cobra.Command {
	var output *string
	var namespace string
	c := &cobra.Command{
		Use:   "scope WORKLOAD",
		Short: "Say which services a workload's proxy knows, and why",
		Long: `Say which services a workload's proxy knows, and why each: declared (by an Application, a Scope or a
Sidecar, with its file and line), observed (calls were counted), on demand (a first call asked for it),
or needed by the route of another. What proxies asked for in vain comes last.

WORKLOAD is a workload's name, NAMESPACE/NAME, or an application's name: then one of its workloads.`,
		Example: "  weft scope frontend\n  weft scope shop/frontend-1 -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			var answer scope.Answer
			query := url.Values{"workload": {args[0]}, "namespace": {namespace}}
			if err := server.get(c.Context(), "scope", query, &answer); err != nil {
				return err
			}
			return scopeTable(answer).print(c, *output)
		},
	}
	output = outputFlag(c)
	c.Flags().StringVarP(&namespace, "namespace", "n", "", "namespace of the workload (default: any that has one of the name)")
	return c
}

func scopeTable(a scope.Answer) table {
	t := table{
		header: []string{"SERVICE", "WHY"}, value: a,
		empty: a.Workload + " knows no service yet: the first call to one makes it known",
	}
	switch {
	case a.Gateway:
		t.empty = a.Workload + " is a gateway: it knows what its routes need"
	case a.All && a.Bound != "":
		t.rows = append(t.rows, []string{"*", "everything: " + a.Bound})
	case a.All:
		t.rows = append(t.rows, []string{"*", "everything: its proxy cannot ask"})
	case a.Bound != "":
		t.empty = a.Workload + " knows no service, by " + a.Bound
	}
	for _, s := range a.Services {
		var why []string
		for _, r := range s.Why {
			why = append(why, reasonText(r))
		}
		if !s.Exists {
			why = append(why, "there is no such service yet")
		}
		t.rows = append(t.rows, []string{s.Host, strings.Join(why, "; ")})
	}
	for _, u := range a.Unknown {
		why := "unknown: asked for, and there is no such service"
		if u.Host != "" {
			why = fmt.Sprintf("unknown: asked for; it is %s, which is left out by %s", u.Host, a.Bound)
		}
		t.rows = append(t.rows, []string{u.Authority, why})
	}
	return t
}

func reasonText(r scope.Reason) string {
	text := string(r.Cause)
	if r.Cause == scope.ByRoute {
		text = "needed by a route"
	}
	switch {
	case r.Cause == scope.ByDeclaration:
		text += " by " + r.By
	case r.By != "":
		text += ": " + r.By
	}
	if r.Since != nil && r.Last != nil {
		text += fmt.Sprintf(" since %s, last %s", r.Since.UTC().Format(time.DateOnly), r.Last.UTC().Format("2006-01-02 15:04Z"))
	}
	return text
}

// scope says what a workload knows. It is named by its id, its name, or that of
// its application.
func (m *mesh) scope(namespace, name string) (scope.Answer, error) {
	if in, rest, ok := strings.Cut(name, "/"); ok && namespace == "" {
		namespace, name = in, rest
	}
	all := m.workloads()
	fits := []func(model.Workload) bool{
		func(w model.Workload) bool { return w.Name == name },
		func(w model.Workload) bool { return w.Account() == name },
	}
	for _, fit := range fits {
		for _, w := range all {
			if !fit(w) || namespace != "" && w.Namespace != namespace {
				continue
			}
			if answer, ok := m.scopes.Explain(m.graph, w.Key()); ok {
				return answer, nil
			}
		}
	}
	return scope.Answer{}, fmt.Errorf("workload %q: %w; the mesh has %s", name, web.ErrNotFound, workloadNames(all))
}
