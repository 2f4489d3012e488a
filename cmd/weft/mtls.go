package main

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/mtls"
	"weft.dev/web"
)

// mtlsFlags say when enough was seen.
type mtlsFlags struct {
	quiet     time.Duration
	idle      bool
	namespace string
}

func (f *mtlsFlags) on(c *cobra.Command) {
	c.Flags().DurationVar(&f.quiet, "quiet", 10*time.Minute, "for how long nobody must have called in plain text, at most 24h")
	c.Flags().BoolVar(&f.idle, "idle", false, "that a service was not called at all is enough to know")
	c.Flags().StringVarP(&f.namespace, "namespace", "n", "default", "namespace of services that are named without one")
}

func (f *mtlsFlags) plan(c *cobra.Command, from *server) (p mtls.Plan, err error) {
	return p, from.get(c.Context(), web.MTLSPath, url.Values{"quiet": {f.quiet.String()}, "idle": {strconv.FormatBool(f.idle)}}, &p)
}

// pick are the services that words name, NAME or NAMESPACE/NAME, in the order of the plan; all without a word.
func (f *mtlsFlags) pick(p mtls.Plan, words []string) (picked []mtls.Service, err error) {
	if len(words) == 0 {
		return p.Services, nil
	}
	named := map[string]bool{}
	for _, word := range words {
		if !strings.Contains(word, "/") {
			word = f.namespace + "/" + word
		}
		named[word] = true
	}
	for _, s := range p.Services {
		if named[plannedName(s)] {
			picked = append(picked, s)
			delete(named, plannedName(s))
		}
	}
	for name := range named {
		return nil, exitCode{exitUsage, fmt.Errorf("service %s: no workload of the mesh serves one of this name; see weft mtls plan", name)}
	}
	return picked, nil
}

func plannedName(s mtls.Service) string { return s.Namespace + "/" + s.Name }

func newMTLS() *cobra.Command {
	c := &cobra.Command{
		Use:   "mtls",
		Short: "Say who still calls in plain text, and refuse plain text where nobody does",
		Long: `Callers with a proxy speak mTLS to services with a proxy by themselves; unless a PeerAuthentication says STRICT, plain text is
let in, too. These commands say who uses that, and turn STRICT on where nobody does: one service after the other, each once every
proxy that calls it and every proxy that serves it has acknowledged what it must know.`,
		Example: "  weft mtls plan\n  weft mtls apply shop/cart\n  weft mtls undo shop/cart",
	}
	c.AddCommand(newMTLSPlan(), newMTLSApply(), newMTLSUndo())
	return c
}

func newMTLSPlan() *cobra.Command {
	var flags mtlsFlags
	c := &cobra.Command{
		Use:   "plan [SERVICE...]",
		Short: "Show, by service, who calls it in plain text, and whether it can be strict",
		Long: `Show, by service, who calls it and how: as the proxies of its instances and of its callers counted. Services that are ready
come first, in the order in which weft mtls apply takes them: those with the fewest callers before others.

  strict   plain text is refused
  ready    nobody called in plain text for --quiet, every proxy of it was watched that long, and all have the newest configuration
  plain    somebody calls in plain text, or a DestinationRule tells callers to
  unknown  too little was seen to say
  decided  a PeerAuthentication of somebody selects its workloads: it is to be changed by its owner
  without  no instance has a proxy

Exit code 2 if somebody called in plain text, or was refused.`,
		Example: "  weft mtls plan\n  weft mtls plan --quiet 1h -o json\n  weft mtls plan -n shop cart",
	}
	flags.on(c)
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, words []string) error {
		from, err := connect(c)
		if err != nil {
			return err
		}
		p, err := flags.plan(c, from)
		if err != nil {
			return err
		}
		if p.Services, err = flags.pick(p, words); err != nil {
			return err
		}
		if err := mtlsTable(p).print(c, *output); err != nil {
			return err
		}
		return plainCallers(p)
	}
	return c
}

// mtlsTable has a line for each service, and below it one for each caller and each reason.
func mtlsTable(p mtls.Plan) table {
	t := table{header: []string{"SERVICE", "STATE", "ACKNOWLEDGED", "CALLER", "HOW", "LAST", "WHY"}, value: p, empty: "no service of the mesh has workloads"}
	for _, s := range p.Services {
		t.rows = append(t.rows, []string{plannedName(s), string(s.State), fmt.Sprintf("%d of %d", s.Current, s.Instances), "", "", "", strings.Join(s.By, ", ")})
		for _, e := range s.Edges {
			how := string(e.Transport)
			if e.Calls > 0 {
				how = fmt.Sprintf("%s ×%d", how, e.Calls)
			}
			if e.Port != 0 {
				how += fmt.Sprintf(" :%d", e.Port)
			}
			t.rows = append(t.rows, []string{"", "", "", e.From, how, e.Last.Local().Format(time.DateTime), e.Who})
		}
		for _, why := range s.Why {
			t.rows = append(t.rows, []string{"", "", "", "", "", "", why})
		}
	}
	return t
}

func plainCallers(p mtls.Plan) error {
	plain, refused := 0, 0
	for _, s := range p.Services {
		if s.State == mtls.Plain {
			plain++
		}
		if s.Refused > 0 && s.State == mtls.Strict {
			refused++
		}
	}
	if plain+refused == 0 {
		return nil
	}
	return exitCode{exitFindings, fmt.Errorf("%d services are called in plain text, %d refused somebody", plain, refused)}
}

func newMTLSApply() *cobra.Command {
	flags := turn{}
	c := &cobra.Command{
		Use:   "apply [SERVICE...]",
		Short: "Have services refuse plain text, one after the other, and take it back where somebody is refused",
		Long: `Have services refuse plain text: those that are named, or all that weft mtls plan calls ready, in its order. For each one:

  1. wait until every proxy that calls it has acknowledged the newest configuration, so that it speaks mTLS
  2. write PeerAuthentication ` + mtls.Policy("NAME") + ` with mode STRICT, which people can see, in the service's namespace
  3. wait until every proxy of the service has acknowledged it
  4. watch for --watch: if somebody is refused, delete the object again, wait until the proxies let plain text in, and say who it was

It ends at the first service that it had to take back. A named service that is not ready is not touched.
Exit codes: 1 not done, 2 taken back because somebody was refused, 64 wrong usage, 75 no server.`,
		Example: "  weft mtls apply\n  weft mtls apply shop/cart --quiet 1h --watch 5m -o json",
	}
	flags.on(c)
	c.Flags().DurationVar(&flags.watch, "watch", 30*time.Second, "how long to watch whether somebody is refused")
	c.Flags().DurationVar(&flags.timeout, "timeout", 2*time.Minute, "how long to wait for proxies to acknowledge")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, words []string) error {
		picked, err := flags.begin(c, words)
		if err != nil {
			return err
		}
		if len(words) == 0 {
			picked = slices.DeleteFunc(picked, func(s mtls.Service) bool { return s.State != mtls.Ready })
		}
		done, failed := flags.all(c, picked)
		return cmp.Or(turnedTable(done).print(c, *output), failed)
	}
	return c
}

func newMTLSUndo() *cobra.Command {
	flags := turn{}
	c := &cobra.Command{
		Use:   "undo SERVICE...",
		Short: "Have services that weft mtls apply made strict let plain text in again",
		Long: `Delete the PeerAuthentication that weft mtls apply wrote for each service, and wait until every proxy of the service has
acknowledged it. What others wrote is not touched: it may be strict as before.
Exit codes: 1 not done, 64 wrong usage, 75 no server.`,
		Example: "  weft mtls undo shop/cart",
		Args:    cobra.MinimumNArgs(1),
	}
	flags.on(c)
	c.Flags().DurationVar(&flags.timeout, "timeout", 2*time.Minute, "how long to wait for proxies to acknowledge")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, words []string) error {
		picked, err := flags.begin(c, words)
		if err != nil {
			return err
		}
		done := []turned{}
		for _, s := range picked {
			if err := flags.back(c, s); err != nil {
				return err
			}
			done = append(done, turned{Service: plannedName(s), Why: "plain text is let in again, unless another policy refuses it"})
		}
		return turnedTable(done).print(c, *output)
	}
	return c
}

func turnedTable(done []turned) table {
	t := table{header: []string{"SERVICE", "STRICT", "WHY"}, value: done, empty: "no service is ready; see weft mtls plan"}
	for _, d := range done {
		t.rows = append(t.rows, []string{d.Service, yesNo(d.Strict), d.Why})
	}
	return t
}
