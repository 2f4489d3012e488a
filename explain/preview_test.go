package explain_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"weft.dev/explain"
	"weft.dev/identity"
	"weft.dev/model"
)

// shown are previews of all sorts, and the keys that verify those that are good.
type shown struct {
	keys []model.PreviewKey
	good []string
	bad  []string // ended, forged, for another host, by no algorithm, by the public key as a secret, cut off
}

func previewsAt(t *testing.T, domains ...string) (all shown) {
	t.Helper()
	open := func(dir string, now func() time.Time) *identity.Previews {
		p, err := identity.OpenPreviews(identity.Dir(dir), now)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	dir := t.TempDir()
	earlier := func() time.Time { return time.Now().Add(-2 * time.Hour) }
	before := open(dir, earlier)
	ours, theirs := open(dir, time.Now), open(t.TempDir(), time.Now)
	sign := func(p *identity.Previews, to map[string]string) string {
		token, _, err := p.Sign(to, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	all.keys = ours.Keys()
	key := all.keys[0]
	for _, version := range []string{"s0=v2", "s3=v2", "s6=v1", "s9=v2"} {
		to := map[string]string{}
		for _, domain := range domains {
			to[domain] = version
		}
		token := sign(ours, to)
		head, rest, _ := strings.Cut(token, ".")
		body, _, _ := strings.Cut(rest, ".")
		by := func(algorithm string) string {
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+algorithm+`","kid":"`+key.ID+`"}`)) + "." + body
		}
		mac := hmac.New(sha256.New, slices.Concat([]byte{4}, key.X, key.Y))
		mac.Write([]byte(by("HS256")))
		all.good = append(all.good, token)
		all.bad = append(all.bad, sign(before, to), sign(theirs, to), sign(ours, map[string]string{"elsewhere.test": version}), by("none")+".",
			by("HS256")+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), token[:len(token)-6], head)
	}
	return all
}

// show has some requests carry previews, at times several.
func (s shown) show(r *rand.Rand, q explain.Request) explain.Request {
	token := func() string {
		if chance(r, 2) {
			return one(r, s.bad...)
		}
		return one(r, s.good...)
	}
	if chance(r, 2) {
		q.Headers[model.PreviewHeader] = token()
	}
	if chance(r, 2) {
		q.Headers["cookie"] = one(r, "", "a=b; ", "weft-previews=x; ") + model.PreviewParam + "=" + token() + one(r, "", "; c=d")
	}
	if chance(r, 3) {
		q.URL = withParameter(q.URL, model.PreviewParam, token())
	}
	return q
}
