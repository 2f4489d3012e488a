package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"sync"
	"time"

	"weft.dev/model"
)

const (
	// MaxPreview is how long a preview may last.
	MaxPreview = 7 * 24 * time.Hour
	// PreviewKeyLife is how long a key signs previews.
	PreviewKeyLife = 30 * 24 * time.Hour
	// PreviewLead is the time in which all servers and gateways learn a new key: it signs only after that.
	PreviewLead = 2 * time.Hour

	maxPreviewSize = 3000 // bytes; as a cookie it shares 4096 with name and attributes
	previewsFile   = "previews.json"
)

// Previews are the keys that sign previews. They are no keys of the mesh: what they sign
// says which version answers somebody outside, and nothing else.
type Previews struct {
	files Files
	now   func() time.Time

	mu   sync.Mutex
	keys []previewKey // oldest first
}

// previewKey signs from From on, if it is the newest that may.
type previewKey struct {
	ID   string    `json:"id"`
	Key  []byte    `json:"key"` // PKCS#8
	From time.Time `json:"from"`

	key *ecdsa.PrivateKey
}

// OpenPreviews reads the keys from files, or makes the first one.
func OpenPreviews(files Files, now func() time.Time) (*Previews, error) {
	p := &Previews{files: files, now: now}
	return p, p.Renew()
}

// Renew takes in what is on disk, where another replica of the server may have written, adds the next
// key when the newest is old, and forgets those whose last preview has ended. Call it more often than PreviewLead.
func (p *Previews) Renew() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys, err := p.read()
	if err != nil {
		return fmt.Errorf("keys of previews: %w", err)
	}
	now := p.now()
	next := slices.Clone(keys)
	for len(next) > 1 && now.After(next[1].From.Add(MaxPreview)) {
		next = next[1:]
	}
	from := now
	if len(next) > 0 {
		from = now.Add(PreviewLead)
	}
	if len(next) == 0 || now.After(next[len(next)-1].From.Add(PreviewKeyLife)) {
		k, err := newPreviewKey(from)
		if err != nil {
			return err
		}
		next = append(next, k)
	}
	if len(next) == len(keys) && next[len(next)-1].ID == keys[len(keys)-1].ID {
		p.keys = next
		return nil
	}
	return p.keep(next)
}

// keep writes keys, and then has them.
func (p *Previews) keep(keys []previewKey) error {
	data, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	if err := p.files.Write(previewsFile, data); err != nil {
		return fmt.Errorf("keys of previews: %w", err)
	}
	p.keys = keys
	return nil
}

// Revoke ends all previews: there is one key, which is new and signs at once. Another replica of the server
// has it after its next Renew.
func (p *Previews) Revoke() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	k, err := newPreviewKey(p.now())
	if err != nil {
		return err
	}
	return p.keep([]previewKey{k})
}

func (p *Previews) read() (keys []previewKey, err error) {
	data, err := p.files.Read(previewsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	fault := errors.New(previewsFile + " cannot be read; without the file all previews end, and there are new keys") // the decoder's may quote a key
	if json.Unmarshal(data, &keys) != nil {
		return nil, fault
	}
	for i := range keys {
		key, err := x509.ParsePKCS8PrivateKey(keys[i].Key)
		private, ok := key.(*ecdsa.PrivateKey)
		if err != nil || !ok || private.Curve != elliptic.P256() {
			return nil, fault
		}
		keys[i].key = private
	}
	return keys, nil
}

func newPreviewKey(from time.Time) (previewKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return previewKey{}, err
	}
	var id [8]byte
	rand.Read(id[:])
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	return previewKey{ID: hex.EncodeToString(id[:]), Key: pkcs8, From: from, key: key}, err
}

// Keys verify the previews that are valid, and those of the next key.
func (p *Previews) Keys() []model.PreviewKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []model.PreviewKey
	for _, k := range p.keys {
		point, err := k.key.PublicKey.Bytes()
		if err != nil {
			continue // it was read as a point of the curve
		}
		all = append(all, model.PreviewKey{ID: k.ID, X: point[1:33], Y: point[33:65]})
	}
	return all
}

// claims are what a preview says, in the order of their names.
type claims struct {
	Ends   string            `json:"ends"`
	Exp    int64             `json:"exp"`
	Issuer string            `json:"iss"`
	To     map[string]string `json:"to"`
}

// Sign makes a preview that lasts so long, MaxPreview at most. To has the value of
// model.VersionHeader by domain of a gateway. An error of who asks is a *Refusal.
func (p *Previews) Sign(to map[string]string, lasts time.Duration) (token string, ends time.Time, err error) {
	if lasts <= 0 || lasts > MaxPreview {
		return "", time.Time{}, refuse(fmt.Sprintf("preview: it would last %v; want more than nothing and at most %v", lasts, MaxPreview))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	ends = now.Add(lasts).UTC().Truncate(time.Second)
	by := p.keys[0]
	for _, k := range p.keys {
		if !now.Before(k.From) {
			by = k
		}
	}
	token, err = by.jwt(claims{Ends: ends.Format(http.TimeFormat), Exp: ends.Unix(), Issuer: model.PreviewIssuer, To: to})
	if len(token) > maxPreviewSize {
		return "", time.Time{}, refuse(fmt.Sprintf("preview: for %d hosts it has %d bytes, more than a cookie takes; name one host", len(to), len(token)))
	}
	return token, ends, err
}

// jwt is RFC 7515's compact form, by ES256.
func (k previewKey) jwt(c claims) (string, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	b64 := base64.RawURLEncoding.EncodeToString
	text := b64([]byte(`{"alg":"ES256","kid":"`+k.ID+`"}`)) + "." + b64(body)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, k.key, sum[:])
	if err != nil {
		return "", err
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + b64(signature[:]), nil
}
