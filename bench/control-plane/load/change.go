package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// expect is one change under way: what shows it, and when each proxy got it.
type expect struct {
	typ    int // or anyType
	name   string
	needle []byte
	index  int64
	t0     time.Time
	left   atomic.Int64
	lat    []time.Duration // one slot for each proxy
	done   chan struct{}
}

// in says whether a response of type t shows the change.
func (e *expect) in(t int, rs []resource) bool {
	if e.typ != anyType && e.typ != t {
		return false
	}
	return slices.ContainsFunc(rs, func(x resource) bool {
		return strings.Contains(x.name, e.name) && bytes.Contains(x.body, e.needle)
	})
}

// seen notes that a proxy has the change; the last one closes done.
func (e *expect) seen(proxy int, now time.Time) {
	e.lat[proxy] = now.Sub(e.t0)
	if e.left.Add(-1) == 0 {
		close(e.done)
	}
}

// change is one -change flag.
type change struct {
	label, file, tmpl, cmd, http, name, addr, contains string
	typ, count                                         int
}

const changeUsage = "repeatable: label=,count=,(file=,tmpl=|http=|cmd=),type=any|cds|eds|lds|rds|vhds|srds,name=SUBSTR,(addr=IP:PORT|contains=STR); {i} {hi} {lo} expand; type=any needs contains or addr"

// parseChange reads e.g. label=eds,count=5,file=hot/se.yaml,tmpl=se.tmpl,type=eds,name=svc-00000,addr=11.7.{hi}.{lo}:8080
func parseChange(s string) (change, error) {
	c, err := parsePredicate(s)
	if err == nil && ((c.file == "") != (c.tmpl == "") || c.file+c.http+c.cmd == "") {
		err = errors.New("one of file with tmpl, http or cmd makes the change")
	}
	return c, err
}

// parsePredicate is parseChange where somebody else may make the change.
func parsePredicate(s string) (c change, err error) {
	c.count = 5
	typ := ""
	text := map[string]*string{"label": &c.label, "file": &c.file, "tmpl": &c.tmpl, "cmd": &c.cmd, "http": &c.http,
		"type": &typ, "name": &c.name, "addr": &c.addr, "contains": &c.contains}
	for _, kv := range strings.Split(s, ",") {
		k, v, _ := strings.Cut(kv, "=")
		if k == "count" {
			if c.count, err = strconv.Atoi(v); err != nil || c.count < 1 {
				return c, fmt.Errorf("count=%s is not a positive number", v)
			}
		} else if p := text[k]; p != nil {
			*p = v
		} else {
			return c, fmt.Errorf("unknown key %q", k)
		}
	}
	c.typ = slices.Index(shortNames[:], typ)
	if typ == "any" {
		c.typ = anyType
		if c.contains == "" && c.addr == "" {
			return c, errors.New("type=any needs contains or addr")
		}
	} else if c.typ < 0 {
		return c, fmt.Errorf("type=%s is none of any, %s", typ, strings.Join(shortNames[:], ", "))
	}
	_, err = c.needle(0)
	return c, err
}

// needle is what a resource's bytes contain once change i is in it.
func (c *change) needle(i int) ([]byte, error) {
	if c.addr == "" {
		return []byte(Expand(c.contains, i)), nil
	}
	h, p, err := net.SplitHostPort(Expand(c.addr, i))
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(p, 10, 16)
	return socketAddress(h, port), err
}

// expect is what n proxies must see of change i.
func (c *change) expect(i, n int) (*expect, error) {
	needle, err := c.needle(i)
	e := &expect{typ: c.typ, name: c.name, needle: needle, index: int64(i), lat: make([]time.Duration, n), done: make(chan struct{})}
	e.left.Store(int64(n))
	e.t0 = time.Now()
	return e, err
}

// do makes change i and returns the instant just before it became visible.
func (c *change) do(i int) (time.Time, error) {
	if err := c.prepare(i); err != nil {
		return time.Time{}, err
	}
	t := time.Now()
	return t, c.publish(i)
}

// prepare does what nobody can see yet: it writes the file that publish moves into place.
func (c *change) prepare(i int) error {
	if c.file == "" {
		return nil
	}
	return write(c.tmpl, i)
}

// next is beside the template, where no server looks; both are on one file system.
func next(tmpl string) string { return tmpl + ".next" }

func write(tmpl string, i int) error {
	b, err := os.ReadFile(tmpl)
	if err != nil {
		return err
	}
	return os.WriteFile(next(tmpl), []byte(Expand(string(b), i)), 0o644)
}

// Replace moves what a template expands to for i into a file's place.
func Replace(file, tmpl string, i int) error {
	if err := write(tmpl, i); err != nil {
		return err
	}
	return os.Rename(next(tmpl), file)
}

// publish makes change i visible.
func (c *change) publish(i int) error {
	switch {
	case c.file != "":
		return os.Rename(next(c.tmpl), c.file)
	case c.http != "":
		return c.post(i)
	}
	if o, err := exec.Command("sh", "-c", Expand(c.cmd, i)).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, o)
	}
	return nil
}

func (c *change) post(i int) error {
	r, err := http.Post(Expand(c.http, i), "text/plain", nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	if r.StatusCode/100 != 2 {
		return fmt.Errorf("http %d: %s", r.StatusCode, bytes.TrimSpace(b))
	}
	return nil
}

// Expand puts the number of a change into a text; {hi} and {lo} are two parts of it that fit into an IP address.
func Expand(s string, i int) string {
	return strings.NewReplacer("{i}", strconv.Itoa(i), "{hi}", strconv.Itoa(i/perHi), "{lo}", strconv.Itoa(i%perHi+1)).Replace(s)
}

const perHi = 250

// unexpand is the number that was expanded to {hi} and {lo}.
func unexpand(hi, lo int) int { return hi*perHi + lo - 1 }
