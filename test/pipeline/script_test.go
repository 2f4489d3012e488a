package pipeline

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"weft.dev/api/v1alpha1"
	"weft.dev/test/process"
)

// script is the state of one running script.
type script struct {
	ts        *testscript.TestScript
	namespace string
	hook      *hook
}

type scriptKey struct{}

// setup gives a script its namespace.
func setup(env *testscript.Env) error {
	name := strings.ReplaceAll(strings.TrimPrefix(filepath.Base(env.WorkDir), "script-"), "_", "-")
	s := &script{namespace: name, hook: newHook()}
	env.Defer(s.hook.Close)
	env.Values[scriptKey{}] = s
	examples, err := filepath.Abs("../../examples/pipelines")
	if err != nil {
		return err
	}
	for key, value := range map[string]string{"NAMESPACE": name, "WEFT_DATA": shared.server.Data, "WEFT": shared.server.Weft, "HOOK": s.hook.URL, "API": shared.server.API, "EXAMPLES": examples, "REPOSITORIES": repositories(), "REGISTRY": shared.registry.Host} {
		env.Setenv(key, value)
	}
	apply := shared.server.Command("apply", "-f", "-")
	apply.Stdin = strings.NewReader(fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", name))
	if out, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("namespace %s: %w: %s", name, err, out)
	}
	return nil
}

func with(command func(*script, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, negated bool, args []string) {
		if negated {
			ts.Fatalf("no ! before this command: name the exit code")
		}
		s := ts.Value(scriptKey{}).(*script)
		s.ts = ts
		command(s, args)
	}
}

func (s *script) as(args []string) {
	if args[0] == "admin" {
		s.ts.Setenv("WEFT_KUBECONFIG", "")
		return
	}
	add := []string{"user", "add", args[0]}
	for _, group := range args[1:] {
		add = append(add, "--group", group)
	}
	s.ts.Check(s.ts.Exec(shared.server.Weft, add...))
	path := s.ts.MkAbs(args[0] + ".kubeconfig")
	s.ts.Check(os.WriteFile(path, []byte(s.ts.ReadFile("stdout")), 0o600))
	s.ts.Setenv("WEFT_KUBECONFIG", path)
}

func (s *script) weft(args []string) {
	want := 0
	if code, err := strconv.Atoi(args[0]); err == nil {
		want, args = code, args[1:]
	}
	err := s.ts.Exec(shared.server.Weft, append(args, "-n", s.namespace)...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		s.ts.Check(err)
	}
	if got != want {
		s.ts.Fatalf("weft %s: exit code %d, want %d", strings.Join(args, " "), got, want)
	}
}

var started = regexp.MustCompile(`pipelinerun/(\S+) started \(undo: weft pipeline cancel `)

func (s *script) run(args []string) {
	s.weft(append([]string{"pipeline", "run"}, args[1:]...))
	found := started.FindStringSubmatch(s.ts.ReadFile("stdout"))
	if found == nil {
		s.ts.Fatalf("the run has no name, or no undo")
	}
	s.ts.Setenv(args[0], found[1])
}

// see tries until check holds of a run.
func (s *script) see(name string, check func(*v1alpha1.PipelineRun) error) {
	err := process.Until(patience, func() error {
		var run v1alpha1.PipelineRun
		if err := shared.server.Ask(&run, "pipeline", "show", name, "-o", "json", "-n", s.namespace); err != nil {
			return err
		}
		if err := check(&run); err != nil {
			return fmt.Errorf("%w\n%s: %s: %s\n%+v", err, name, run.Status.Phase, run.Status.Why, run.Status.Stages)
		}
		return nil
	})
	s.ts.Check(err)
}

func (s *script) phase(args []string) {
	s.see(args[0], func(r *v1alpha1.PipelineRun) error {
		return wanted("run", string(r.Status.Phase), r.Status.Why, args[1:])
	})
}

func (s *script) stage(args []string) {
	s.see(args[0], func(r *v1alpha1.PipelineRun) error {
		for _, stage := range r.Status.Stages {
			if stage.Name == args[1] {
				return wanted(stage.Name, stage.Phase, stage.Why, args[2:])
			}
		}
		return fmt.Errorf("no stage %s", args[1])
	})
}

// wanted holds a phase and its reason against PHASE [REGEXP].
func wanted(who, phase, why string, args []string) error {
	if phase != args[0] {
		return fmt.Errorf("%s is %s, want %s", who, phase, args[0])
	}
	if pattern := strings.Join(args[1:], " "); !regexp.MustCompile(pattern).MatchString(why) {
		return fmt.Errorf("%s says %q, want %s", who, why, pattern)
	}
	return nil
}

func (s *script) called(args []string) {
	n, err := strconv.Atoi(args[1])
	s.ts.Check(err)
	s.ts.Check(process.Until(patience, func() error {
		if got := s.hook.calls(args[0]); got != n {
			return fmt.Errorf("%s was called %d times, want %d", args[0], got, n)
		}
		return nil
	}))
}

func (s *script) push(args []string) { shared.registry.Push(args[0], args[1]) }

func (s *script) crash([]string) {
	s.ts.Check(shared.server.Kill())
	s.ts.Check(shared.server.Start())
	s.ts.Check(shared.server.Await())
}
