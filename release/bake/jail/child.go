package jail

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"

	"weft.dev/release/bake"
)

const (
	exitRefused = 65 // what was printed is why, for who wrote the tree
	maxReason   = 8 << 10
	maxStack    = 64 << 20
)

// Child is the whole life of the process in the jail: it reads an order and prints
// manifests, or why there are none. It returns the exit code.
func Child(in io.Reader, out io.Writer) int {
	landlocked := isLandlocked()
	if err := confineSelf(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	runtime.GOMAXPROCS(2)
	debug.SetMemoryLimit(softMemory)
	debug.SetMaxStack(maxStack)
	log.SetOutput(io.Discard) // libraries warn
	slog.SetDefault(slog.New(slog.DiscardHandler))
	var o order
	err := gob.NewDecoder(bufio.NewReader(in)).Decode(&o)
	if err == nil && !landlocked && !o.Unconfined {
		err = errors.New("the child is not confined")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	manifests, err := render(o)
	if err != nil {
		fmt.Fprintf(out, "%.*s", maxReason, err.Error())
		return exitRefused
	}
	if _, err := out.Write(manifests); err != nil {
		return 1
	}
	return 0
}

// render takes a library's panic for a refusal: the tree made it.
func render(o order) (manifests []byte, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("%s broke on it: %.300s", o.Request.Kind, fmt.Sprint(broken))
		}
	}()
	return bake.Render(o.Tree, o.Request)
}
