package main

import (
	"net"
	"net/http"
	"time"

	"weft.dev/trace"
)

// taker takes spans of one Envoy, as its agent does.
type taker struct {
	store  *trace.Store
	server *http.Server
	port   int
}

func newTaker() (*taker, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	store := trace.NewStore(1<<20, time.Hour)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: trace.NewReceiver(trace.NewIntake(store, time.Now)).Handler(), Protocols: &protocols}
	go func() { _ = server.Serve(listener) }() // until it is closed
	return &taker{store, server, listener.Addr().(*net.TCPAddr).Port}, nil
}

func (t *taker) spans() uint64 {
	c := t.store.Counts()
	return c.Spans + c.TooMany
}
