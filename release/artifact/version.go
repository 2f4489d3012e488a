package artifact

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// version is a semantic version, as tags have it: with or without v, of one to three numbers.
type version struct {
	numbers [3]uint64
	given   int // of the numbers
	pre     []string
}

var versionShape = regexp.MustCompile(`^v?(\d{1,18})(?:\.(\d{1,18}))?(?:\.(\d{1,18}))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$`)

func parseVersion(text string) (v version, ok bool) {
	parts := versionShape.FindStringSubmatch(text)
	if parts == nil {
		return v, false
	}
	for i, part := range parts[1:4] {
		if part != "" {
			v.numbers[i], _ = strconv.ParseUint(part, 10, 64) // it fits: 18 digits
			v.given = i + 1
		}
	}
	if parts[4] != "" {
		v.pre = strings.Split(parts[4], ".")
	}
	return v, true
}

// compare is the order of semver.org.
func (v version) compare(w version) int {
	if order := slices.Compare(v.numbers[:], w.numbers[:]); order != 0 {
		return order
	}
	if len(v.pre) == 0 || len(w.pre) == 0 {
		return cmp.Compare(len(w.pre), len(v.pre)) // one before a release is less than it
	}
	return slices.CompareFunc(v.pre, w.pre, func(a, b string) int {
		n, notA := strconv.ParseUint(a, 10, 64)
		m, notB := strconv.ParseUint(b, 10, 64)
		switch {
		case notA == nil && notB == nil:
			return cmp.Compare(n, m)
		case notA == nil:
			return -1
		case notB == nil:
			return 1
		}
		return cmp.Compare(a, b)
	})
}

func compareTags(a, b string) int {
	v, _ := parseVersion(a)
	w, _ := parseVersion(b)
	return v.compare(w)
}

// bound is one side of a range.
type bound struct {
	sign string
	version
}

// versions is a range: all of its bounds hold.
type versions []bound

// parseVersions reads bounds with spaces between: ">=1.4 <3", "^1.4" (less than 2), "~1.4" (less than 1.5), "1.4.2".
func parseVersions(text string) (versions, error) {
	var all versions
	for word := range strings.FieldsSeq(text) {
		number := strings.TrimLeft(word, "<>=^~")
		sign := word[:len(word)-len(number)]
		v, ok := parseVersion(number)
		if !ok || !slices.Contains([]string{"", "=", "<", "<=", ">", ">=", "^", "~"}, sign) {
			return nil, fmt.Errorf("version %q: want bounds such as ^1.4, ~1.4.2, or >=1.4 <3", text)
		}
		switch sign {
		case "^":
			all = append(all, bound{">=", v}, bound{"<", v.above(caret(v))})
		case "~":
			all = append(all, bound{">=", v}, bound{"<", v.above(min(v.given, 2) - 1)})
		default:
			all = append(all, bound{sign, v})
		}
	}
	if all == nil {
		return nil, fmt.Errorf("version %q names no bound: give one such as ^1.4", text)
	}
	return all, nil
}

// caret is the first number that is not 0, which a caret holds.
func caret(v version) int {
	for i := range v.given - 1 {
		if v.numbers[i] != 0 {
			return i
		}
	}
	return v.given - 1
}

// above is the first version in which the ith number is the next one.
func (v version) above(i int) version {
	w := version{given: 3}
	copy(w.numbers[:i+1], v.numbers[:i+1])
	w.numbers[i]++
	return w
}

// have says whether a version is in the range. One before a release is only where a bound names such a one of the same release.
func (all versions) have(v version) bool {
	named := len(v.pre) == 0
	for _, b := range all {
		order := v.compare(b.version)
		holds := map[string]bool{"": order == 0, "=": order == 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[b.sign]
		if !holds {
			return false
		}
		named = named || len(b.pre) > 0 && b.numbers == v.numbers
	}
	return named
}
