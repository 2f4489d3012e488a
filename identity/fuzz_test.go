package identity

import (
	"strings"
	"testing"
	"time"
)

// Only what String writes is a name, and every name can stand in a certificate.
func FuzzName(f *testing.F) {
	for _, seed := range [][4]string{
		{"shop.test", "shop", "reviews", ""}, {"shop.test", "", "", "web-1"}, {"shop.test", "", "", ""},
		{"shop.test", "shop", "a/../b", ""}, {"x", "%2e", "b", ""}, {"shop.test", "ns", "sa", "host"}, {"", "a", "b", ""}, {"a..b", "a", "b..c", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, trust, namespace, account, host string) {
		n := Name{Trust: trust, Namespace: namespace, Account: account, Host: host}
		if account == "" {
			n.Namespace = ""
		}
		if host != "" {
			n.Namespace, n.Account = "", ""
		}
		if n.check() != nil {
			return
		}
		again, err := ParseName(n.uri().String())
		if err != nil || again != n {
			t.Errorf("%+v is read as %+v, %v", n, again, err)
		}
	})
}

// A text is taken apart as it was put together or not at all, and none but the
// one that was made is worth anything.
func FuzzToken(f *testing.F) {
	const fingerprint = "00ff"
	now := func() time.Time { return time.Unix(1_000_000, 0) }
	for _, seed := range []string{"", "weft_", "weft_a.b.c", " weft_a.b.c\n", "weft_a.b.c.d", "weft_..", "weft_a..c", "weft_weft_a.b.c", strings.Repeat("weft_a.b.c", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := OpenTokens(Dir(t.TempDir()), now)
		if err != nil {
			t.Fatal(err)
		}
		made, err := tokens.Create(Grant{Namespaces: []string{"shop"}}, TokenTTL, fingerprint)
		if err != nil {
			t.Fatal(err)
		}
		if id, secret, end, err := splitToken(text); err == nil {
			if got := tokenPrefix + id + "." + secret + "." + end; got != strings.TrimSpace(text) || len(text) > maxTokenSize {
				t.Errorf("%q is read as %q", text, got)
			}
			madeID, _, _, _ := splitToken(made)
			for _, forged := range []string{text, tokenPrefix + madeID + "." + secret + "." + end} {
				if _, err := tokens.Redeem(forged); err == nil {
					t.Errorf("%q lets in", forged)
				}
			}
		} else if len(err.Error()) > 500 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		if _, err := tokens.Redeem(made); err != nil {
			t.Errorf("after %q, the true token: %v", text, err)
		}
	})
}
