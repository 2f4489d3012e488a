package ratelimit

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	entryv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	servicev3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
)

const (
	maxDescriptors = 128     // of one question
	maxBudget      = 8 << 10 // bytes of a limit and the values of its key
	maxHits        = 1000    // of one question
)

// Limit is what there is to know of one that is counted here.
type Limit struct {
	Rate
	Name   string
	Shadow bool // refuses nobody
}

// Options of a Service.
type Options struct {
	// Limit is one by its ID; false: there is none (any more), and nobody is refused.
	Limit func(model.LimitID) (Limit, bool)
	Store Store
	Now   func() time.Time
}

// Service answers what proxies ask of limits.
type Service struct {
	Options

	mu     sync.Mutex
	counts map[model.LimitID]model.LimitCounts // since they were taken
}

// New makes a service.
func New(o Options) *Service {
	return &Service{Options: o, counts: map[model.LimitID]model.LimitCounts{}}
}

// question is one descriptor of which somebody counts.
type question struct {
	id    model.LimitID
	limit Limit
	at    int // of the descriptor
}

// Answer answers a RateLimitRequest of Envoy's by a RateLimitResponse. may says of which limits the proxy may ask:
// one that it does not serve is no business of its.
func (s *Service) Answer(ctx context.Context, may func(model.LimitID) bool, request []byte) ([]byte, error) {
	var r servicev3.RateLimitRequest
	if err := proto.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("this is no RateLimitRequest: %w", err)
	}
	response, err := s.answer(ctx, may, &r)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(response)
}

func (s *Service) answer(ctx context.Context, may func(model.LimitID) bool, r *servicev3.RateLimitRequest) (*servicev3.RateLimitResponse, error) {
	if r.Domain != model.LimitDomain || len(r.Descriptors) > maxDescriptors {
		return nil, fmt.Errorf("domain %.100q, %d descriptors: want the domain %s and at most %d", r.Domain, len(r.Descriptors), model.LimitDomain, maxDescriptors)
	}
	response := &servicev3.RateLimitResponse{OverallCode: servicev3.RateLimitResponse_OK}
	var questions []question
	var asks []Ask
	for i, d := range r.Descriptors {
		response.Statuses = append(response.Statuses, &servicev3.RateLimitResponse_DescriptorStatus{Code: servicev3.RateLimitResponse_OK})
		id := limitIn(d)
		l, known := s.Limit(id)
		if !known {
			continue
		}
		if !may(id) {
			return nil, fmt.Errorf("limit %s: the proxy does not serve what it is for", id)
		}
		budget := budgetOf(id, d)
		if len(budget) > maxBudget {
			return nil, fmt.Errorf("limit %s: the values of its key have more than %d bytes", id, maxBudget)
		}
		questions = append(questions, question{id, l, i})
		asks = append(asks, Ask{Budget: budget, Rate: l.Rate, Hits: hits(r, d), Shadow: l.Shadow})
	}
	if len(asks) == 0 {
		return response, nil
	}
	decisions, err := s.Store.Take(ctx, asks, s.Now())
	if err != nil {
		return nil, err
	}
	s.fill(response, questions, decisions)
	return response, nil
}

// fill puts the decisions into the answer, and counts them.
func (s *Service) fill(response *servicev3.RateLimitResponse, questions []question, decisions []Decision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, d := range decisions {
		q := questions[i]
		count := s.counts[q.id]
		status := response.Statuses[q.at]
		switch {
		case d.Allowed:
			count.Allowed++
		case q.limit.Shadow:
			count.Shadow++
		default:
			count.Limited++
			status.Code, response.OverallCode = servicev3.RateLimitResponse_OVER_LIMIT, servicev3.RateLimitResponse_OVER_LIMIT
		}
		s.counts[q.id] = count
		if q.limit.Shadow {
			continue
		}
		until := d.Full
		if !d.Allowed {
			until = d.Wait
		}
		status.LimitRemaining = d.Remaining
		status.DurationUntilReset = durationpb.New(wholeSeconds(until))
		status.CurrentLimit = &servicev3.RateLimitResponse_RateLimit{Name: q.limit.Name, RequestsPerUnit: q.limit.Requests, Unit: units[q.limit.Per]}
	}
}

// wholeSeconds rounds up: Envoy tells whole ones, and who comes too early is refused again.
func wholeSeconds(d time.Duration) time.Duration { return (d + time.Second - 1).Truncate(time.Second) }

var units = map[time.Duration]servicev3.RateLimitResponse_RateLimit_Unit{
	time.Second: servicev3.RateLimitResponse_RateLimit_SECOND, time.Minute: servicev3.RateLimitResponse_RateLimit_MINUTE,
	time.Hour: servicev3.RateLimitResponse_RateLimit_HOUR, 24 * time.Hour: servicev3.RateLimitResponse_RateLimit_DAY,
}

// Counted is what became of the requests since the last call, by limit; nil: there were none.
func (s *Service) Counted() map[model.LimitID]model.LimitCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.counts) == 0 {
		return nil
	}
	counts := s.counts
	s.counts = map[model.LimitID]model.LimitCounts{}
	return counts
}

// limitIn is the limit that a descriptor names.
func limitIn(d *entryv3.RateLimitDescriptor) model.LimitID {
	for _, e := range d.Entries {
		if e.Key == model.LimitEntry {
			return model.LimitID(e.Value)
		}
	}
	return ""
}

// budgetOf is the limit, and the values of its key: no two combinations of them read the same.
func budgetOf(id model.LimitID, d *entryv3.RateLimitDescriptor) string {
	var b strings.Builder
	b.WriteString(string(id))
	for _, e := range d.Entries {
		if e.Key != model.LimitEntry {
			fmt.Fprintf(&b, "%c%d:%s=%s", budgetMark, len(e.Value), e.Key, e.Value)
		}
	}
	return b.String()
}

// budgetMark ends the limit of a budget.
const budgetMark = '\n'

func limitOf(budget string) string {
	id, _, _ := strings.Cut(budget, string(budgetMark))
	return id
}

func hits(r *servicev3.RateLimitRequest, d *entryv3.RateLimitDescriptor) uint32 {
	n := max(1, r.HitsAddend)
	if d.HitsAddend != nil {
		n = uint32(min(d.HitsAddend.Value, maxHits))
	}
	return min(n, maxHits)
}
