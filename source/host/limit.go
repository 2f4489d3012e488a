package host

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often one caller may ask. Somebody who asks more often is told so and
// harms nobody else.
const (
	joinsPerSecond, joinBurst    = 1, 10   // of one IP address
	renewsPerSecond, renewBurst  = 10, 200 // of one identity; a host asks for all its workloads
	messagesPerSecond, talkBurst = 5, 50   // on one session
	maxCallers                   = 20_000
	firstMessage                 = 10 * time.Second
)

// callers are the rates of those who call.
type callers struct {
	limit rate.Limit
	burst int

	mu sync.Mutex
	by map[string]*rate.Limiter
}

func newCallers(limit rate.Limit, burst int) *callers {
	return &callers{limit: limit, burst: burst, by: map[string]*rate.Limiter{}}
}

func (c *callers) allow(who string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	one, ok := c.by[who]
	if !ok {
		if len(c.by) >= maxCallers {
			c.forget(now)
		}
		if len(c.by) >= maxCallers {
			return false
		}
		one = rate.NewLimiter(c.limit, c.burst)
		c.by[who] = one
	}
	return one.AllowN(now, 1)
}

// forget drops those who have not asked for so long that they owe nothing.
func (c *callers) forget(now time.Time) {
	for who, one := range c.by {
		if one.TokensAt(now) >= float64(c.burst) {
			delete(c.by, who)
		}
	}
}
