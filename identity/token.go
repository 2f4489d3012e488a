package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// TokenTTL is how long a token may wait to be used, unless its maker says otherwise.
	TokenTTL = 10 * time.Minute

	maxTokens    = 1000
	maxTokenSize = 512
	rememberUsed = time.Hour // after its end, a token is still told from an unknown one
	tokensFile   = "tokens.json"
	tokenPrefix  = "weft_"
)

// Grant is what a host may ask for: workload identities in these namespaces
// ("*": any) and, if Apps is not empty, of these applications and gateways only.
type Grant struct {
	Namespaces []string `json:"namespaces"`
	Apps       []string `json:"apps,omitempty"`
}

// Allows says whether the grant covers an account.
func (g Grant) Allows(namespace, account string) bool {
	return (slices.Contains(g.Namespaces, namespace) || slices.Contains(g.Namespaces, "*")) &&
		(len(g.Apps) == 0 || slices.Contains(g.Apps, account))
}

// Tokens are the one-time tokens by which hosts join. What is stored is a hash,
// so that who reads the files cannot join.
type Tokens struct {
	files Files
	now   func() time.Time

	mu     sync.Mutex
	tokens map[string]token // by id
}

type token struct {
	Hash    string    `json:"hash"` // SHA-256 of the secret, which has 256 random bits
	Expires time.Time `json:"expires"`
	Used    bool      `json:"used,omitempty"`
	Grant   Grant     `json:"grant"`
}

// OpenTokens reads the tokens from files.
func OpenTokens(files Files, now func() time.Time) (*Tokens, error) {
	t := &Tokens{files: files, now: now}
	return t, t.read()
}

// read takes in what is on disk: another replica of the server may have written.
func (t *Tokens) read() error {
	all := map[string]token{}
	data, err := t.files.Read(tokensFile)
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("join tokens: %s: %w; without the file all tokens end, and hosts that joined stay", tokensFile, err)
	}
	t.tokens = all
	return nil
}

// Create makes a token for a server whose certificate hangs on the root with
// this fingerprint. The string is shown once and stored nowhere.
func (t *Tokens) Create(grant Grant, ttl time.Duration, fingerprint string) (string, error) {
	if len(grant.Namespaces) == 0 {
		return "", refuse("token: name at least one namespace that its host may run workloads in")
	}
	if ttl <= 0 || ttl > 24*time.Hour {
		return "", refuse(fmt.Sprintf("token: lifetime %v is not between 0 and 24h", ttl))
	}
	var id [8]byte
	var secret [32]byte
	rand.Read(id[:])
	rand.Read(secret[:])
	text := base64.RawURLEncoding.EncodeToString(secret[:])

	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.read(); err != nil {
		return "", err
	}
	next := maps.Clone(t.tokens)
	maps.DeleteFunc(next, func(_ string, old token) bool { return t.now().After(old.Expires.Add(rememberUsed)) })
	if len(next) >= maxTokens {
		return "", refuse(fmt.Sprintf("token: %d are open already: wait until some have ended", maxTokens))
	}
	next[hex.EncodeToString(id[:])] = token{Hash: hash(text), Expires: t.now().Add(ttl), Grant: grant}
	if err := t.keep(next); err != nil {
		return "", err
	}
	return tokenPrefix + hex.EncodeToString(id[:]) + "." + text + "." + fingerprint, nil
}

// Redeem spends a token. Of any number of calls with one token, in any number
// of lives of the server, at most one succeeds: it is spent on disk first.
func (t *Tokens) Redeem(text string) (Grant, error) {
	id, secret, _, err := splitToken(text)
	if err != nil {
		return Grant{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.read(); err != nil {
		return Grant{}, err
	}
	found, ok := t.tokens[id]
	if subtle.ConstantTimeCompare([]byte(found.Hash), []byte(hash(secret))) != 1 || !ok {
		return Grant{}, refuse("token: not one of this server's; ask for a new one")
	}
	if found.Used {
		return Grant{}, refuse("token: used already; if that was not you, someone else has joined with it: look at the hosts, and ask for a new one")
	}
	if t.now().After(found.Expires) {
		return Grant{}, refuse("token: ended " + found.Expires.UTC().Format(time.RFC3339) + "; ask for a new one")
	}
	next := maps.Clone(t.tokens)
	found.Used = true
	next[id] = found
	if err := t.keep(next); err != nil {
		return Grant{}, err
	}
	return found.Grant, nil
}

func (t *Tokens) keep(next map[string]token) error {
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := t.files.Write(tokensFile, data); err != nil {
		return fmt.Errorf("join tokens: %w", err)
	}
	t.tokens = next
	return nil
}

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// splitToken takes weft_ID.SECRET.FINGERPRINT apart.
func splitToken(text string) (id, secret, fingerprint string, err error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), tokenPrefix)
	parts := strings.Split(rest, ".")
	if !ok || len(text) > maxTokenSize || len(parts) != 3 || slices.Contains(parts, "") {
		return "", "", "", refuse("token: not of the form weft_ID.SECRET.FINGERPRINT: copy the whole line")
	}
	return parts[0], parts[1], parts[2], nil
}
