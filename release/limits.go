package release

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/opinion"
)

// Limits are an analysis' settings as numbers.
type Limits struct {
	// MaxIncrease and Confidence are those of a Question.
	MaxIncrease, Confidence float64
	Latency                 *LatencyLimit // nil: it does not count
	Deadline                time.Duration
	Voices                  []opinion.Voice // of others who are asked
}

// Defaults of v1alpha1.Analysis. With 0.5 points and 0.99, a version as good as one
// that errs in 1 of 1,000 requests proves it within about 1,600 of its own requests.
const (
	defaultIncrease     = "0.5"
	defaultSlowIncrease = "1"
	defaultConfidence   = "0.99"
	defaultDeadline     = 10 * time.Minute
)

// maxSlowerThan is the last bound of model.LatencyBounds.
const maxSlowerThan = 10 * time.Second

// ReadLimits reads an analysis. Old says that there is a version to compare with. An error names the field,
// and still comes with the deadline.
func ReadLimits(a v1alpha1.Analysis, old bool) (Limits, error) {
	l := Limits{Deadline: defaultDeadline}
	if a.Deadline != nil && a.Deadline.Duration > 0 {
		l.Deadline = a.Deadline.Duration
	}
	var err error
	if l.MaxIncrease, err = readPoints("maxErrorIncrease", a.MaxErrorIncrease, defaultIncrease); err != nil {
		return l, err
	}
	if l.Latency, err = readLatency(a); err != nil {
		return l, err
	}
	if l.Voices, err = opinion.Voices(a.Others, old); err != nil {
		return l, err
	}
	l.Confidence, err = strconv.ParseFloat(cmp.Or(a.Confidence, defaultConfidence), 64)
	if err != nil || l.Confidence < 0.5 || l.Confidence >= 1 {
		return l, fmt.Errorf("analysis.confidence: %q is no number from 0.5 to below 1, such as %q", a.Confidence, defaultConfidence)
	}
	return l, nil
}

func readLatency(a v1alpha1.Analysis) (*LatencyLimit, error) {
	if a.SlowerThan == nil || a.SlowerThan.Duration <= 0 {
		return nil, nil
	}
	if a.SlowerThan.Duration > maxSlowerThan {
		return nil, fmt.Errorf("analysis.slowerThan: %s is above %s, up to which the proxies tell times apart", a.SlowerThan.Duration, maxSlowerThan)
	}
	increase, err := readPoints("maxSlowIncrease", a.MaxSlowIncrease, defaultSlowIncrease)
	return &LatencyLimit{SlowerThan: a.SlowerThan.Duration, MaxIncrease: increase}, err
}

// readPoints is a share, 0 to 1, that is written in percentage points.
func readPoints(field, written, usual string) (float64, error) {
	points, err := strconv.ParseFloat(cmp.Or(written, usual), 64)
	if err != nil || points <= 0 || points >= 100 {
		return 0, fmt.Errorf("analysis.%s: %q is no number of percentage points between 0 and 100, such as %q", field, written, usual)
	}
	return points / 100, nil
}
