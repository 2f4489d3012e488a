package strategy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
)

// begin waits for a healthy instance, finds what is in service, and gives the new
// version its private address; or everything, where nothing is in service yet.
func (r *run) begin() release.Outcome {
	if r.m.Since.IsZero() {
		r.m.Since = r.Now
	}
	version, healthy := r.Config.Version, r.Facts.Healthy
	_, there := r.Facts.Instances[version] // it can be started
	there = there || healthy[version] > 0 && (!r.crewed() || r.Facts.Instances != nil)
	switch {
	case r.Abort != "":
		return r.end(v1alpha1.ReleaseRolledBack, r.Abort+", before it got any traffic")
	case r.Hold != "":
		r.m.Since = r.Now
		return r.stay(v1alpha1.ReleasePending, look, r.Hold)
	case !there && r.Now.Sub(r.m.Since) >= r.limits.Deadline:
		return r.end(v1alpha1.ReleaseFailed, fmt.Sprintf("no healthy workload of %s %s appeared within %s (%s)%s; no traffic was moved",
			r.Config.Application, version, r.limits.Deadline, r.census(), r.trouble(version)))
	case !there && r.crewed() && r.course.manner().hurries:
		return r.revive()
	case !there:
		return r.stay(v1alpha1.ReleasePending, look, fmt.Sprintf("waiting for a healthy workload of %s %s (%s)%s", r.Config.Application, version, r.census(), r.trouble(version)))
	}
	from, problem := r.serving()
	if problem != "" {
		return r.end(v1alpha1.ReleaseFailed, problem)
	}
	if err := r.knows(from); err != nil {
		return r.end(v1alpha1.ReleaseFailed, err.Error())
	}
	r.m.Before = r.Facts.Split
	if from == version {
		if r.m.Before != nil {
			return r.end(v1alpha1.ReleaseSucceeded, fmt.Sprintf("%s has all traffic of %s already", version, r.Config.Service))
		}
		from = ""
	}
	r.m.From, r.m.Capacity, r.m.Had, r.m.Others = from, r.crew(from), r.crew(version), r.others(from)
	if from == "" && healthy[version] == 0 {
		r.grow(version, 1)
		return r.stay(v1alpha1.ReleasePending, look, fmt.Sprintf("%s starts%s", version, r.trouble(version)))
	}
	if from == "" {
		r.m.Stage = len(r.shares()) - 1
		return r.write(100, fmt.Sprintf("%s gets all traffic of %s: nothing was in service before", version, r.Config.Service))
	}
	return r.write(0, fmt.Sprintf("%s gets its private address: header x-weft-version: %s=%s", version, r.Config.Service, version))
}

// serving is the version that has all traffic now; empty: none.
func (r *run) serving() (version, problem string) {
	if s := r.Facts.Split; s != nil {
		for _, v := range s.Versions {
			if v.Weight == 100 {
				return v.Version, ""
			}
		}
		if r.course.manner().hurries && len(s.Versions) > 0 {
			return heaviest(s), ""
		}
		return "", fmt.Sprintf("the traffic of %s is split already (%s): give one version 100%% in its TrafficSplit, then release again",
			r.Config.Service, release.FormatVersions(s.Versions))
	}
	if r.Config.Serving != "" {
		return r.Config.Serving, ""
	}
	var up []string
	for _, v := range slices.Sorted(maps.Keys(r.Facts.Healthy)) {
		if v != r.Config.Version && r.Facts.Healthy[v] > 0 {
			up = append(up, v)
		}
	}
	switch len(up) {
	case 0:
		return "", ""
	case 1:
		return up[0], ""
	}
	return "", fmt.Sprintf("%s runs in versions %s and nothing says which one to replace: apply a TrafficSplit that gives one of them 100%%, then release again",
		r.Config.Application, strings.Join(up, ", "))
}

// others are the versions besides from that keep their private address: those of
// the split that still run.
func (r *run) others(from string) (out []string) {
	if r.Facts.Split == nil {
		return nil
	}
	for _, v := range r.Facts.Split.Versions {
		if v.Version != from && v.Version != r.Config.Version && r.Facts.Healthy[v.Version] > 0 && len(out) < maxVersions-2 {
			out = append(out, v.Version)
		}
	}
	return out
}

// census is the healthy instances as people say them.
func (r *run) census() string {
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(r.Facts.Healthy)) {
		if n := r.Facts.Healthy[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s has %d", v, n))
		}
	}
	if len(parts) == 0 {
		return "no version has any"
	}
	return strings.Join(parts, ", ")
}
