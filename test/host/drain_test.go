package host

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"weft.dev/test/process"
)

// Workloads stop, one after another and under load, and no call fails: neither
// of HTTP/1.1 nor of HTTP/2 as gRPC speaks it. What is left answers.
func TestDrain(t *testing.T) {
	m := newMachine(t, "drain")
	out, rest := freePort(t), freePort(t)
	m.run("caller", "app: caller\nport: \"80:%d\"\noutbound: %d\ncommand: [%s/echo]\n", rest, out, bin)
	for _, protocol := range []string{"http", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			app := "api-" + protocol
			var leaving []*service
			for n := range 3 {
				leaving = append(leaving, m.run(fmt.Sprintf("%s-%d", app, n), "app: %s\nversion: v%d\nport: 80\nprotocol: %s\ncommand: [%s/echo]\n", app, n, protocol, bin))
			}
			for n := range leaving {
				m.await(fmt.Sprintf("%s-%d", app, n), "Healthy")
			}
			m.await("caller", "Healthy")
			until(t, func() error { return m.calls(rest, protocol+"://"+app+"/", 1) })
			ended := make(chan error, 1)
			stop := make(chan struct{})
			go func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						t.Logf("%d rounds of 50 calls", n)
						ended <- nil
						return
					default:
					}
					if err := m.calls(rest, protocol+"://"+app+"/?delay=20ms", 50); err != nil {
						ended <- fmt.Errorf("round %d: %w", n, err)
						return
					}
				}
			}()
			leaving[0].stop()
			leaving[1].stop()
			close(stop)
			check(t, <-ended)
		})
	}
}

var failed = regexp.MustCompile(`"Status":(\d+),"Body":"([^"]*)"`)

// calls has the caller's application make calls, all at once; each must succeed.
func (m *machine) calls(port int, url string, count int) error {
	body := fmt.Sprintf(`{"method":"GET","url":%q,"count":%d,"together":true}`, url, count)
	out, err := exec.Command("curl", "-fsS", "--max-time", "30", "-d", body, "http://"+process.Loopback(port)+"/_call").Output()
	if err != nil {
		return err
	}
	all := failed.FindAllStringSubmatch(string(out), -1)
	if len(all) != count {
		return fmt.Errorf("%d answers to %d calls: %.300s", len(all), count, out)
	}
	for _, one := range all {
		if status, _ := strconv.Atoi(one[1]); status != 200 {
			return fmt.Errorf("a call was answered with %s: %.300s", one[1], one[2])
		}
	}
	return nil
}
