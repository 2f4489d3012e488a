package artifact

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Match is which tags of a repository somebody wants.
type Match struct {
	pattern  *regexp.Regexp
	versions versions // nil: any tag
}

// NewMatch reads a regular expression for the whole tag, and a range of semantic versions. Empty: any.
func NewMatch(tag, version string) (m Match, err error) {
	if m.pattern, err = Whole(cmp.Or(tag, ".*")); err != nil {
		return m, fmt.Errorf("tag: %w", err)
	}
	if version != "" {
		m.versions, err = parseVersions(version)
	}
	return m, err
}

// Whole is a pattern that has to match all of a text.
func Whole(pattern string) (*regexp.Regexp, error) {
	r, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		return nil, errors.New("want a regular expression (RE2): " + strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return r, nil
}

// Of are those of the tags that are wanted, the newest last: by version, or as they are written.
func (m Match) Of(tags []string) []string {
	all := slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return !m.has(tag) })
	if m.versions != nil {
		slices.SortStableFunc(all, compareTags)
	} else {
		slices.SortStableFunc(all, compareTexts)
	}
	return all
}

func (m Match) has(tag string) bool {
	if !m.pattern.MatchString(tag) {
		return false
	}
	if m.versions == nil {
		return true
	}
	v, ok := parseVersion(tag)
	return ok && m.versions.have(v)
}

var pieces = regexp.MustCompile(`\d+|\D+`)

// compareTexts is the order of texts where numbers count as numbers: build-9 is before build-10.
func compareTexts(a, b string) int {
	return cmp.Or(slices.CompareFunc(pieces.FindAllString(a, -1), pieces.FindAllString(b, -1), comparePieces), strings.Compare(a, b))
}

func comparePieces(a, b string) int {
	if !digit(a) || !digit(b) {
		return strings.Compare(a, b)
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func digit(piece string) bool { return piece[0] >= '0' && piece[0] <= '9' }
