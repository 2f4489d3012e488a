package web

import "weft.dev/release/pin"

// UndoPlan is what an undo would do.
type UndoPlan struct {
	From    string       `json:"from,omitempty"` // version that serves
	To      string       `json:"to"`
	Changes []UndoChange `json:"changes"`           // since To served
	Unknown string       `json:"unknown,omitempty"` // why these are not known
}

// UndoRequest asks a page's `weft ui` for an undo.
type UndoRequest struct {
	To     string `json:"to"`
	Reason string `json:"reason,omitempty"`
}

// UndoChange is what people wrote since, and what becomes of it.
type UndoChange struct {
	pin.Change
	Becomes string `json:"becomes"`
}

// Done is the answer to what a page asked to be done.
type Done struct {
	Page string `json:"page,omitempty"` // that shows it, if it is another one
}
