package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

const dialTime = 5 * time.Second

// forward listens in this process's network namespace and dials in another:
// the listener is made first, and goes with the process into nsenter and back
// into this program, so that the PID stays the same.
func forward(args []string) error {
	f := flag.NewFlagSet("forward", flag.ExitOnError)
	listen := f.String("listen", "", "host:port here")
	netns := f.String("netns", "", "file of the network namespace to dial in")
	dial := f.String("dial", "", "host:port there")
	inherited := f.Int("inherited", -1, "for itself: the descriptor of the listener")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *inherited >= 0 {
		return serve(os.NewFile(uintptr(*inherited), "listener"), *dial)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	return enter(file, *netns, *dial)
}

// enter replaces this process by one in the namespace that has the listener.
func enter(listener *os.File, netns, dial string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return err
	}
	fd, err := syscall.Dup(int(listener.Fd())) // a copy is not closed on exec
	if err != nil {
		return err
	}
	argv := []string{nsenter, "--net=" + netns, "--", self, "forward", "-inherited", strconv.Itoa(fd), "-dial", dial}
	return fmt.Errorf("nsenter: %w", syscall.Exec(nsenter, argv, os.Environ()))
}

func serve(file *os.File, dial string) error {
	listener, err := net.FileListener(file)
	if err != nil {
		return err
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go connect(client, dial)
	}
}

func connect(client net.Conn, dial string) {
	defer client.Close()
	server, err := net.DialTimeout("tcp", dial, dialTime)
	if err != nil {
		return // the client sees its connection closed
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(client, server)
}
