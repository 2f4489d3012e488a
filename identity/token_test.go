package identity_test

import (
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weft.dev/identity"
	"weft.dev/model"
)

func TestTokenIsSpentOnce(t *testing.T) {
	c := startClock()
	dir := t.TempDir()
	a := newAuthority(t, dir, c)
	token, err := a.NewToken(identity.Grant{Namespaces: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var joined, refused atomic.Int32
	for range 100 {
		csr := newKey(t).CSR
		wg.Go(func() {
			_, err := a.Join(model.JoinRequest{Token: token, Host: "web-1", CSR: csr})
			if refusal := (*identity.Refusal)(nil); errors.As(err, &refusal) {
				refused.Add(1)
			} else if err == nil {
				joined.Add(1)
			}
		})
	}
	wg.Wait()
	if joined.Load() != 1 || refused.Load() != 99 {
		t.Fatalf("%d joined, %d were refused", joined.Load(), refused.Load())
	}
	restarted := newAuthority(t, dir, c)
	if _, err := restarted.Join(model.JoinRequest{Token: token, Host: "web-1", CSR: newKey(t).CSR}); err == nil || !strings.Contains(err.Error(), "used already") {
		t.Errorf("after a restart: %v", err)
	}
}

// failing is a disk that stops to take anything.
type failing struct {
	identity.Dir
	full bool
}

func (f *failing) Write(name string, data []byte) error {
	if f.full {
		return os.ErrInvalid
	}
	return f.Dir.Write(name, data)
}

func TestTokenIsNotGrantedUnlessWritten(t *testing.T) {
	c := startClock()
	disk := &failing{Dir: identity.Dir(t.TempDir())}
	tokens, err := identity.OpenTokens(disk, c.now)
	if err != nil {
		t.Fatal(err)
	}
	text, err := tokens.Create(identity.Grant{Namespaces: []string{"shop"}}, time.Minute, "f")
	if err != nil {
		t.Fatal(err)
	}
	disk.full = true
	if _, err := tokens.Redeem(text); err == nil {
		t.Fatal("granted, though nothing says on disk that it is spent")
	}
	disk.full = false
	if _, err := tokens.Redeem(text); err != nil {
		t.Errorf("the disk works again: %v", err)
	}
}

func TestTokenRefusals(t *testing.T) {
	c := startClock()
	a := newAuthority(t, t.TempDir(), c)
	text, err := a.NewToken(identity.Grant{Namespaces: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(text, ".")
	for name, bad := range map[string]string{
		"empty":        "",
		"cut off":      parts[0] + "." + parts[1],
		"no secret":    parts[0] + ".." + parts[2],
		"other secret": parts[0] + ".AAAA." + parts[2],
		"other id":     "weft_0000." + parts[1] + "." + parts[2],
		"a megabyte":   text + strings.Repeat("a", 1<<20),
	} {
		_, err := a.Tokens.Redeem(bad)
		if refusal := (*identity.Refusal)(nil); !errors.As(err, &refusal) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), parts[1]) {
			t.Errorf("%s: the error tells the secret", name)
		}
	}
	c.advance(identity.TokenTTL + time.Second)
	if _, err := a.Tokens.Redeem(text); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("after its time: %v", err)
	}
	if _, err := a.Tokens.Create(identity.Grant{}, time.Minute, "f"); err == nil {
		t.Error("a token for no namespace")
	}
}

// Whatever happens in which order, and however often the server restarts, a
// token is granted at most once, never after its end, and with its own grant.
func TestTokenProperty(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := startClock()
		dir, err := os.MkdirTemp("", "weft-token-*")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		open := func() *identity.Tokens {
			tokens, err := identity.OpenTokens(identity.Dir(dir), c.now)
			if err != nil {
				t.Fatal(err)
			}
			return tokens
		}
		tokens := open()
		type made struct {
			text, namespace string
			ends            time.Time
			spent           bool
		}
		var all []made
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			switch rapid.SampledFrom([]string{"make", "use", "use", "wait", "restart"}).Draw(r, "step") {
			case "make":
				ns := rapid.StringMatching(`[a-z]{1,8}`).Draw(r, "namespace")
				text, err := tokens.Create(identity.Grant{Namespaces: []string{ns}}, time.Minute, "f")
				if err != nil {
					r.Fatal(err)
				}
				all = append(all, made{text: text, namespace: ns, ends: c.at.Add(time.Minute)})
			case "use":
				if len(all) == 0 {
					continue
				}
				one := &all[rapid.IntRange(0, len(all)-1).Draw(r, "which")]
				grant, err := tokens.Redeem(one.text)
				if want := !one.spent && !c.at.After(one.ends); (err == nil) != want {
					r.Fatalf("redeem: %v, want success %v", err, want)
				}
				if err == nil && grant.Namespaces[0] != one.namespace {
					r.Fatalf("granted %v, want %s", grant, one.namespace)
				}
				one.spent = one.spent || err == nil
			case "wait":
				c.advance(time.Duration(rapid.IntRange(1, 50).Draw(r, "seconds")) * time.Second)
			case "restart":
				tokens = open()
			}
		}
	})
}
