package protocols

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"weft.dev/metrics/series"
	"weft.dev/test/debian"
)

// session is a connection that a client keeps. still uses it once more: an error is its end.
type session struct{ still func() error }

// opaque is a protocol whose bytes no proxy reads. open begins a session at a host and port, in the name of a namespace.
type opaque struct {
	name string
	port int
	open func(t *testing.T, namespace, address string) (session, error)
	app  func(t *testing.T) (port int)
}

var opaques = []opaque{
	{"postgres", 5432, openPostgres, postgres},
	{"redis", 6379, openRedis, redisServer},
	{"mail", 25, openMail, mailServer},
}

// What is declared as TCP passes as it is, whoever speaks first. A session outlives what changes for
// others; who is shut out is shut out, also of what was open.
func TestOpaque(t *testing.T) {
	t.Parallel()
	for _, p := range opaques {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			other := p.port + 1 // of the same server
			serve(t, p.name, "tcp", p.app(t), p.port, other)
			at := func(port int) string { return fmt.Sprintf("%s.%s:%d", p.name, servers, port) }
			open := func(namespace string, port int) (s session) {
				t.Helper()
				until(t, func() (err error) { s, err = p.open(t, namespace, at(port)); return err })
				return s
			}
			kept, changed, outcast := open(callers, p.port), open(callers, other), open(outcasts, p.port)
			until(t, func() error { return p.counted(callers) })

			apply(t,
				object("networking.istio.io/v1", "DestinationRule", servers, p.name, fmt.Sprintf(`{host: %s, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 3s}}}}`, p.name)),
				denied(p.name, "elsewhere", `[{from: [{source: {namespaces: [nowhere]}}], to: [{operation: {ports: ["`+strconv.Itoa(other)+`"]}}]}]`))
			ends(t, changed)
			if err := errors.Join(kept.still(), outcast.still()); err != nil {
				t.Errorf("a policy of port %d, or a DestinationRule, cut a session at port %d: %v", other, p.port, err)
			}

			apply(t, denied(p.name, "outcasts", `[{from: [{source: {namespaces: [`+outcasts+`]}}], to: [{operation: {ports: ["`+strconv.Itoa(p.port)+`"]}}]}]`))
			if s, err := p.open(t, outcasts, at(p.port)); err == nil {
				t.Errorf("who is shut out is let in; and then: %v", s.still())
			}
			ends(t, outcast)
			check(t, open(callers, p.port).still())
			check(t, open(outcasts, other).still())
		})
	}
}

// What is on trial, and what only looks, counts connections by its rules, and lets all of them pass.
func TestConnectionsOnTrial(t *testing.T) {
	t.Parallel()
	serve(t, "trials", "tcp", mailServer(t), 25)
	for name, rest := range map[string]string{
		"denies": "DENY, rules: [{from: [{source: {namespaces: [" + callers + "]}}]}, {from: [{source: {namespaces: [nowhere]}}]}]",
		"allows": "ALLOW, rules: [{from: [{source: {namespaces: [" + outcasts + "]}}]}]",
		"looks":  "AUDIT, rules: [{from: [{source: {namespaces: [" + callers + "]}}]}]",
	} {
		apply(t, fmt.Sprintf("---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {namespace: %s, name: trials-%s, annotations: {istio.io/dry-run: '%v'}}\nspec: {selector: {matchLabels: {app: trials}}, action: %s}\n",
			servers, name, name != "looks", rest))
	}
	open := func(namespace string) {
		s, err := openMail(t, namespace, "trials."+servers+":25")
		if err == nil {
			err = s.still()
		}
		check(t, err)
	}
	said := func(labels string) float64 {
		n, err := total(`sum(weft_policy_verdicts_total{namespace="` + servers + `", app="trials", ` + labels + `}) or vector(0)`)
		check(t, err)
		return n
	}
	until(t, func() error {
		open(callers)
		open(outcasts)
		for _, labels := range []string{`policy="trials-denies", rule="0", verdict="refused"`, `policy="trials-looks", verdict="allowed"`, `policy="", verdict="refused"`, `policy="trials-allows", verdict="allowed"`} {
			if said(labels) == 0 {
				return fmt.Errorf("no connection was counted: %s", labels)
			}
		}
		return nil
	})
	for _, labels := range []string{`policy="trials-denies", verdict="allowed"`, `policy="trials-denies", rule="1"`, `policy="trials-allows", verdict="refused"`, `policy="trials-looks", verdict="refused"`} {
		if n := said(labels); n != 0 {
			t.Errorf("%v connections were counted that nothing was said of: %s", n, labels)
		}
	}
}

// Of a port that does not say what it speaks nothing is guessed: the server may speak first.
func TestUndeclared(t *testing.T) {
	t.Parallel()
	serve(t, "letters", "tcp", mailServer(t), 25)
	apply(t, "---\napiVersion: v1\nkind: Service\nmetadata: {namespace: data, name: post}\nspec: {selector: {app: letters}, ports: [{port: 2525, targetPort: 25}]}\n")
	until(t, func() error {
		s, err := openMail(t, callers, "post.data:2525")
		if err != nil {
			return err
		}
		return s.still()
	})
}

// denied is a policy that denies what the rules say at a server.
func denied(server, name, rules string) string {
	return object("security.istio.io/v1", "AuthorizationPolicy", servers, server+"-"+name, fmt.Sprintf("{selector: {matchLabels: {app: %s}}, action: DENY, rules: %s}", server, rules))
}

// ends waits until a session is cut.
func ends(t *testing.T, s session) {
	t.Helper()
	until(t, func() error {
		if s.still() == nil {
			return errors.New("the session goes on")
		}
		return nil
	})
}

// counted says whether there are figures of the sessions of a namespace: bytes both ways, and connections.
func (p opaque) counted(namespace string) error {
	for _, family := range []string{"weft_sent_bytes_total", "weft_received_bytes_total", "weft_connection_seconds_total"} {
		query := fmt.Sprintf(`sum(%s{source_namespace=%q, destination_service=%q, destination_port="%d"}) or vector(0)`, family, namespace, p.name, p.port)
		if n, err := total(query); err != nil || n == 0 {
			return fmt.Errorf("nothing was counted: %s (%v)", query, err)
		}
	}
	return nil
}

// total is the one number that a query gives.
func total(query string) (float64, error) {
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if err := shared.get(series.Prefix+"/api/v1/query?query="+url.QueryEscape(query), &answer); err != nil {
		return 0, err
	}
	if len(answer.Data.Result) != 1 {
		return 0, fmt.Errorf("%s has %d results", query, len(answer.Data.Result))
	}
	return strconv.ParseFloat(fmt.Sprint(answer.Data.Result[0].Value[1]), 64)
}

// openPostgres begins a session of psql, which is one as long as the process that serves it is the same.
func openPostgres(t *testing.T, namespace, address string) (session, error) {
	psql, err := debian.Program("psql", "postgresql-client")
	check(t, err)
	cmd := exec.Command(psql, "-XAtq", "-h", "127.0.0.1", "-p", strconv.Itoa(relay(t, namespace, address)), "-U", "postgres", "-v", "ON_ERROR_STOP=1")
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	var said strings.Builder
	cmd.Stderr = &said
	check(t, cmd.Start())
	t.Cleanup(func() { in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewReader(out)
	return same(func() (string, error) {
		if _, err := io.WriteString(in, "select pg_backend_pid();\n"); err != nil {
			return "", err
		}
		return lines.ReadString('\n')
	})
}

func openRedis(t *testing.T, namespace, address string) (session, error) {
	client := redis.NewClient(&redis.Options{Addr: address, PoolSize: 1, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true, Dialer: dialFrom(namespace)})
	t.Cleanup(func() { client.Close() })
	return same(func() (string, error) {
		id, err := client.ClientID(t.Context()).Result()
		return fmt.Sprint(id), err
	})
}

// same is a session that is identified by what who answers.
func same(who func() (string, error)) (session, error) {
	first, err := who()
	return session{func() error {
		if got, err := who(); err != nil || got != first {
			return fmt.Errorf("it was %q, now it is %q, %w", first, got, err)
		}
		return nil
	}}, err
}

// openMail waits for the server's greeting, which comes before the client may say a word.
func openMail(t *testing.T, namespace, address string) (session, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, err := dialFrom(namespace)(ctx, "tcp", address)
	if err != nil {
		return session{}, err
	}
	t.Cleanup(func() { conn.Close() })
	check(t, conn.SetDeadline(time.Now().Add(2*patience)))
	host, _, _ := net.SplitHostPort(address)
	client, err := smtp.NewClient(conn, host)
	if err != nil {
		return session{}, err
	}
	return session{client.Noop}, deliver(client)
}

// deliver sends a mail, which the server says to have.
func deliver(client *smtp.Client) error {
	if err := errors.Join(client.Hello("shop.example"), client.Mail("a@shop.example"), client.Rcpt("b@data.example")); err != nil {
		return err
	}
	text, err := client.Data()
	if err != nil {
		return err
	}
	_, err = io.WriteString(text, "Subject: mesh\r\n\r\nIt went through.\r\n")
	return errors.Join(err, text.Close())
}
