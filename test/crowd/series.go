package main

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"weft.dev/metrics"
)

// waves are series that go up and down: as many of each label as there would be in a crowd.
type waves struct{ crowd *crowd }

const mostWaves = 30

func (waves) Interval() time.Duration { return 15 * time.Second }

func (w waves) Values(_ context.Context, label, _ string, _ metrics.Span) (all []string, err error) {
	for i := 0; i < len(w.crowd.services); i += perNamespace {
		if strings.HasSuffix(label, "namespace") {
			all = append(all, w.crowd.end(i).Namespace)
		} else if i < perNamespace*mostWaves {
			all = append(all, w.crowd.end(i/perNamespace).App)
		}
	}
	return all, nil
}

func (w waves) Lines(_ context.Context, query string, over metrics.Span) (all []metrics.Line, err error) {
	many := 1
	if strings.HasPrefix(query, "sum by") || strings.Contains(query, "(sum by") {
		many = mostWaves
	}
	for i := range many {
		l := metrics.Line{Labels: map[string]string{}}
		for _, label := range []string{"source_namespace", "source_app", "source_version", "destination_service", "destination_version", "status", "application", "phase"} {
			l.Labels[label] = fmt.Sprintf("%s-%02d", label[max(0, len(label)-7):], i)
		}
		for at := range int(over.To.Sub(over.From)/over.Step) + 1 {
			seconds := float64(over.From.Unix()) + float64(at)*over.Step.Seconds()
			if i > 0 && at%50 == i {
				continue // a gap
			}
			l.At = append(l.At, at)
			l.Values = append(l.Values, float64(1+i)*(2+math.Sin(seconds/900+float64(i))))
		}
		all = append(all, l)
	}
	if strings.Contains(query, "refused") {
		return nil, nil
	}
	return all, nil
}
