package main

import (
	"net"
	"sync"
	"time"
)

// callers are the connections of a port, by the address that they come from.
type callers struct {
	mu   sync.Mutex
	open map[string]net.Conn
}

// hangUpDelay lets the last word reach the caller.
const hangUpDelay = 100 * time.Millisecond

// HangUp ends the connection from an address, if there still is one.
func (c *callers) HangUp(remote net.Addr) {
	c.mu.Lock()
	conn := c.open[remote.String()]
	c.mu.Unlock()
	if conn != nil {
		time.AfterFunc(hangUpDelay, func() { _ = conn.Close() })
	}
}

// listener keeps track of what it accepts.
func (c *callers) listener(l net.Listener) net.Listener { return trackedListener{l, c} }

type trackedListener struct {
	net.Listener
	callers *callers
}

func (l trackedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.callers.mu.Lock()
	defer l.callers.mu.Unlock()
	if l.callers.open == nil {
		l.callers.open = map[string]net.Conn{}
	}
	l.callers.open[conn.RemoteAddr().String()] = conn
	return trackedConn{conn, l.callers}, nil
}

type trackedConn struct {
	net.Conn
	callers *callers
}

func (c trackedConn) Close() error {
	c.callers.mu.Lock()
	delete(c.callers.open, c.RemoteAddr().String())
	c.callers.mu.Unlock()
	return c.Conn.Close()
}
