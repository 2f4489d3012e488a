package trigger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/artifact"
	"weft.dev/release/trigger/hook"
)

// called is what a webhook says. A caller that names the secret may name the delivery; one that
// signs it signs the body alone, so that is what names it: nobody delivers the same body twice.
func (r *Receiver) called(t *v1alpha1.WebhookTrigger, header http.Header, body []byte) (happening, error) {
	var h happening
	if err := json.Unmarshal(body, &h.body); err != nil {
		return h, errors.New("the delivery is no JSON")
	}
	sum := sha256.Sum256(body)
	h.id = hex.EncodeToString(sum[:])
	if key := header.Get("Idempotency-Key"); key != "" && header.Get("X-Weft-Signature") == "" {
		h.id = key
	}
	facts, err := r.Eval.Expand(t.Facts, environment(v1alpha1.TriggerFact{Type: "webhook", ID: h.id}, h.body))
	if err != nil {
		return h, fmt.Errorf("the delivery has not what the trigger reads: fact %w", err)
	}
	h.facts, _ = facts.(map[string]v1alpha1.Value)
	return h, nil
}

// passes says why a push is none for the trigger; "": it is one.
func passes(t *v1alpha1.GitTrigger, p hook.Push) string {
	if !p.Same(t.URL) {
		return "the push is to another repository than the trigger is for"
	}
	match, err := artifact.Whole(orMain(t.Branch))
	if err != nil {
		return fmt.Sprintf("the trigger's branch: %v", err)
	}
	if !match.MatchString(p.Branch) {
		return fmt.Sprintf("branch %s is none that the trigger is for", p.Branch)
	}
	if len(t.Paths) == 0 || p.Partial {
		return ""
	}
	for _, path := range t.Paths {
		pattern, err := pathPattern(path)
		for _, file := range p.Files {
			if err == nil && pattern.MatchString(file) {
				return ""
			}
		}
	}
	return "the push touches no path that the trigger is for"
}

// pathPattern reads a name with *, ? and **. One that ends with / is all below it.
func pathPattern(text string) (*regexp.Regexp, error) {
	if text == "" || strings.HasPrefix(text, "/") {
		return nil, fmt.Errorf("path %q: want one within the repository, such as charts/** or *.md", text)
	}
	if strings.HasSuffix(text, "/") {
		text += "**"
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch rest := text[i:]; {
		case strings.HasPrefix(rest, "**/"):
			out.WriteString("(.*/)?")
			i += 2
		case strings.HasPrefix(rest, "**"):
			out.WriteString(".*")
			i++
		case rest[0] == '*':
			out.WriteString("[^/]*")
		case rest[0] == '?':
			out.WriteString("[^/]")
		default:
			out.WriteString(regexp.QuoteMeta(rest[:1]))
		}
	}
	return regexp.Compile("^" + out.String() + "$")
}

const (
	// maxRate is how many deliveries one address takes in a minute, before they are looked at.
	maxRate = 120
	// maxRated is how many addresses are counted in a minute, all of them made up perhaps.
	maxRated = 10_000
)

// rate counts deliveries of the minute by address.
type rate struct {
	now    func() time.Time
	mu     sync.Mutex
	minute time.Time
	counts map[string]int
}

func newRate(now func() time.Time) *rate { return &rate{now: now} }

// take says whether one more delivery may come.
func (r *rate) take(address string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if minute := r.now().Truncate(time.Minute); !minute.Equal(r.minute) {
		r.minute, r.counts = minute, map[string]int{}
	}
	if _, known := r.counts[address]; !known && len(r.counts) >= maxRated {
		return false
	}
	r.counts[address]++
	return r.counts[address] <= maxRate
}
