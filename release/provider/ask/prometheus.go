package ask

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/opinion"
	"weft.dev/release/pipeline"
)

const (
	// maxPoints of one query, as Prometheus has it.
	maxPoints = 11000
	// together is how many queries are asked at a time.
	together = 4
)

// answer of Prometheus' HTTP API.
type answer struct {
	Status string
	Error  string
	Data   struct {
		ResultType string
		Result     json.RawMessage
	}
}

// point is a time and a number in quotes.
type point [2]json.RawMessage

func (p point) number() (float64, error) {
	var text string
	if err := json.Unmarshal(p[1], &text); err != nil {
		return 0, fmt.Errorf("%.40s is no point", p[1])
	}
	return strconv.ParseFloat(text, 64)
}

// number is the one that a query gives now.
func (a *Asker) number(ctx context.Context, q opinion.Ask, query string) (*float64, error) {
	data, err := a.query(ctx, q.About.Namespace, q.Prometheus, "/api/v1/query", url.Values{"query": {query}})
	if err != nil {
		return nil, err
	}
	p, err := only(data)
	if err != nil {
		return nil, err
	}
	x, err := p.number()
	if err != nil {
		return nil, err
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil, fmt.Errorf("it is no number (%v)", x)
	}
	return &x, nil
}

// only is the one point of an answer.
func only(a answer) (p point, err error) {
	switch a.Data.ResultType {
	case "scalar":
		return p, json.Unmarshal(a.Data.Result, &p)
	case "vector":
		var all []struct{ Value point }
		if err := json.Unmarshal(a.Data.Result, &all); err != nil {
			return p, err
		}
		switch len(all) {
		case 0:
			return p, errors.New("there is no data")
		case 1:
			return all[0].Value, nil
		}
		return p, fmt.Errorf("it gives %d series: make it one number, as by sum(...)", len(all))
	}
	return p, fmt.Errorf("it gives a %.20s: make it one number", a.Data.ResultType)
}

// Series are the points of all queries.
func (a *Asker) Series(ctx context.Context, q opinion.Range) (opinion.Series, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found := opinion.Series{Points: make([][]*float64, len(q.Queries))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(together)
	for i, one := range q.Queries {
		group.Go(func() (err error) {
			found.Points[i], err = a.points(ctx, q, one)
			if err != nil {
				err = fmt.Errorf("query %.200s: %w", one.Query, err)
			}
			return err
		})
	}
	return found, group.Wait()
}

func (a *Asker) points(ctx context.Context, r opinion.Range, q opinion.RangeQuery) ([]*float64, error) {
	if q.Step < time.Second || q.To.Before(q.From) || q.To.Sub(q.From)/q.Step >= maxPoints {
		return nil, fmt.Errorf("from %s to %s in steps of %s: at most %d points, and no step below 1s", q.From, q.To, q.Step, maxPoints)
	}
	data, err := a.query(ctx, r.Namespace, r.Prometheus, "/api/v1/query_range", url.Values{
		"query": {q.Query}, "start": {instant(q.From)}, "end": {instant(q.To)}, "step": {strconv.FormatFloat(q.Step.Seconds(), 'f', -1, 64)},
	})
	if err != nil {
		return nil, err
	}
	var all []struct{ Values []point }
	if data.Data.ResultType != "matrix" || json.Unmarshal(data.Data.Result, &all) != nil {
		return nil, fmt.Errorf("it gives a %.20s that is no series of points", data.Data.ResultType)
	}
	var points []*float64
	for _, series := range all {
		for _, p := range series.Values {
			x, err := p.number()
			if err != nil {
				return nil, err
			}
			if math.IsNaN(x) || math.IsInf(x, 0) {
				points = append(points, nil)
				continue
			}
			points = append(points, &x)
		}
	}
	return points, nil
}

func instant(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// query asks the API.
func (a *Asker) query(ctx context.Context, namespace string, p *v1alpha1.Prometheus, path string, form url.Values) (answer, error) {
	var found answer
	if p == nil {
		return found, errors.New("analysis.prometheus: nobody answers queries")
	}
	call := pipeline.HTTPCall{
		Method: http.MethodPost, URL: base(p) + path, Body: form.Encode(),
		Headers: []v1alpha1.WebhookHeader{{Name: "Content-Type"}},
	}
	values := []string{"application/x-www-form-urlencoded"}
	who, err := a.authorization(ctx, namespace, p)
	if err != nil {
		return found, err
	}
	if who != "" {
		call.Headers = append(call.Headers, v1alpha1.WebhookHeader{Name: "Authorization", SecretKey: "authorization"}) // goes nowhere else
		values = append(values, who)
	}
	text, err := a.send(ctx, call, values)
	if err != nil {
		return found, err
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil || found.Status != "success" {
		return found, fmt.Errorf("its answer is none of Prometheus' API: %.200s", found.Error)
	}
	return found, nil
}
