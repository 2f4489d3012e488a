package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/compile"
	"weft.dev/flow"
	"weft.dev/identity"
	"weft.dev/model"
	"weft.dev/release/guard"
	"weft.dev/store/serve"
	"weft.dev/web"
)

const (
	// previewFor is how long a preview lasts where nobody says it.
	previewFor = time.Hour
	// renewInterval is how often servers look for new keys of previews: so long another replica honours what was revoked. It is
	// shorter than identity.PreviewLead.
	renewInterval = 30 * time.Second
)

// showKeys has gateways verify previews by the keys that there are.
func (m *mesh) showKeys() {
	keys := m.authority.Previews.Keys()
	m.graph.Commit(func(tx *flow.Tx) { m.previewKeys.Replace(tx, "", keys) })
}

// renewKeys keeps the keys of previews true until ctx ends.
func (m *mesh) renewKeys(ctx context.Context) error {
	return every(ctx, renewInterval, func() {
		if err := m.authority.Previews.Renew(); err != nil {
			m.log.Warn("the keys of previews stay as they are", "why", err)
		}
		m.showKeys()
	})
}

// preview signs one for who may release the application.
func (m *mesh) preview(ctx context.Context, q web.PreviewRequest) (web.PreviewReply, error) {
	lasts, err := previewTime(q.For)
	if err != nil {
		return web.PreviewReply{}, err
	}
	owners, split, err := m.shown(ctx, q)
	if err != nil {
		return web.PreviewReply{}, err
	}
	by, groups := serve.Who(ctx)
	for _, app := range owners {
		if why := guard.Refuses(app, guard.MayRelease, guard.Person{Name: by, Groups: groups}); why != "" {
			return web.PreviewReply{}, web.Denied("preview of %s: %s", q.Application, why)
		}
	}
	at, err := entrancesFor(m.compiled.Entrances(split.Host), split.Service, q.Host)
	if err != nil {
		return web.PreviewReply{}, err
	}
	to := map[string]string{}
	for _, e := range at {
		to[e.Host] = split.Address(q.Version)
	}
	token, ends, err := m.authority.Previews.Sign(to, lasts)
	if refusal := (*identity.Refusal)(nil); errors.As(err, &refusal) {
		return web.PreviewReply{}, web.Invalid("%s", refusal.Reason)
	}
	if err != nil {
		return web.PreviewReply{}, err
	}
	if m.record != nil {
		err = m.record(serve.Mutation{
			By: by, Groups: groups, Verb: "preview", Kind: string(api.Application), Namespace: q.Namespace, Name: q.Application,
			Changed: []string{"version: " + q.Version, "hosts: " + strings.Join(model.SortedKeys(to), " "), "ends: " + ends.Format(time.RFC3339)},
		})
	}
	if err != nil {
		return web.PreviewReply{}, err
	}
	return web.PreviewReply{Links: linksOf(at, q.Host, token), Header: model.PreviewHeader + ": " + token, Token: token, Ends: ends}, nil
}

// revokePreviews ends all previews, for administrators: they are of all applications.
func (m *mesh) revokePreviews(ctx context.Context) (web.PreviewsEnded, error) {
	by, groups := serve.Who(ctx)
	if !guard.Administers(guard.Person{Name: by, Groups: groups}) {
		return web.PreviewsEnded{}, web.Denied("previews are of all applications: only an administrator of this server may end them; in a Kubernetes cluster remove previews.json from the Secret %s", authoritySecret)
	}
	if m.record != nil {
		if err := m.record(serve.Mutation{By: by, Groups: groups, Verb: "revoke", Kind: "Preview", Name: "all"}); err != nil {
			return web.PreviewsEnded{}, err
		}
	}
	if err := m.authority.Previews.Revoke(); err != nil {
		return web.PreviewsEnded{}, err
	}
	m.showKeys()
	return web.PreviewsEnded{At: time.Now()}, nil
}

func previewTime(text string) (time.Duration, error) {
	if text == "" {
		return previewFor, nil
	}
	lasts, err := time.ParseDuration(text)
	if err != nil {
		return 0, web.Invalid("for %q: want a duration of at most %v, e.g. 2h", text, identity.MaxPreview)
	}
	return lasts, nil
}

// shown is the split that a preview is of, and all applications of its service: by whichever name it was asked for, the roles of
// each of them count.
func (m *mesh) shown(ctx context.Context, q web.PreviewRequest) (owners []*v1alpha1.Application, split model.Split, err error) {
	if m.applications != nil {
		if owners, err = m.applications(ctx, q.Namespace); err != nil {
			return nil, split, err
		}
	}
	service := q.Application
	if n := slices.IndexFunc(owners, func(app *v1alpha1.Application) bool { return app.Name == q.Application }); n >= 0 {
		service = owners[n].ServiceName()
	}
	owners = slices.DeleteFunc(owners, func(app *v1alpha1.Application) bool { return app.ServiceName() != service })
	split, ok := m.rows.Splits.Get(model.HostOf(q.Namespace, service))
	var names []string
	for _, v := range split.Versions {
		names = append(names, v.Version)
	}
	switch {
	case !ok:
		return nil, split, fmt.Errorf("%w: nothing tells versions of %s/%s apart: an Application and two versions that run do, or a TrafficSplit", web.ErrNotFound, q.Namespace, service)
	case !slices.Contains(names, q.Version):
		return nil, split, fmt.Errorf("%w: version %q of %s/%s neither runs nor has a share; there are %s", web.ErrNotFound, q.Version, q.Namespace, service, strings.Join(names, ", "))
	}
	if err := compile.CheckAddress(split, q.Version); err != nil {
		return nil, split, web.Invalid("%w", err)
	}
	return owners, split, nil
}

// entrancesFor are those where a preview is to be honoured: at the host that was named, else wherever a
// route leads to the service.
func entrancesFor(all []compile.Entrance, service, host string) (at []compile.Entrance, err error) {
	var names []string
	for _, e := range all {
		names = append(names, e.Host)
		if host == "" && e.Leads {
			at = append(at, e)
		}
	}
	if host != "" {
		at = covering(all, strings.ToLower(hostOnly(host)))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	switch {
	case len(at) > 0:
		return at, nil
	case len(all) == 0:
		return nil, web.Invalid("no gateway runs that has routes, so nobody is outside: use the header %s inside of the mesh", model.VersionHeader)
	case host != "":
		return nil, web.Invalid("no gateway serves the host %s; there are %s", host, strings.Join(names, ", "))
	}
	return nil, web.Invalid("no route of a gateway leads to %s itself; name the host where its callers are entered with --host: there are %s", service, strings.Join(names, ", "))
}

// covering are the entrances of the closest name for a host.
func covering(all []compile.Entrance, host string) (at []compile.Entrance) {
	best := ""
	for _, e := range all {
		if e.Host == host || e.Covers(host) && best != host && len(e.Host) > len(best) {
			best = e.Host
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(e compile.Entrance) bool { return best == "" || e.Host != best })
}

func hostOnly(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// linksOf has one link a host that is one; where one was named, for that. HTTPS is preferred.
func linksOf(at []compile.Entrance, named, token string) []web.PreviewLink {
	links := []web.PreviewLink{}
	query := "/?" + url.Values{model.PreviewParam: {token}}.Encode()
	slices.SortStableFunc(at, func(a, b compile.Entrance) int { return cmp.Compare(secure(b), secure(a)) })
	for _, e := range at {
		host := cmp.Or(named, e.Host)
		if strings.HasPrefix(host, "*") || slices.ContainsFunc(links, func(l web.PreviewLink) bool { return l.Host == host }) {
			continue
		}
		links = append(links, web.PreviewLink{Host: host, URL: e.Scheme() + "://" + withPort(host, e) + query})
	}
	return links
}

func secure(e compile.Entrance) int {
	if e.TLS {
		return 1
	}
	return 0
}

// withPort names the port that a client would not take by itself.
func withPort(host string, e compile.Entrance) string {
	if hostOnly(host) != host || e.Port == 80 && !e.TLS || e.Port == 443 && e.TLS {
		return host
	}
	return host + ":" + strconv.Itoa(int(e.Port))
}
