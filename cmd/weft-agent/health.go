package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"weft.dev/agent/health"
)

// healthFlags are the flags of run about its health check.
type healthFlags struct {
	what, status      string
	port              uint32
	headers           map[string]string
	interval, timeout time.Duration
	failures          int
	successes         int
}

func (h *healthFlags) set(f *pflag.FlagSet) {
	f.StringVar(&h.what, "health", "tcp", "what says that the application is well: an HTTP `/PATH`, tcp, grpc, grpc:SERVICE or 'command:COMMAND', for sh; it is called only then")
	f.Uint32Var(&h.port, "health-port", 0, "`PORT` of loopback to ask at; default: the application's first one")
	f.StringVar(&h.status, "health-status", "200-399", "HTTP statuses of a healthy answer, as 200-299,304")
	f.StringToStringVar(&h.headers, "health-header", nil, "`NAME=VALUE` of the HTTP request; may be repeated")
	f.DurationVar(&h.interval, "health-interval", time.Second, "between two checks; shorter until the first success")
	f.DurationVar(&h.timeout, "health-timeout", time.Second, "of one check")
	f.IntVar(&h.failures, "health-failures", 3, "failed checks in a row after which the application is not called any more")
	f.IntVar(&h.successes, "health-successes", 1, "successful checks in a row after which it is called")
}

func (h *healthFlags) check(ports int) (health.Check, error) {
	c, err := health.Parse(h.what)
	if err != nil {
		return c, fmt.Errorf("--%w", err)
	}
	if c.Status, err = health.ParseStatuses(h.status); err != nil {
		return c, err
	}
	c.Port, c.Headers = h.port, h.headers
	c.Interval, c.Timeout, c.Failures, c.Successes = h.interval, h.timeout, h.failures, h.successes
	return c, c.Validate(ports)
}
