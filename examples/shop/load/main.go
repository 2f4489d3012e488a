// Load calls one URL at a fixed rate, whatever the answers take: an open loop,
// so that a slow server cannot hide by slowing its callers down. It prints one
// line a second on stderr and, at the end, what it counted as JSON on stdout.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// maxInFlight bounds memory when nothing answers; what finds no room counts as failed.
const maxInFlight = 2000

// result is what one run saw. Failures that carry X-Shop-Fault were the
// application's own answers; all others are somebody else's fault.
type result struct {
	Sent     int            `json:"sent"`
	OK       int            `json:"ok"`
	ByStatus map[string]int `json:"byStatus"`          // "200", ..., "error" for no answer
	ByFault  map[string]int `json:"byFault,omitempty"` // of the failures, those that a version of the shop made itself
	P50      float64        `json:"p50"`               // milliseconds
	P99      float64        `json:"p99"`
}

type collector struct {
	mu        sync.Mutex
	result    result
	latencies []time.Duration
}

func main() {
	rate := flag.Int("rate", 200, "requests a second")
	duration := flag.Duration("duration", 0, "how long; 0: until interrupted")
	quiet := flag.Bool("quiet", false, "no line a second")
	flag.Parse()
	if flag.NArg() != 1 || *rate <= 0 {
		fmt.Fprintln(os.Stderr, "usage: load [--rate N] [--duration D] URL")
		os.Exit(64)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *duration)
		defer cancel()
	}
	c := &collector{result: result{ByStatus: map[string]int{}, ByFault: map[string]int{}}}
	c.run(ctx, flag.Arg(0), *rate, *quiet)
	c.finish()
	_ = json.NewEncoder(os.Stdout).Encode(c.result)
}

func (c *collector) run(ctx context.Context, url string, rate int, quiet bool) {
	client := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: maxInFlight}}
	slots := make(chan struct{}, maxInFlight)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	start, sent := time.Now(), 0
	second := time.NewTicker(time.Second)
	defer second.Stop()
	var calls sync.WaitGroup
	defer calls.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-second.C:
			if !quiet {
				c.progress()
			}
		case <-tick.C:
			for due := int(time.Since(start).Seconds() * float64(rate)); sent < due; sent++ {
				c.send(client, url, slots, &calls)
			}
		}
	}
}

func (c *collector) send(client *http.Client, url string, slots chan struct{}, calls *sync.WaitGroup) {
	select {
	case slots <- struct{}{}:
	default:
		c.count("error", "", 0)
		return
	}
	calls.Go(func() {
		c.call(client, url)
		<-slots
	})
}

func (c *collector) call(client *http.Client, url string) {
	start := time.Now()
	response, err := client.Get(url)
	if err != nil {
		c.count("error", "", time.Since(start))
		return
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	c.count(strconv.Itoa(response.StatusCode), response.Header.Get("X-Shop-Fault"), time.Since(start))
}

func (c *collector) count(status, fault string, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.result.Sent++
	c.result.ByStatus[status]++
	if status == "200" {
		c.result.OK++
	}
	if fault != "" {
		c.result.ByFault[fault]++
	}
	c.latencies = append(c.latencies, took)
}

func (c *collector) progress() {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(os.Stderr, "sent %d  ok %d  %v\n", c.result.Sent, c.result.OK, c.result.ByStatus)
}

func (c *collector) finish() {
	slices.SortFunc(c.latencies, cmp.Compare)
	at := func(q float64) float64 {
		if len(c.latencies) == 0 {
			return 0
		}
		return float64(c.latencies[int(q*float64(len(c.latencies)-1))].Microseconds()) / 1000
	}
	c.result.P50, c.result.P99 = at(0.50), at(0.99)
}
