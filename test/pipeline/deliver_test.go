package pipeline

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"weft.dev/api/v1alpha1"
	"weft.dev/test/process"
)

// deliver posts to a trigger, as its caller would, until the answer is the one that the script wants.
func (s *script) deliver(args []string) {
	if len(args) != 4 {
		s.ts.Fatalf("usage: deliver STATUS PIPELINE/TRIGGER TOKEN BODY")
	}
	want, err := strconv.Atoi(args[0])
	s.ts.Check(err)
	s.ts.Check(process.Until(patience, func() error {
		address := fmt.Sprintf("http://%s/hooks/%s/%s", shared.hooks, s.namespace, args[1])
		request, err := http.NewRequest(http.MethodPost, address, strings.NewReader(args[3]))
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+args[2])
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != want {
			return fmt.Errorf("%s is answered by %s", address, answer.Status)
		}
		return nil
	}))
}

// started waits until a pipeline has so many runs that have ended.
func (s *script) started(args []string) {
	if len(args) != 2 {
		s.ts.Fatalf("usage: started PIPELINE N")
	}
	want, err := strconv.Atoi(args[1])
	s.ts.Check(err)
	s.ts.Check(process.Until(patience, func() error {
		out, err := shared.server.Command("pipeline", "runs", args[0], "-n", s.namespace, "-o", "json").Output()
		if err != nil {
			return err
		}
		var runs []v1alpha1.PipelineRun
		if err := json.Unmarshal(out, &runs); err != nil {
			return err
		}
		ended := 0
		for _, r := range runs {
			if r.Status.Ended != nil {
				ended++
			}
		}
		if len(runs) != want || ended != want {
			return fmt.Errorf("%d of %d runs have ended, want %d", ended, len(runs), want)
		}
		return nil
	}))
}

// until waits until what weft prints matches.
func (s *script) until(args []string) {
	if len(args) < 2 {
		s.ts.Fatalf("usage: until REGEXP ARGUMENT...")
	}
	want := regexp.MustCompile(args[0])
	s.ts.Check(process.Until(patience, func() error {
		out, err := shared.server.Command(append(args[1:], "-n", s.namespace)...).Output()
		if err == nil && !want.Match(out) {
			err = fmt.Errorf("no match for %s in\n%s", args[0], out)
		}
		return err
	}))
}
