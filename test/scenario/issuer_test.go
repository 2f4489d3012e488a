package scenario

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"time"
)

var b64 = base64.RawURLEncoding.EncodeToString

// issuer signs tokens, and serves the keys by which others verify them.
type issuer struct {
	server *httptest.Server
	mu     sync.Mutex
	keys   map[string]*ecdsa.PrivateKey // all that there ever were
	answer string
	down   bool
}

// issuer starts one, or changes what it serves.
func (s *script) issuer(args []string) {
	set, words := settings(args[1:])
	i := s.issuers[args[0]]
	if i == nil {
		i = &issuer{keys: map[string]*ecdsa.PrivateKey{}}
		i.server = httptest.NewServer(i)
		s.issuers[args[0]] = i
		s.serves("ISSUER_"+args[0], i.server.URL)
		s.serves("PORT_"+args[0], i.server.URL[strings.LastIndexByte(i.server.URL, ':')+1:])
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = false
	switch strings.Join(words, " ") {
	case "down":
		i.down = true
	case "html":
		i.answer = "<!doctype html><title>Sign in</title>"
	case "empty":
		i.answer = `{"keys":[]}`
	case "huge":
		i.answer = strings.Repeat(" ", 10<<20) + i.jwks("one")
	case "":
		i.answer = i.jwks(strings.Split(set["keys"], ",")...)
	default:
		s.ts.Fatalf("issuer: unknown words %v", words)
	}
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	answer, down := i.answer, i.down
	i.mu.Unlock()
	if down {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprint(w, answer)
}

func (i *issuer) key(id string) *ecdsa.PrivateKey {
	if i.keys[id] == nil {
		i.keys[id], _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // crypto/rand does not fail
	}
	return i.keys[id]
}

func (i *issuer) jwks(ids ...string) string {
	var all []map[string]string
	for _, id := range ids {
		point, _ := i.key(id).PublicKey.Bytes()
		all = append(all, map[string]string{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": id, "x": b64(point[1:33]), "y": b64(point[33:])})
	}
	text, _ := json.Marshal(map[string]any{"keys": all})
	return string(text)
}

// token makes one, and two that nobody signed.
func (s *script) token(args []string) {
	set, words := settings(args)
	i := s.issuers[words[1]]
	if i == nil || len(words) < 3 {
		s.ts.Fatalf("token VAR ISSUER KEY")
	}
	claims := map[string]any{"iss": take(set, "iss", i.server.URL), "exp": time.Now().Add(time.Hour).Unix()}
	if len(words) > 3 && words[3] == "expired" {
		claims["exp"] = time.Now().Add(-time.Hour).Unix()
	}
	for name, value := range set {
		claims[name] = value
		if name == "groups" {
			claims[name] = strings.Split(value, ",")
		}
	}
	head := func(alg string) string { return encoded(map[string]any{"alg": alg, "kid": words[2], "typ": "JWT"}) }
	i.mu.Lock()
	key := i.key(words[2])
	i.mu.Unlock()
	stranger, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.ts.Setenv(words[0], signed(key, head("ES256")+"."+encoded(claims)))
	s.ts.Setenv(words[0]+"_FORGED", signed(stranger, head("ES256")+"."+encoded(claims)))
	s.ts.Setenv(words[0]+"_UNSIGNED", head("none")+"."+encoded(claims)+".")
}

func encoded(value map[string]any) string {
	text, _ := json.Marshal(value)
	return b64(text)
}

func signed(key *ecdsa.PrivateKey, text string) string {
	sum := sha256.Sum256([]byte(text))
	r, sig, _ := ecdsa.Sign(rand.Reader, key, sum[:])
	raw := make([]byte, 64)
	r.FillBytes(raw[:32])
	sig.FillBytes(raw[32:])
	return text + "." + b64(raw)
}

// serves says where a server of the script is.
func (s *script) serves(variable, url string) {
	s.urls[variable] = url
	s.ts.Setenv(variable, url)
}

// filledIn is a file with the addresses of the script's servers in it.
func (s *script) filledIn(path string) string {
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "$") {
		return path // a folder, or one that names none
	}
	for name, url := range s.urls {
		text = []byte(strings.ReplaceAll(string(text), "$"+name, url))
	}
	path += ".made.yaml"
	s.ts.Check(os.WriteFile(path, text, 0o600))
	return path
}
