package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"weft.dev/model"
	"weft.dev/snapshot"
	"weft.dev/snapshot/store"
	"weft.dev/translate"
)

// listingFile says of a rendered folder which view is whose. Nobody has signed it.
const listingFile = "listing.json"

// rendering is what the proxies of a folder get where no server is.
type rendering struct {
	Proxies []renderedProxy `json:"proxies"`
	views   map[snapshot.Digest]renderedView
}

type renderedProxy struct {
	Proxy string          `json:"proxy"` // namespace/name of a workload, or of an app without any
	View  snapshot.Digest `json:"view"`
	// Resources and Bytes are those of the view, as it is stored.
	Resources int `json:"resources"`
	Bytes     int `json:"bytes"`
}

type renderedView struct {
	view *model.View
	data []byte
}

func newRender() *cobra.Command {
	var trustDomain, envoy string
	var from fetchFlags
	c := &cobra.Command{
		Use:   "render DIR OUT",
		Short: "Compile a folder of configuration to what each proxy gets without a server",
		Long: `Read a folder as ` + "`weft plan`" + ` does, have the pinned Envoy check what each proxy would get, and write that to the folder OUT:
views/DIGEST for each, and ` + listingFile + `, which says whose it is. A proxy knows what is declared for it (dependencies of
its Application, a Scope, a Sidecar), and all services of the folder where nothing is declared: there is nobody that it could ask.

Problems of the folder end it with code 2, and nothing is written. What needs identities is a problem here: proxies speak
plain text to each other. Keys of issuers and modules of plugins are asked for now, and stay as they are until the folder is rendered again. ` + "`weft publish`" + ` does the same, and puts it where agents look.`,
		Example: "  weft render ./mesh ./out",
		Args:    cobra.ExactArgs(2),
	}
	c.Flags().StringVar(&trustDomain, "trust-domain", "cluster.local", "trust domain of the mesh's identities")
	c.Flags().StringVar(&envoy, "envoy", "", "path of the Envoy that checks (default: the pinned one)")
	from.add(c)
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		r, err := render(c, args[0], trustDomain, from)
		if err != nil {
			return err
		}
		if err := r.validate(c.Context(), slices.Collect(maps.Keys(r.views)), envoy, c.ErrOrStderr()); err != nil {
			return err
		}
		if err := r.write(c.Context(), args[1]); err != nil {
			return err
		}
		return r.print(c, *output)
	}
	return c
}

// render compiles a folder in which nothing is wrong.
func render(c *cobra.Command, dir, trustDomain string, from fetchFlags) (*rendering, error) {
	log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
	mesh, err := rehearse(c.Context(), dir, streetOptions{Options: translate.Options{TrustDomain: trustDomain}, alone: true}, log)
	if err != nil {
		return nil, err
	}
	mesh.fetch(c.Context(), from, log)
	problems := planned(append(mesh.problems, mesh.aloneProblems()...))
	sayProblems(c, problems)
	if err := found(problems); err != nil {
		return nil, err
	}
	r := mesh.rendered()
	if len(r.Proxies) == 0 {
		return nil, exitCode{exitFindings, fmt.Errorf("%s has no proxy: an Application, Scope, Sidecar, Workload or gateway names one", dir)}
	}
	return r, nil
}

// rendered are the views of all workloads.
func (r *rehearsal) rendered() *rendering {
	out := &rendering{views: map[snapshot.Digest]renderedView{}}
	for _, w := range r.workloads() {
		view := r.compiled.View(w.Key(), "")
		var all []*model.Resource
		for t := range model.NumTypes {
			all = slices.AppendSeq(all, view.All(t))
		}
		data := snapshot.EncodeView(all)
		digest := snapshot.DigestOf(data)
		out.views[digest] = renderedView{view, data}
		out.Proxies = append(out.Proxies, renderedProxy{w.Key(), digest, len(all), len(data)})
	}
	slices.SortFunc(out.Proxies, func(a, b renderedProxy) int { return cmp.Compare(a.Proxy, b.Proxy) })
	return out
}

// write puts the views into a folder, and the listing last.
func (r *rendering) write(ctx context.Context, dir string) error {
	to, err := store.OpenWriter(dir, "")
	if err != nil {
		return err
	}
	for _, digest := range slices.Sorted(maps.Keys(r.views)) {
		if err := to.Put(ctx, digest.Path(), r.views[digest].data); err != nil {
			return err
		}
	}
	listing, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return to.Put(ctx, listingFile, append(listing, '\n'))
}

func (r *rendering) print(c *cobra.Command, format string) error {
	t := table{header: []string{"PROXY", "VIEW", "RESOURCES", "BYTES"}, value: r}
	for _, p := range r.Proxies {
		t.rows = append(t.rows, []string{p.Proxy, string(p.View[:12]), fmt.Sprint(p.Resources), fmt.Sprint(p.Bytes)})
	}
	return t.print(c, format)
}
