// Package audit keeps a record of who changed what, as a chain: each entry has the hash of the one
// before it, so that one which was changed, is missing or was moved is found.
//
// Input: entries. Output: one JSON text a line, in files (Log) or in chapters that are somewhere else (Book). It does not know what the
// entries are about, and who writes them decides what happens when one cannot be written.
package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Entry is one change that was let through.
type Entry struct {
	Seq    int64     `json:"seq"` // 1, 2, ...
	Time   time.Time `json:"time"`
	By     string    `json:"by"`
	Groups []string  `json:"groups,omitempty"`
	Verb   string    `json:"verb"` // create, update or delete, or what somebody did, in one word
	Kind   string    `json:"kind"`
	// Namespace is empty for what is in none.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	UID       string `json:"uid,omitempty"`
	// Before and After are hashes of what was, and what was to be; empty: nothing, or a secret.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Changed are the fields that differ, and their new values where they are short.
	Changed []string `json:"changed,omitempty"`
	// Previous is the hash of the entry before, Hash that of this one.
	Previous string `json:"previous"`
	Hash     string `json:"hash"`
}

// sum is the hash of all of the entry but Hash.
func (e Entry) sum() string {
	e.Hash = ""
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // plain data always marshals
	}
	hash := sha256.Sum256(data)
	return hex.EncodeToString(hash[:])
}

// after completes an entry that follows another one; the zero Entry is before the first.
func (e Entry) after(last Entry) Entry {
	e.Seq, e.Previous, e.Time = last.Seq+1, last.Hash, e.Time.UTC()
	e.Hash = e.sum()
	return e
}
