package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"time"
)

const (
	sessionTime = 12 * time.Hour // the most that one lasts
	maxSessions = 1000
	perPerson   = 20 // the oldest goes
)

// session is a browser in which somebody has signed in.
type session struct {
	name    string
	began   time.Time
	until   time.Time
	handler http.Handler // answers with that person's rights
	ctx     context.Context
	end     context.CancelFunc
}

// sessions are those of a server, by what is in their cookies. A server that starts anew has none.
type sessions struct {
	mu  sync.Mutex
	all map[string]*session
}

var errFull = errors.New("too many people are signed in: try again later, or sign out elsewhere")

// add begins a session, and returns its key.
func (s *sessions) add(one *session) (key string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest, own := "", 0
	for k, o := range s.all {
		switch {
		case o.ctx.Err() != nil:
			delete(s.all, k)
		case o.name == one.name:
			own++
			if oldest == "" || o.began.Before(s.all[oldest].began) {
				oldest = k
			}
		}
	}
	if own >= perPerson {
		s.all[oldest].end()
		delete(s.all, oldest)
	}
	if len(s.all) >= maxSessions {
		return "", errFull
	}
	key = rand.Text()
	s.all[key] = one
	return key, nil
}

// of is the session of a key, or nil.
func (s *sessions) of(key string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.all[key]; one != nil && one.ctx.Err() == nil {
		return one
	}
	return nil
}

// remove ends one, and all that it still reads.
func (s *sessions) remove(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.all[key]; one != nil {
		one.end()
		delete(s.all, key)
	}
}
