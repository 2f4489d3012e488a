// Package notify tells the service manager that started this process how it is,
// as sd_notify(3) does. Without one it does nothing.
package notify

import (
	"fmt"
	"net"
	"os"
	"sync"
)

const variable = "NOTIFY_SOCKET"

// States that are told.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
)

// claim takes the address out of the environment, once.
var claim = sync.OnceValue(func() string {
	defer os.Unsetenv(variable)
	return os.Getenv(variable)
})

// Claim keeps others in this process, and those that it starts, from telling
// anything. Send does it, too.
func Claim() { claim() }

// Send tells a state.
func Send(state string) error {
	address := claim()
	if address == "" {
		return nil
	}
	conn, err := net.Dial("unixgram", address) // "@..." is an abstract one, for Go too
	if err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}
