package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
)

// tap OF FROM METHOD URL [NAME:VALUE]... [FIELD=PATTERN]...: while `weft tap` looks at OF, the call is made again and again until
// it has shown one; its fields are those. Nothing of a query is ever shown.
func (s *script) tap(args []string) {
	if len(args) < 4 {
		s.ts.Fatalf("tap OF FROM METHOD URL ...")
	}
	headers, rest := headersOf(args[4:])
	want, _ := settings(rest)
	cmd := shared.command("tap", s.workload(args[0]).id, "--method", args[2], "--limit", "1", "-o", "json")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	s.ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	s.until(func() error {
		select {
		case err := <-ended:
			s.ts.Check(err)
			return nil
		default:
		}
		if _, err := s.request(args[1], args[2], args[3], maps.Clone(headers), 1); err != nil {
			return err
		}
		return fmt.Errorf("weft tap has not shown it")
	})
	var shown map[string]any
	s.ts.Check(json.Unmarshal(out.Bytes(), &shown))
	for field, pattern := range want {
		if got := fmt.Sprint(shown[field]); !regexp.MustCompile(pattern).MatchString(got) {
			s.ts.Fatalf("%s is %q, want %s, in %s", field, got, pattern, &out)
		}
	}
	if bytes.Contains(out.Bytes(), []byte("secret")) {
		s.ts.Fatalf("the query is shown: %s", &out)
	}
}
