package health

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Parse reads the short form of a check: a path, "tcp", "grpc", "grpc:SERVICE"
// or "command:WORDS FOR sh". Empty is "tcp".
func Parse(text string) (Check, error) {
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case text == "" || text == "tcp":
		return Check{Kind: TCP}, nil
	case strings.HasPrefix(text, "/"):
		return Check{Kind: HTTP, Path: text}, nil
	case kind == "grpc":
		return Check{Kind: GRPC, Service: rest}, nil
	case kind == "command":
		return Check{Kind: Command, Command: rest}, nil
	}
	return Check{}, fmt.Errorf("health %q: use a path, tcp, grpc, grpc:SERVICE or command:COMMAND", text)
}

// Statuses are ranges of HTTP statuses, both ends within; none are 200 to 399.
type Statuses [][2]int

// ParseStatuses reads "200-299,304".
func ParseStatuses(text string) (Statuses, error) {
	var all Statuses
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		low, err := strconv.Atoi(from)
		high, err2 := strconv.Atoi(to)
		if err != nil || err2 != nil || low < 100 || high > 599 || low > high {
			return nil, fmt.Errorf("health: status %q: use the form 200-299,304", text)
		}
		all = append(all, [2]int{low, high})
	}
	return all, nil
}

func (s Statuses) contain(status int) bool {
	if len(s) == 0 {
		return status >= 200 && status < 400
	}
	return slices.ContainsFunc(s, func(r [2]int) bool { return status >= r[0] && status <= r[1] })
}
