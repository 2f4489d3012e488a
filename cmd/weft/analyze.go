package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"weft.dev/api"
	"weft.dev/model"
	"weft.dev/translate"
	"weft.dev/translate/istio"
	"weft.dev/translate/object"
	"weft.dev/web"
)

// finding is a problem with the id by which it is known.
type finding struct {
	ID string `json:"id"`
	web.Problem
	Remedy string `json:"remedy"`
	Severe bool   `json:"severe"`
}

// about is the object, and the part of it.
func (f finding) about() string { return strings.TrimSpace(objectName(f.Problem) + " " + f.Path) }

func newAnalyze() *cobra.Command {
	var cluster, list bool
	var output, trustDomain string
	c := &cobra.Command{
		Use:   "analyze [DIR]",
		Short: "Say what is wrong with configuration, by codes that programs can go by",
		Long: `Read a folder as weft serve --config DIR would, or with --cluster ask the server, and say what has no or only partial effect: a
code that never changes its meaning, the object, file and line, and the remedy. --list tells all codes. Of a folder it says, too, which policies
deny by path, and how they may be evaded (WFT0017): they have their effect.

The annotation ` + api.SuppressAnnotation + `: "WFT0012, WFT0003" on an object suppresses these codes for it: they are in -o json and
-o sarif, marked, and do not count.

Exit code 0 if nothing is wrong, 2 if something is, 64 if the command line is, 75 if no server answers.`,
		Example: "  weft analyze ./mesh\n  weft analyze ./mesh -o sarif > weft.sarif\n  weft analyze --cluster\n  weft analyze --list",
		Args:    cobra.MaximumNArgs(1),
	}
	c.Flags().BoolVar(&cluster, "cluster", false, "ask the server what is wrong there")
	c.Flags().BoolVar(&list, "list", false, "tell all codes, what they mean, and what helps")
	c.Flags().StringVar(&trustDomain, "trust-domain", "cluster.local", "trust domain of the mesh's identities")
	c.Flags().StringVarP(&output, "output", "o", "table", "output format: table, json or sarif")
	c.RunE = func(c *cobra.Command, args []string) error {
		if list {
			return kindsTable().print(c, output)
		}
		if (len(args) == 1) == cluster {
			return exitCode{exitUsage, fmt.Errorf("what is to be analyzed? Name a folder, or say --cluster")}
		}
		read := func() ([]web.Problem, error) { return problemsOfFolder(c, args[0], trustDomain) }
		if cluster {
			read = func() ([]web.Problem, error) { return problemsOfServer(c) }
		}
		problems, err := read()
		if err != nil {
			return err
		}
		return printFound(c, identified(problems), output)
	}
	return c
}

func kindsTable() table {
	t := table{header: []string{"ID", "CODE", "MEANS", "REMEDY"}, value: web.ProblemKinds}
	for _, k := range web.ProblemKinds {
		t.rows = append(t.rows, []string{k.ID, k.Code, k.Meaning, k.Remedy})
	}
	return t
}

func problemsOfFolder(c *cobra.Command, dir, trustDomain string) ([]web.Problem, error) {
	log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
	read, err := rehearse(c.Context(), dir, streetOptions{Options: translate.Options{TrustDomain: trustDomain}}, log)
	if err != nil {
		return nil, err
	}
	objects := map[model.Key]api.Object{}
	for _, o := range read.written {
		objects[model.Key{Kind: string(o.Kind), Namespace: o.Namespace, Name: o.Name}] = o
	}
	problems := read.problems
	for _, a := range read.rows.Authorizations.All() {
		problems = append(problems, istio.Evadable(a)...)
	}
	return web.Located(problems, func(p model.Problem) web.Noted { return noted(objects[p.Object], p) }), nil
}

func problemsOfServer(c *cobra.Command) (all []web.Problem, err error) {
	server, err := connect(c)
	if err != nil {
		return nil, err
	}
	err = server.get(c.Context(), "problems", nil, &all)
	return all, err
}

// noted is where the part of an object that a problem is about is written, and whether its owner knows.
func noted(o api.Object, p model.Problem) web.Noted {
	at, id := object.From(o).Origin(object.Path(p.Path)), web.ProblemKindOf(p.Code).ID
	n := web.Noted{File: at.File, Line: at.Line}
	for known := range strings.SplitSeq(o.Annotations[api.SuppressAnnotation], ",") {
		n.Suppressed = n.Suppressed || strings.TrimSpace(known) == id
	}
	return n
}

func identified(problems []web.Problem) []finding {
	all := []finding{}
	for _, p := range problems {
		k := web.ProblemKindOf(p.Code)
		all = append(all, finding{k.ID, p, k.Remedy, k.Severe})
	}
	return all
}

func printFound(c *cobra.Command, findings []finding, format string) error {
	left := 0
	for _, f := range findings {
		if !f.Suppressed {
			left++
		}
	}
	var err error
	switch out := c.OutOrStdout(); format {
	case "json":
		err = printJSON(out, findings)
	case "sarif":
		err = printJSON(out, sarifOf(findings))
	case "table":
		printFindingLines(out, findings)
		if left == 0 {
			fmt.Fprintf(c.ErrOrStderr(), "nothing is wrong; %d suppressed\n", len(findings))
		}
	default:
		return exitCode{exitUsage, fmt.Errorf("output format %q: want table, json or sarif", format)}
	}
	if err != nil || left == 0 {
		return err
	}
	return exitCode{exitFindings, fmt.Errorf("%d objects or parts of objects have no or only partial effect", left)}
}

func printFindingLines(out io.Writer, findings []finding) {
	for _, f := range findings {
		if f.Suppressed {
			continue
		}
		place := ""
		if f.File != "" {
			place = fmt.Sprintf("%s:%d: ", f.File, f.Line)
		}
		fmt.Fprintf(out, "%s%s %s: %s: %s\n", place, f.ID, f.Code, f.about(), f.Message)
	}
}
