package main

import (
	"context"

	"weft.dev/metrics/series"
	"weft.dev/release/guard"
	"weft.dev/store/serve"
	"weft.dev/trace"
	"weft.dev/web"
)

// mostRoles are listed of somebody.
const mostRoles = 200

// me is who asks, and what applications let them do. Where nobody knows who asks it is nobody.
func (m may) me(ctx context.Context) (web.Me, error) {
	name, groups := serve.Who(ctx)
	me := web.Me{Name: name, Groups: groups, Administrator: guard.Administers(guard.Person{Name: name, Groups: groups})}
	if name == "" || m.rails == nil {
		return me, nil
	}
	all, err := m.rails.applications.List(ctx, "")
	if err != nil {
		return me, err
	}
	for _, app := range all {
		role := web.Role{Namespace: app.Namespace, Application: app.Name, May: []string{}, MayNot: []string{}}
		said := false
		for _, right := range []guard.Right{guard.MayRelease, guard.MayApprove, guard.MayUndo, guard.MayFreeze} {
			said = said || len(guard.Named(app, right)) > 0
			if guard.Refuses(app, right, guard.Person{Name: name, Groups: groups}) == "" {
				role.May = append(role.May, string(right))
			} else {
				role.MayNot = append(role.MayNot, string(right))
			}
		}
		if said && len(me.Roles) < mostRoles {
			me.Roles = append(me.Roles, role)
		}
	}
	return me, nil
}

// budgets are those of what the server keeps for people to look at.
func budgets(metrics *series.Store, traces *trace.Store) []web.Budget {
	room, counts := metrics.Room(), traces.Counts()
	return []web.Budget{
		{Name: "Series of metrics in memory", Used: int64(room.Series), Most: int64(room.MaxSeries), Flag: "--metrics-series", Full: "No figure of new edges is kept."},
		{Name: "Metrics on disk", Used: room.Bytes, Most: room.MaxBytes, Bytes: true, Flag: "--metrics-megabytes", Full: "The oldest go first."},
		{Name: "Traces", Used: int64(counts.Bytes), Most: int64(counts.Limit), Bytes: true, Flag: "--traces-megabytes", Full: "The oldest go first; those that failed or were slow stay longest."},
	}
}
