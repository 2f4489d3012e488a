// Package health asks an application whether it is well, again and again, and
// says so when that changes. What must stay true: it says healthy only after the
// application has answered as often as it has to, and a check that hangs fails.
//
// Input: a Check and the ports of the application on loopback. It knows neither
// servers nor Envoy, and links in no more of gRPC than the agent has.
package health

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind is how an application is asked.
type Kind string

// All kinds want the application's ports to take connections, and TCP nothing else.
const (
	TCP     Kind = "tcp"
	HTTP    Kind = "http"
	GRPC    Kind = "grpc"
	Command Kind = "command"
)

const (
	defaultInterval = time.Second
	defaultTimeout  = time.Second
	defaultFailures = 3
	eager           = 100 * time.Millisecond // between two tries while it is not healthy
)

// Check is what is asked, and how often. The zero value is a check of TCP.
type Check struct {
	Kind    Kind
	Port    uint32            // on loopback, of HTTP and GRPC; 0: the first of the application's
	Path    string            // HTTP: begins with a slash
	Status  Statuses          // HTTP: those of a healthy answer; none: 200 to 399
	Headers map[string]string // HTTP: of the request
	Service string            // GRPC: "" is the whole server
	Command string            // for sh; it exits with 0 when all is well
	Env     []string          // of the command, beside the agent's own

	Interval  time.Duration // between two tries; 0: a second
	Timeout   time.Duration // of one try; 0: a second
	Failures  int           // in a row that make it unhealthy; 0: 3
	Successes int           // in a row that make it healthy; 0: 1
}

// Validate says what is wrong with a check of an application with so many ports.
func (c Check) Validate(ports int) error {
	_, known := asks[c.Kind]
	switch {
	case !known:
		return fmt.Errorf("health: kind %q: use tcp, http, grpc or command", c.Kind)
	case (c.Kind == HTTP || c.Kind == GRPC) && c.Port == 0 && ports == 0:
		return fmt.Errorf("health: %s: the application has no port to ask: name one", c.Kind)
	case c.Kind == HTTP && (c.Path == "" || c.Path[0] != '/'):
		return fmt.Errorf("health: http: path %q: it begins with a slash", c.Path)
	case c.Kind == Command && c.Command == "":
		return errors.New("health: command: it is empty")
	case c.Interval < 0 || c.Timeout < 0 || c.Failures < 0 || c.Successes < 0:
		return errors.New("health: interval, timeout, failures and successes are not negative")
	}
	return nil
}

// filled is the check with its defaults.
func (c Check) filled(ports []uint32) Check {
	if c.Kind == "" {
		c.Kind = TCP
	}
	if c.Port == 0 && len(ports) > 0 {
		c.Port = ports[0]
	}
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Failures == 0 {
		c.Failures = defaultFailures
	}
	c.Successes = max(c.Successes, 1)
	return c
}

// Run asks until ctx ends. It says true when the application has become healthy,
// and false, with the reason, when it is not any more. It begins as not healthy.
func (c Check) Run(ctx context.Context, ports []uint32, say func(healthy bool, why error)) {
	c = c.filled(ports)
	healthy, row := false, 0 // row: answers in a row that speak against healthy
	for ctx.Err() == nil {
		err := c.once(ctx, ports)
		if healthy == (err == nil) {
			row = 0
		} else {
			row++
		}
		if row > 0 && row >= c.needed(healthy) {
			healthy, row = !healthy, 0
			say(healthy, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(c.pause(healthy)):
		}
	}
}

func (c Check) needed(healthy bool) int {
	if healthy {
		return c.Failures
	}
	return c.Successes
}

// pause is shorter while somebody waits for the application. A command is a
// process each time, and is never hurried.
func (c Check) pause(healthy bool) time.Duration {
	if healthy || c.Kind == Command {
		return c.Interval
	}
	return min(c.Interval, eager)
}

// once is one try.
func (c Check) once(ctx context.Context, ports []uint32) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	for _, port := range ports {
		if err := takes(ctx, port); err != nil {
			return err
		}
	}
	return asks[c.Kind](c, ctx)
}
