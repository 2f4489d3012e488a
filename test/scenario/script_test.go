package scenario

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/client-go/rest"

	"weft.dev/model"
	"weft.dev/test/process"
)

// script is the state of one running script.
type script struct {
	ts        *testscript.TestScript
	namespace string
	workloads map[string]*workload // by NAME/VERSION, NAME too for the first of it
	pushed    map[string]map[string]int
	shown     map[string]tls.Certificate // by name of its Secret
	kept      *held
	issuers   map[string]*issuer
	files     map[string]*fileServer
	urls      map[string]string // of both, by the variable that has it
	loading   []*load
}

// workload is one process that a script started.
type workload struct {
	id      string // namespace/name of the proxy
	cmd     *exec.Cmd
	done    chan struct{}
	appPort int // of its echo; of the listener for a gateway
	gateway bool
}

type scriptKey struct{}

// setup gives a script its namespace and joins the machine for it.
func setup(env *testscript.Env) error {
	name := filepath.Base(env.WorkDir)
	name = strings.ReplaceAll(strings.TrimPrefix(name, "script-"), "_", "-")
	s := &script{namespace: name, workloads: map[string]*workload{}, shown: map[string]tls.Certificate{}, issuers: map[string]*issuer{}, files: map[string]*fileServer{}, urls: map[string]string{}}
	env.Values[scriptKey{}] = s
	env.Setenv("NAMESPACE", name)
	env.Setenv("WEFT", shared.server.Weft)
	env.Setenv("WEFT_DATA", shared.server.Data)
	samples, err := filepath.Abs("../../../shared/samples")
	if err != nil {
		return err
	}
	env.Setenv("SAMPLES", samples)
	env.Defer(s.end)
	return s.join()
}

func (s *script) join() error {
	token, err := shared.server.Token("", s.namespace)
	if err != nil {
		return err
	}
	out, err := shared.command("join", "--host-dir", s.host(), "--server", shared.server.Mesh, "--token", token).CombinedOutput()
	if err != nil {
		return fmt.Errorf("join: %w: %s", err, out)
	}
	return nil
}

// host is the folder with this script's host identity.
func (s *script) host() string { return filepath.Join(shared.dir, "host-"+s.namespace) }

// end stops the script's workloads, all at once.
func (s *script) end() {
	for _, l := range s.loading {
		l.stop()
	}
	for _, i := range s.issuers {
		i.server.Close()
	}
	for _, w := range s.workloads {
		_ = w.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, w := range s.workloads {
		select {
		case <-w.done:
		case <-time.After(15 * time.Second):
			_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL)
			<-w.done
		}
	}
}

func with(command func(*script, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, negated bool, args []string) {
		if negated {
			ts.Fatalf("no ! before this command")
		}
		s := ts.Value(scriptKey{}).(*script)
		s.ts = ts
		command(s, args)
	}
}

// until tries until check holds.
func (s *script) until(check func() error) {
	if err := process.Until(patience, check); err != nil {
		s.ts.Fatalf("%v", err)
	}
}

// settings splits "key=value" words from the others.
func settings(args []string) (map[string]string, []string) {
	set, rest := map[string]string{}, []string(nil)
	for _, arg := range args {
		if key, value, ok := strings.Cut(arg, "="); ok && !strings.Contains(key, ":") {
			set[key] = value
		} else {
			rest = append(rest, arg)
		}
	}
	return set, rest
}

func take(set map[string]string, key, otherwise string) string {
	value, ok := set[key]
	delete(set, key)
	if !ok {
		return otherwise
	}
	return value
}

func (s *script) run(args []string) {
	set, names := settings(args[1:])
	app, version := args[0], take(set, "version", "v1")
	if len(names) > 0 {
		s.ts.Fatalf("run: unknown word %s", names[0])
	}
	port, err := process.FreePort()
	s.ts.Check(err)
	command := []string{"run", "--dir", filepath.Join(shared.dir, s.namespace, app+"-"+version), "--host-dir", s.host(),
		"--namespace", s.namespace, "--name", app + "-" + version, "--app", app, "--version", version,
		"--port", take(set, "port", "9080") + ":" + strconv.Itoa(port), "--protocol", take(set, "protocol", "http"), "--health", take(set, "health", "tcp")}
	for key, value := range set {
		command = append(command, "--label", key+"="+value)
	}
	w := s.start(app+"-"+version, append(command, "--", shared.echo))
	w.appPort = port
	s.workloads[app+"/"+version] = w
	if s.workloads[app] == nil {
		s.workloads[app] = w
	}
}

func (s *script) gateway(args []string) {
	set, _ := settings(args[1:])
	port, err := process.FreePort()
	s.ts.Check(err)
	command := []string{"run", "--dir", filepath.Join(shared.dir, s.namespace, args[0]), "--host-dir", s.host(),
		"--namespace", s.namespace, "--name", args[0], "--gateway", args[0], "--port", take(set, "port", "80") + ":" + strconv.Itoa(port)}
	for key, value := range set {
		command = append(command, "--label", key+"="+value)
	}
	w := s.start(args[0], command)
	w.appPort, w.gateway = port, true
	s.ts.Setenv("PORT_"+args[0], strconv.Itoa(port)) // for those that call it as a server outside
	s.workloads["gateway:"+args[0]] = w
}

func (s *script) start(name string, command []string) *workload {
	log, err := os.Create(filepath.Join(shared.dir, s.namespace+"-"+name+".log"))
	s.ts.Check(err)
	w := &workload{id: s.namespace + "/" + name, cmd: shared.command(command...), done: make(chan struct{})}
	w.cmd.Stdout, w.cmd.Stderr = log, log
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.ts.Check(w.cmd.Start())
	go func() {
		defer close(w.done)
		_ = w.cmd.Wait()
	}()
	return w
}

func (s *script) workload(name string) *workload {
	w := s.workloads[name]
	if w == nil {
		s.ts.Fatalf("no workload %s in this script", name)
	}
	return w
}

// leave ends one workload by SIGTERM, and waits for it.
func (s *script) leave(args []string) {
	w := s.workload(args[0])
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	<-w.done
}

// crash ends one workload as a power cut does: its agent first, so that nobody
// says goodbye, then what it had started.
func (s *script) crash(args []string) {
	w := s.workload(args[0])
	_ = w.cmd.Process.Kill()
	_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL)
	<-w.done
}

// gone waits until the mesh no longer knows a workload.
func (s *script) gone(args []string) {
	id := s.workload(args[0]).id
	s.until(func() error {
		all, err := output[[]struct{ ID, Health string }]("get", "workloads")
		for _, w := range all {
			if w.ID == id {
				return fmt.Errorf("workload %s is still there: %s", id, w.Health)
			}
		}
		return err
	})
}

func (s *script) apply(args []string) {
	for _, path := range args {
		out, err := shared.command("apply", "-n", s.namespace, "-f", s.filledIn(s.ts.MkAbs(path))).CombinedOutput()
		s.ts.Logf("%s", out)
		s.ts.Check(err)
	}
}

// remove deletes an object of the script's namespace.
func (s *script) remove(args []string) {
	group, path, _ := strings.Cut(args[0], "/")
	version, resource, _ := strings.Cut(path, "/")
	config, err := shared.server.Config()
	s.ts.Check(err)
	client, err := rest.HTTPClientFor(config)
	s.ts.Check(err)
	at := fmt.Sprintf("%s/apis/%s/%s/namespaces/%s/%s", config.Host, group, version, s.namespace, resource)
	request, err := http.NewRequest(http.MethodDelete, at, nil)
	s.ts.Check(err)
	response, err := client.Do(request)
	s.ts.Check(err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		s.ts.Fatalf("delete %s: %s", args[0], response.Status)
	}
}

// output runs a weft command that prints JSON.
func output[T any](args ...string) (T, error) {
	var value T
	out, err := shared.command(append(args, "-o", "json")...).Output()
	if len(out) == 0 && err != nil {
		return value, err
	}
	return value, json.Unmarshal(out, &value)
}

type proxyRow struct {
	ID      string
	Current bool
	Refused []string
	Sent    map[string]int
}

// settle waits until the script's workloads can be called, and then until its
// proxies hold the newest configuration: an endpoint that turned healthy is a change.
func (s *script) settle([]string) {
	s.until(s.healthy)
	s.until(func() error {
		rows, err := output[[]proxyRow]("get", "proxies")
		if err != nil {
			return err
		}
		return s.settled(rows)
	})
}

func (s *script) settled(rows []proxyRow) error {
	current := map[string]bool{}
	for _, row := range rows {
		current[row.ID] = row.Current && len(row.Refused) == 0
	}
	for name, w := range s.workloads {
		if w.running() && !current[w.id] {
			return fmt.Errorf("workload %s: proxy %s does not hold the newest configuration: %+v", name, w.id, rows)
		}
	}
	return nil
}

// answer is echo's Answer.
type answer struct {
	Status  int
	Body    string
	Headers map[string]string
	Error   string
	Took    time.Duration
}

func (a answer) String() string {
	return fmt.Sprintf("status %d from %s: %s%s", a.Status, a.Headers["x-from"], a.Body, a.Error)
}

// request sends count requests from a workload, or into a gateway.
func (s *script) request(from, method, url string, headers map[string]string, count int) ([]answer, error) {
	w := s.workload(from)
	if w.gateway {
		return s.enter(w, method, url, headers, count)
	}
	return w.ask(map[string]any{"method": method, "url": url, "headers": headers, "count": count})
}

// ask has a workload's application make an echo.Call.
func (w *workload) ask(call map[string]any) ([]answer, error) {
	body, err := json.Marshal(call)
	if err != nil {
		return nil, err
	}
	response, err := http.Post(fmt.Sprintf("http://%s/_call", process.Loopback(w.appPort)), "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answers []answer
	return answers, json.NewDecoder(response.Body).Decode(&answers)
}

var outside = &http.Client{Timeout: 15 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
	return http.ErrUseLastResponse
}}

// enter calls a gateway from outside: the URL's host becomes the Host header.
func (s *script) enter(w *workload, method, url string, headers map[string]string, count int) ([]answer, error) {
	answers := make([]answer, 0, count)
	show := headers["show"]
	delete(headers, "show")
	for range count {
		request, err := http.NewRequest(method, url, nil)
		if err != nil {
			return nil, err
		}
		client := outside
		if request.URL.Scheme == "https" {
			client = s.encrypted(w, request.URL.Host, show)
			defer client.CloseIdleConnections()
		}
		request.Host, request.URL.Host = request.URL.Host, process.Loopback(w.appPort)
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		if host := headers["host"]; host != "" {
			request.Host = host
		}
		start := time.Now()
		response, err := client.Do(request)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return nil, err
		}
		got := answer{Status: response.StatusCode, Body: string(body), Headers: map[string]string{}, Took: time.Since(start)}
		got.Headers["certificate"] = certificateOf(response.TLS)
		for name, values := range response.Header {
			got.Headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
		answers = append(answers, got)
	}
	return answers, nil
}

// headersOf splits "name:value" words from the others.
func headersOf(args []string) (map[string]string, []string) {
	headers, rest := map[string]string{}, []string(nil)
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, ":")
		if ok && !strings.Contains(name, "=") {
			headers[name] = strings.TrimSpace(value)
		} else {
			rest = append(rest, arg)
		}
	}
	return headers, rest
}

func (s *script) call(args []string) {
	if len(args) < 3 {
		s.ts.Fatalf("call FROM METHOD URL ...")
	}
	headers, rest := headersOf(args[3:])
	want, _ := settings(rest)
	closed := take(want, "closed", "")
	s.until(func() error {
		answers, err := s.request(args[0], args[1], args[2], maps.Clone(headers), 1)
		if closed != "" && err == nil {
			return fmt.Errorf("%s answers %s", args[2], answers[0])
		}
		if closed != "" && regexp.MustCompile(closed).MatchString(err.Error()) {
			return nil
		}
		if err != nil {
			return err
		}
		return expect(answers[0], want)
	})
}

// first makes its calls once, all together: there is no second try.
func (s *script) first(args []string) {
	if len(args) < 3 {
		s.ts.Fatalf("first FROM METHOD URL ...")
	}
	headers, rest := headersOf(args[3:])
	want, _ := settings(rest)
	count, err := strconv.Atoi(take(want, "n", "1"))
	s.ts.Check(err)
	call := map[string]any{"method": args[1], "url": args[2], "headers": headers, "body": take(want, "send", ""), "count": count, "together": true}
	s.settle(nil)
	answers, err := s.workload(args[0]).ask(call)
	s.ts.Check(err)
	for _, a := range answers {
		s.ts.Check(expect(a, want))
	}
}

// healthy says whether the mesh knows all of the script's workloads that run as well.
func (s *script) healthy() error {
	all, err := output[[]struct{ ID, Health string }]("get", "workloads")
	if err != nil {
		return err
	}
	health := map[string]string{}
	for _, w := range all {
		health[w.ID] = w.Health
	}
	for name, w := range s.workloads {
		if w.running() && health[w.id] != string(model.Healthy) {
			return fmt.Errorf("workload %s is %q", name, health[w.id])
		}
	}
	return nil
}

func (w *workload) running() bool {
	select {
	case <-w.done:
		return false
	default:
		return true
	}
}

// scope waits until `weft scope` has a line that begins with a host and says why.
func (s *script) scope(args []string) {
	if len(args) != 3 {
		s.ts.Fatalf("scope NAME/VERSION HOST REGEXP")
	}
	why := regexp.MustCompile(args[2])
	s.until(func() error {
		out, err := shared.command("scope", s.workload(args[0]).id).Output()
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(out)) {
			if words := strings.Fields(line); len(words) > 0 && words[0] == args[1] && why.MatchString(line) {
				return nil
			}
		}
		return fmt.Errorf("weft scope does not say of %s %q, but:\n%s", args[1], args[2], out)
	})
}

func expect(got answer, want map[string]string) error {
	for key, value := range want {
		ok := false
		switch key {
		case "status":
			ok = strconv.Itoa(got.Status) == value
		case "from":
			ok = got.Headers["x-from"] == value
		case "body":
			ok = regexp.MustCompile(value).MatchString(got.Body)
		case "header":
			name, pattern, _ := strings.Cut(value, ":")
			ok = regexp.MustCompile(pattern).MatchString(got.Headers[name])
		case "noheader":
			_, present := got.Headers[value]
			ok = !present
		case "atleast", "under":
			limit, err := time.ParseDuration(value)
			if err != nil {
				return err
			}
			ok = (got.Took >= limit) == (key == "atleast")
		default:
			return fmt.Errorf("unknown expectation %s", key)
		}
		if !ok {
			return fmt.Errorf("want %s=%s, got %s (%v, %s)", key, value, got, got.Headers, got.Took)
		}
	}
	return nil
}

func (s *script) share(args []string) {
	headers, rest := headersOf(args[2:])
	want, _ := settings(rest)
	count, err := strconv.Atoi(take(want, "n", "400"))
	s.ts.Check(err)
	s.until(func() error {
		answers, err := s.request(args[0], http.MethodGet, args[1], headers, count)
		if err != nil {
			return err
		}
		by := map[string]int{}
		for _, a := range answers {
			by[a.Headers["x-from"]]++
		}
		return shares(by, want, count)
	})
}

func shares(by map[string]int, want map[string]string, count int) error {
	for from, spec := range want {
		percentText, slackText, _ := strings.Cut(spec, "±")
		percent, err := strconv.ParseFloat(percentText, 64)
		if err != nil {
			return err
		}
		slack, _ := strconv.ParseFloat(slackText, 64)
		got := 100 * float64(by[from]) / float64(count)
		if got < percent-slack || got > percent+slack {
			return fmt.Errorf("%s answered %.1f%% of %d, want %s: %v", from, got, count, spec, by)
		}
	}
	return nil
}

type problemRow struct{ Kind, Namespace, Name, Code, Path, Message string }

func (s *script) problems(object string) ([]problemRow, error) {
	all, err := output[[]problemRow]("get", "problems")
	if err != nil {
		return nil, err
	}
	var mine []problemRow
	for _, p := range all {
		here := p.Namespace == s.namespace && (object == "" || object == p.Kind+"/"+p.Name)
		if here || object == p.Kind+"/"+p.Namespace+"/"+p.Name {
			mine = append(mine, p)
		}
	}
	return mine, nil
}

func (s *script) problem(args []string) {
	pattern := regexp.MustCompile("")
	if len(args) > 2 {
		pattern = regexp.MustCompile(args[2])
	}
	s.until(func() error {
		found, err := s.problems(args[0])
		if err != nil {
			return err
		}
		for _, p := range found {
			if p.Code == args[1] && pattern.MatchString(p.Path+" "+p.Message) {
				return nil
			}
		}
		return fmt.Errorf("no problem %v, only %+v", args, found)
	})
}

func (s *script) noProblem(args []string) {
	s.until(func() error {
		found, err := s.problems(strings.Join(args, ""))
		if err == nil && len(found) > 0 {
			err = fmt.Errorf("problems: %+v", found)
		}
		return err
	})
}

// edge waits until the calls of an application to another were counted so. Those of its versions add up.
func (s *script) edge(args []string) {
	want, _ := settings(args[2:])
	s.until(func() error {
		edges, err := output[[]map[string]any]("edges", "--window", "5m")
		if err != nil {
			return err
		}
		got := map[string]float64{}
		for _, e := range edges {
			from, to := e["source"].(map[string]any), e["destination"].(map[string]any)
			if from["namespace"] != s.namespace || from["app"] != args[0] || to["app"] != args[1] {
				continue
			}
			for name := range want {
				n, _ := e[name].(float64)
				got[name] += n
			}
		}
		for name, n := range want {
			if text := strconv.FormatFloat(got[name], 'f', -1, 64); n == "some" && got[name] == 0 || n != "some" && text != n {
				return fmt.Errorf("edge %s to %s: %s %s, want %s", args[0], args[1], text, name, n)
			}
		}
		return nil
	})
}

func (s *script) received(args []string) {
	w := s.workload(args[0])
	s.until(func() error {
		response, err := http.Get(fmt.Sprintf("http://%s/_received", process.Loopback(w.appPort)))
		if err != nil {
			return err
		}
		defer response.Body.Close()
		var counts map[string]int
		if err := json.NewDecoder(response.Body).Decode(&counts); err != nil {
			return err
		}
		if got := counts[args[1]+" "+args[2]]; strconv.Itoa(got) != args[3] {
			return fmt.Errorf("%s received %d times %s %s, want %s", args[0], got, args[1], args[2], args[3])
		}
		return nil
	})
}

// sentNow is what every proxy was sent so far.
func (s *script) sentNow() (map[string]map[string]int, error) {
	rows, err := output[[]proxyRow]("get", "proxies")
	sent := map[string]map[string]int{}
	for _, row := range rows {
		sent[row.ID] = row.Sent
	}
	return sent, err
}

func (s *script) mark([]string) {
	s.settle(nil)
	var err error
	s.pushed, err = s.sentNow()
	s.ts.Check(err)
}

func (s *script) sent(args []string) {
	id := s.workload(args[0]).id
	want, _ := settings(args[1:])
	s.until(func() error {
		now, err := s.sentNow()
		if err != nil {
			return err
		}
		for kind, count := range want {
			if got := now[id][kind] - s.pushed[id][kind]; strconv.Itoa(got) != count {
				return fmt.Errorf("%s was sent %d of %s, want %s", id, got, kind, count)
			}
		}
		return nil
	})
}
