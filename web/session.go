package web

import "time"

// Session is who has signed in, where people do at the server itself.
type Session struct {
	Here     bool       `json:"here"`               // they do here
	Provider string     `json:"provider,omitempty"` // by this one of OpenID Connect, beside a token
	Name     string     `json:"name,omitempty"`     // "": nobody yet
	Until    *time.Time `json:"until,omitempty"`
	Command  string     `json:"command,omitempty"` // by which who runs the server prints a token
}

// SignIn is by a token.
type SignIn struct {
	Token string `json:"token"`
}
