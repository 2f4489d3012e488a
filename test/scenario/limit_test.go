package scenario

import (
	"maps"
	"strconv"
)

// tally makes n calls, none of which is tried again, and wants so many of each status.
func (s *script) tally(args []string) {
	headers, rest := headersOf(args[3:])
	want, _ := settings(rest)
	count, err := strconv.Atoi(take(want, "n", "1"))
	s.ts.Check(err)
	s.settle(nil)
	answers, err := s.request(args[0], args[1], args[2], headers, count)
	s.ts.Check(err)
	got := map[string]string{}
	for status, n := range statuses(answers) {
		got[strconv.Itoa(status)] = strconv.Itoa(n)
	}
	if !maps.Equal(got, want) {
		s.ts.Fatalf("%d calls were answered with %v, want %v", count, got, want)
	}
}

func statuses(answers []answer) map[int]int {
	got := map[int]int{}
	for _, a := range answers {
		got[a.Status]++
	}
	return got
}
