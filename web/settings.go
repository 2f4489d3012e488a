package web

import "net/http"

// Settings are who looks at the pages, what they may do, and how full is what the server keeps for them.
type Settings struct {
	Me
	Version string   `json:"version"`
	Budgets []Budget `json:"budgets"`
}

// Me is who asks.
type Me struct {
	Name          string   `json:"name,omitempty"` // "": nobody here knows
	Groups        []string `json:"groups"`
	Administrator bool     `json:"administrator"` // may do everything
	Roles         []Role   `json:"roles"`         // in applications that let not everybody do everything
}

// Role is what somebody may do in an application.
type Role struct {
	Namespace   string   `json:"namespace"`
	Application string   `json:"application"`
	May         []string `json:"may"`
	MayNot      []string `json:"mayNot"`
}

// Budget is something that the server keeps, within a bound that a flag sets.
type Budget struct {
	Name  string `json:"name"`
	Used  int64  `json:"used"`
	Most  int64  `json:"most"`
	Bytes bool   `json:"bytes"` // it is counted in them
	Flag  string `json:"flag"`  // of weft serve
	Full  string `json:"full"`  // what happens then
}

func settings(mesh Mesh, r *http.Request) (any, error) {
	me, err := mesh.Me(r.Context())
	me.Groups, me.Roles = orEmpty(me.Groups), orEmpty(me.Roles)
	return Settings{Me: me, Version: mesh.Status().Version, Budgets: orEmpty(mesh.Budgets())}, err
}
