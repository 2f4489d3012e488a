package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"sync"
	"time"

	"weft.dev/store/serve"
)

const (
	sessionTime = 12 * time.Hour // the most that one lasts
	maxSessions = 1000
	perPerson   = 20 // the oldest goes
	// cookieMark is in front of what cookies sign, so that no cookie is a token.
	cookieMark = "session "
)

// session is a browser in which somebody has signed in, until the grant ends.
type session struct {
	serve.Grant
	Began time.Time `json:"began"`
}

// book is where sessions are written down, by their names: nobody makes a cookie of these.
type book interface {
	read() (map[string]session, error)
	// find is one of them, if it is there now.
	find(name string) (session, bool, error)
	// write has change, which may be called again, see all and change them.
	write(change func(all map[string]session) error) error
}

// sessions are those of a server, or of all replicas of one.
type sessions struct {
	ctx  context.Context
	book book
	gate gate

	mu   sync.Mutex
	open map[string]*visit
}

// visit is a session that somebody uses here.
type visit struct {
	handler http.Handler // answers with that person's rights
	ctx     context.Context
	end     context.CancelFunc
}

var errFull = errors.New("too many people are signed in: try again later, or sign out elsewhere")

func newSessions(ctx context.Context, gate gate, book book) *sessions {
	return &sessions{ctx: ctx, gate: gate, book: book, open: map[string]*visit{}}
}

// add begins a session in place of the one of a cookie, if that is one, and returns what is in its own.
func (s *sessions) add(who serve.Grant, now time.Time, before string) (cookie string, err error) {
	key, err := s.gate.key()
	if err != nil {
		return "", err
	}
	old, err := s.named(before)
	if err != nil {
		return "", err
	}
	secret := []byte(cookieMark + rand.Text())
	v, err := s.visit(who)
	if err != nil {
		return "", err
	}
	name := nameOf(secret)
	err = s.book.write(func(all map[string]session) error {
		delete(all, old)
		return admitted(all, name, session{who, now})
	})
	if err != nil {
		v.end()
		return "", err
	}
	s.close(old)
	s.keep(name, v)
	return key.Seal(secret), nil
}

// admitted makes room for one more, and writes it down.
func admitted(all map[string]session, name string, one session) error {
	oldest, own := "", 0
	for other, o := range all {
		switch {
		case !one.Began.Before(o.Until):
			delete(all, other)
		case o.Name == one.Name:
			own++
			if oldest == "" || o.Began.Before(all[oldest].Began) {
				oldest = other
			}
		}
	}
	if own >= perPerson {
		delete(all, oldest)
	}
	if len(all) >= maxSessions {
		return errFull
	}
	all[name] = one
	return nil
}

// nameOf does not say what it is made of.
func nameOf(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}

// named is the name of the session of a cookie; "": it is none that was made here.
func (s *sessions) named(cookie string) (string, error) {
	if cookie == "" {
		return "", nil
	}
	key, err := s.gate.key()
	if err != nil {
		return "", err
	}
	secret, err := key.Open(cookie)
	if err != nil || len(secret) <= len(cookieMark) || string(secret[:len(cookieMark)]) != cookieMark {
		return "", nil // it is nobody's
	}
	return nameOf(secret), nil
}

// of is who has the cookie; false: nobody, or no longer. An error: nobody can say.
func (s *sessions) of(cookie string) (name string, one session, ok bool, err error) {
	if name, err = s.named(cookie); name == "" || err != nil {
		return "", one, false, err
	}
	one, ok, err = s.book.find(name)
	if ok && err == nil && time.Now().Before(one.Until) {
		return name, one, true, nil
	}
	s.close(name)
	return "", session{}, false, err
}

// use is the session of a cookie, as it is used here; nil: nobody's.
func (s *sessions) use(cookie string) (*visit, error) {
	name, one, ok, err := s.of(cookie)
	if !ok || err != nil {
		return nil, err
	}
	s.mu.Lock()
	v := s.open[name]
	s.mu.Unlock()
	if v != nil && v.ctx.Err() == nil {
		return v, nil
	}
	if v, err = s.visit(one.Grant); err != nil {
		return nil, err
	}
	return s.keep(name, v), nil
}

func (s *sessions) visit(who serve.Grant) (*visit, error) {
	v := &visit{}
	v.ctx, v.end = context.WithDeadline(s.ctx, who.Until)
	var err error
	if v.handler, err = s.gate.answers(v.ctx, who); err != nil {
		v.end()
		return nil, err
	}
	return v, nil
}

// keep is the visit that is kept: that which somebody else began meanwhile, or this one.
func (s *sessions) keep(name string, v *visit) *visit {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.open[name]; other != nil && other.ctx.Err() == nil {
		v.end()
		return other
	}
	s.open[name] = v
	return v
}

// close ends what is used here, and all that it still reads.
func (s *sessions) close(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.open[name]; v != nil {
		v.end()
		delete(s.open, name)
	}
}

// remove ends the session of a cookie, everywhere.
func (s *sessions) remove(cookie string) error {
	name, err := s.named(cookie)
	if name == "" || err != nil {
		return err
	}
	s.close(name)
	return s.book.write(func(all map[string]session) error { delete(all, name); return nil })
}

// sweep ends what is used here of sessions that have ended, at other replicas, too. While nobody can say, nothing is used.
func (s *sessions) sweep() {
	s.mu.Lock()
	used := len(s.open)
	s.mu.Unlock()
	if used == 0 {
		return
	}
	all, err := s.book.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, v := range s.open {
		if _, ok := all[name]; !ok || err != nil || v.ctx.Err() != nil {
			v.end()
			delete(s.open, name)
		}
	}
}
