package ratelimit

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weft.dev/test/debian"
	"weft.dev/test/process"
)

// newRedis starts a real server, which keeps nothing.
func newRedis(t *testing.T) string {
	t.Helper()
	binary, err := debian.Program("redis-server", "redis-server")
	if err != nil {
		t.Fatal(err)
	}
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	cmd := exec.Command(binary, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--logfile", log)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if err := process.Until(20*time.Second, func() error {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return address
}

func open(t *testing.T, address string) *Redis {
	t.Helper()
	r, err := NewRedis(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// Two servers that ask at once let in exactly as many as one would.
func TestRedisAgrees(t *testing.T) {
	address := newRedis(t)
	servers := []*Redis{open(t, address), open(t, "redis://"+address+"/0")}
	ask := Ask{Budget: "shop/reviews/day\nx", Rate: Rate{Requests: 500, Per: 24 * time.Hour, Burst: 500}, Hits: 1} // one more in three minutes
	var allowed, refused atomic.Int64
	var asking sync.WaitGroup
	for i := range 16 {
		asking.Go(func() {
			for range 75 {
				d, err := servers[i%2].Take(t.Context(), []Ask{ask}, time.Time{})
				switch {
				case err != nil:
					t.Error(err)
				case d[0].Allowed:
					allowed.Add(1)
				default:
					refused.Add(1)
				}
			}
		})
	}
	asking.Wait()
	if allowed.Load() != 500 || refused.Load() != 700 {
		t.Errorf("%d of 1200 were let in, want 500", allowed.Load())
	}
	d, err := servers[0].Take(t.Context(), []Ask{ask}, time.Time{})
	if err != nil || d[0].Allowed || d[0].Wait <= 0 || d[0].Wait > 24*time.Hour/500 {
		t.Errorf("%+v, %v: want to wait at most for one request", d, err)
	}
}

// It decides as memory does: the order, trials, what is left, and what ends by itself.
func TestRedisDecidesAsMemory(t *testing.T) {
	r := open(t, newRedis(t))
	m := NewMemory(100)
	for i, asks := range [][]Ask{
		{{Budget: "a", Rate: Rate{3, 24 * time.Hour, 3}, Hits: 1}},
		{{Budget: "a", Rate: Rate{3, 24 * time.Hour, 3}, Hits: 1}, {Budget: "b", Rate: Rate{1, 24 * time.Hour, 1}, Hits: 1}},
		{{Budget: "b", Rate: Rate{1, 24 * time.Hour, 1}, Hits: 1}, {Budget: "a", Rate: Rate{3, 24 * time.Hour, 3}, Hits: 1}},
		{{Budget: "b", Rate: Rate{1, 24 * time.Hour, 1}, Hits: 1, Shadow: true}, {Budget: "a", Rate: Rate{3, 24 * time.Hour, 3}, Hits: 1}},
		{{Budget: "a", Rate: Rate{3, 24 * time.Hour, 3}, Hits: 1}},
		{{Budget: "c", Rate: Rate{1, time.Second, 1}, Hits: 2}},
		{{Budget: "d", Rate: Rate{1_000_000, time.Second, 100}, Hits: 100}},
	} {
		got, err := r.Take(t.Context(), asks, time.Time{})
		want, _ := m.Take(t.Context(), asks, began)
		text := func(all []Decision) (s string) {
			for _, d := range all {
				s += fmt.Sprint(d.Allowed, d.Remaining, d.Wait.Round(time.Hour), " ")
			}
			return s
		}
		if err != nil || text(got) != text(want) {
			t.Errorf("%d: %s, %v; want %s", i, text(got), err, text(want))
		}
	}
	if err := process.Until(20*time.Second, func() error {
		left, err := r.client.Keys(t.Context(), redisPrefix+"*").Result()
		if err == nil && len(left) != 2 {
			err = fmt.Errorf("left are %v, want a and b: the others are full again", left)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// Who does not answer is an error, which the proxy's own word decides.
func TestRedisGone(t *testing.T) {
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	r := open(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if d, err := r.Take(t.Context(), []Ask{{Budget: "a", Rate: Rate{1, time.Second, 1}, Hits: 1}}, time.Time{}); err == nil {
		t.Errorf("nobody answers, and %v were decided", d)
	}
	if _, err := NewRedis("redis://a:b:c"); err == nil {
		t.Error("that is no address")
	}
}
