// Command kubetool does for the scripts beside it what a shell cannot: the
// certificates of a cluster, container images without a registry or docker,
// and a port of this machine's loopback that leads into the node's network
// namespace. It must not know what runs on the cluster.
package main

import (
	"fmt"
	"os"
)

const usage = `kubetool helps the scripts of test/kube.

  kubetool certs -dir DIR -server URL -node NAME -node-ip IP -service-ip IP
  kubetool image -o FILE.tar -t NAME:TAG [-entrypoint A,B] [-env K=V]... [-user U] [-add SRC:DST]... [-ldd SRC:DST]...
  kubetool forward -listen HOST:PORT -netns /run/netns/NAME -dial HOST:PORT
`

func main() {
	commands := map[string]func([]string) error{"certs": certs, "image": image, "forward": forward}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(64)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "kubetool %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// list is a flag that may be given many times.
type list []string

func (l *list) String() string     { return fmt.Sprint(*l) }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }
