package publish

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"weft.dev/model"
	"weft.dev/snapshot"
	"weft.dev/snapshot/store"
)

const (
	maxGonePercent = 15 // of the clusters that a proxy had
	minGone        = 3  // that few may go whatever they are of, if some stay
)

// RemovalError is of a request that takes away much: a mistake in a program, or
// half of a repository, looks like that.
type RemovalError struct{ Lines []string }

func (e *RemovalError) Error() string {
	return "more would be removed than a change removes by mistake:\n  " + strings.Join(e.Lines, "\n  ")
}

// removals compare what proxies have with what they would get.
func (r Request) removals(ctx context.Context, from store.Reader, before snapshot.Index) error {
	var lines []string
	had := map[snapshot.Digest][]string{}
	for _, proxy := range model.SortedKeys(before.Views) {
		was := before.Views[proxy]
		is, stays := r.Proxies[proxy]
		switch {
		case !stays:
			lines = append(lines, fmt.Sprintf("proxy %s gets nothing any more", proxy))
			continue
		case is == was:
			continue
		case had[was] == nil:
			data, _, err := read(ctx, from, was.Path(), snapshot.MaxView)
			if err == nil {
				had[was], err = clusters(data)
			}
			if err != nil {
				return fmt.Errorf("what proxy %s has cannot be compared with what it would get: %w", proxy, err)
			}
		}
		has, err := clusters(r.Views[is])
		if err != nil {
			return err
		}
		if line := goneOf(had[was], has); line != "" {
			lines = append(lines, "proxy "+proxy+" loses "+line)
		}
	}
	if len(lines) > 0 {
		return &RemovalError{lines}
	}
	return nil
}

// goneOf says what is missing, if that is much.
func goneOf(had, has []string) string {
	gone := slices.DeleteFunc(slices.Clone(had), func(name string) bool {
		_, found := slices.BinarySearch(has, name)
		return found
	})
	if len(gone) == 0 || len(gone) < len(had) && (len(gone) < minGone || len(gone)*100 <= len(had)*maxGonePercent) {
		return ""
	}
	shown := gone[:min(len(gone), minGone)]
	return fmt.Sprintf("%d of %d clusters that have endpoints: %s", len(gone), len(had), strings.Join(shown, ", ")+strings.Repeat(", ...", min(1, len(gone)-len(shown))))
}

// clusters are those of services in a view that lead anywhere, sorted.
func clusters(view []byte) (names []string, err error) {
	all, err := snapshot.DecodeView(view)
	empty := map[string]bool{}
	for _, r := range all {
		empty[r.Name] = empty[r.Name] || r.Type == model.TypeEndpoint && bytes.Equal(r.Body, emptyAssignment(r.Name))
	}
	for _, r := range all {
		if _, _, _, ok := model.ParseClusterName(r.Name); ok && r.Type == model.TypeCluster && !empty[r.Name] {
			names = append(names, r.Name)
		}
	}
	return names, err
}

// emptyAssignment is a ClusterLoadAssignment without endpoints: its first field,
// the name, is all of it.
func emptyAssignment(name string) []byte {
	const clusterName = 1<<3 | 2
	return append(binary.AppendUvarint([]byte{clusterName}, uint64(len(name))), name...)
}
