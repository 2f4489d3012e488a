package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"weft.dev/metrics"
)

const (
	usualRows = 100  // of a list that was not told how many
	mostRows  = 2000 // that a list can be told
)

// Span is which part of a list is asked for.
type span struct {
	search string // in lower case
	limit  int
}

func spanOf(r *http.Request) (span, error) {
	query := r.URL.Query()
	s := span{strings.ToLower(strings.TrimSpace(query.Get("search"))), usualRows}
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostRows {
			return s, Invalid("limit %q: want a number from 1 to %d", text, mostRows)
		}
		s.limit = n
	}
	return s, nil
}

// has reports whether any of the texts contains what is searched for.
func (s span) has(texts ...string) bool {
	for _, text := range texts {
		if strings.Contains(strings.ToLower(text), s.search) {
			return true
		}
	}
	return s.search == ""
}

func first[T any](list []T, limit int) []T { return orEmpty(list[:min(len(list), limit)]) }

func windowOf(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("window")
	if text == "" {
		return 10 * time.Second, nil
	}
	window, err := time.ParseDuration(text)
	if err != nil || window <= 0 || window > metrics.Window {
		return 0, Invalid("window %q: want a duration of at most %s, e.g. 10s", text, metrics.Window)
	}
	return window, nil
}
